"""Questions that say the same in other words, found by sentence embeddings; off by default."""
