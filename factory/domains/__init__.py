"""Domain packs: what changes with the field of study, kept as text files and named by content hash."""
