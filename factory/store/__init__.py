"""Object storage: a small interface, a local folder, S3, commits and Parquet bytes."""
