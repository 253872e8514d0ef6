"""What is submitted to a cluster or typed on a laptop: thin entry points, no logic."""
