"""Comparing runs: the points of a sweep or the runs of a root side by side, as table, CSV, JSON and a page."""
