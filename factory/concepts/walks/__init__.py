"""Walks over the concept graph, and the documents that are matched to each."""
