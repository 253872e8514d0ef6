"""Keys of `corpus`: which files are read, and which of their columns hold what."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from factory.section import Section


class Columns(Section):
    """Which column of the corpus holds what; null where the corpus has none."""

    text: str = "text"
    source: str | None = "source"
    license: str | None = "license"
    url: str | None = "url"


class CorpusConfig(Section):
    kind: Literal["files", "docstrings"] = Field(description="`files`: the paths below; `docstrings`: built in")
    paths: tuple[str, ...] = Field(default=(), description="files, folders, globs, s3:// addresses")
    format: Literal["auto", "parquet", "jsonl", "text"] = Field(
        default="auto", description="auto goes by the file name: .parquet, .jsonl[.gz|.zst], .txt, .md"
    )
    columns: Columns = Columns()
    default_source: str = Field(default="", description="source for rows without one; empty: the file's name")
    default_license: str = Field(default="unknown", description="SPDX expression for rows without one")
    range_mib: int = Field(
        default=64, ge=1, le=1024, description="MiB of source one task reads; plain JSONL and row groups split here"
    )

    @model_validator(mode="after")
    def _paths_where_needed(self) -> CorpusConfig:
        if self.kind == "files" and not self.paths:
            raise ValueError("corpus.kind=files needs corpus.paths, for example corpus.paths=[/data/shards]")
        return self
