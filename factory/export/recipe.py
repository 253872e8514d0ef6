"""What was asked of an export: all that decides its rows, and nothing of this machine.

Design: one frozen record travels to workers, into the manifest and into the hash that says whether what stands in a
folder is what was asked for. Where it is written, how many processes work and who approved the dataset change no row.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

EXPORT_VERSION = 1
"""Raised when the same dataset and recipe give other rows."""

FORMATS = {"parquet": ".parquet", "jsonl": ".jsonl", "jsonl.zst": ".jsonl.zst"}
"""File format -> ending of its files."""


@dataclass(frozen=True)
class Recipe:
    """`form` is what rows become (factory/export/forms.py); `plain`: text where a form could also be a chat. A row
    meets all of `where`, conditions as they were given (where.py); `verified`: only rows that a verifier said yes
    to. `basis` and `pairs` are of preference.py, `template` is the text of interleaved.py's. A packed export is one of
    the form `of`, in rows of `length` tokens of a tokenizer (tokenizing.py); `tokenizer_at` is its folder here."""

    form: str
    file_format: str = "parquet"
    splits: tuple[str, ...] = ("train",)
    where: tuple[str, ...] = ()
    verified: bool = False
    plain: bool = False
    basis: str = "any"
    pairs: int = 1
    template: str = ""
    of: str = ""
    tokenizer: str = ""
    tokenizer_revision: str = ""
    tokenizer_sha256: str = ""
    tokenizer_at: str = ""
    length: int = 0
    pad: bool = False
    cut: bool = False

    def record(self) -> dict[str, Any]:
        """What the manifest holds: plain JSON values."""
        values = asdict(self)
        del values["tokenizer_at"]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
