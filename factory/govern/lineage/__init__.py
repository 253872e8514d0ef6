"""OpenLineage events: how steps, their runs and their tables are said in that standard (docs/lineage.md)."""
