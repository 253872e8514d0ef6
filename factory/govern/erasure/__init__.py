"""Erasing documents, and what derives from them, from a whole root (docs/erasure.md, decision 0016)."""
