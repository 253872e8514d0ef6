"""Questions: level 1 from a document, level 2 from a document and concepts sampled from it."""
