"""Sweeps: many runs from one command, worked one after another, at the same time, or as jobs of a Ray cluster."""
