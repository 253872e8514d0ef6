"""A proxy that makes trouble on purpose, put before an S3 endpoint or an OpenAI-compatible server to see what holds."""
