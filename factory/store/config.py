"""Keys of `store`: where everything a run keeps lies."""

from __future__ import annotations

from pydantic import Field

from factory.section import Section


class StoreConfig(Section):
    root: str = Field(min_length=1, description="folder or s3://bucket/prefix; everything a run keeps lies below")
    endpoint_url: str | None = Field(default=None, description="S3 endpoint; null: AWS, or AWS_ENDPOINT_URL")
    region: str = "us-east-1"
