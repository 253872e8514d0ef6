"""What a run shows of itself while it works: metrics, structured logs, traces, and the view of `factory top`."""
