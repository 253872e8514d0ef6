"""From answers to a published dataset: samples, gates, shards, manifest, card, and the proof of all of them."""
