"""Deduplication within and across levels, and decontamination against benchmark sets."""
