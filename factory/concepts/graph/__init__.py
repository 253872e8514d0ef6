"""The concept graph as data: names, nodes, co-occurrence counts, and the index that finds passages by them."""
