"""Training of the domain classifier that `select` scores documents with."""
