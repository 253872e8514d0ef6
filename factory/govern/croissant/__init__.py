"""Croissant 1.1 with the Responsible-AI vocabulary, part by part (factory/govern/documents/croissant.py)."""
