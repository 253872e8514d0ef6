"""The step that reads source files: filters, normalisation, chunks."""
