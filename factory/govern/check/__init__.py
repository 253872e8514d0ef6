"""Whether everything that answers for a dataset says the same: documents, index, manifest, prompts, Parquet files."""
