"""What was published before, so that a run can leave out what others asked already: docs/index.md."""
