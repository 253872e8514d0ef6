"""Clusters: what a run asks of their nodes, and how it gets there as a job of Ray's."""
