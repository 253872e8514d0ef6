"""Answers: final answers, agreement between samples, what was copied from the source."""
