"""The documents of the bundle, a module each: what it writes from the facts, and what it reads back.

Design: a document is a module with `PATH`, `render`, `claims` and `problems` (see `Document`); to add one is a line in
DOCUMENTS. Modules are imported when a bundle is made, not with the command line.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from factory.govern.claims import Claims
    from factory.govern.facts import Facts

DOCUMENTS = (
    "ai_act",
    "ai_act_markdown",
    "croissant",
    "croissant_beside",
    "cyclonedx",
    "markers",
    "nist",
    "openlineage",
    "prov",
    "spdx",
)
"""Modules of this folder that write a file of the bundle. The card is none of them: it lies in the dataset."""


class Document(Protocol):
    """What a module of DOCUMENTS is for others."""

    PATH: str

    def render(self, facts: Facts) -> bytes:
        """The finished bytes: the same for the same facts, anywhere and at any time."""
        ...

    def claims(self, data: bytes) -> Claims:
        """What finished bytes say. Raises ValueError naming a required field that is missing."""
        ...

    def problems(self, data: bytes) -> list[str]:
        """What this kind of document requires and finished bytes lack, looked up offline; empty: nothing."""
        ...


def documents() -> tuple[Document, ...]:
    return tuple(cast(Document, import_module(f"{__name__}.{name}")) for name in DOCUMENTS)
