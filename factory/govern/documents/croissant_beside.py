"""The same Croissant document, to be copied into the folder that holds manifest.json and data/: a hub, a download."""

from __future__ import annotations

from factory.govern.croissant.dataset import croissant
from factory.govern.croissant.reading import claims, problems
from factory.govern.facts import Facts

__all__ = ["PATH", "claims", "problems", "render"]

PATH = "beside-data/croissant.json"


def render(facts: Facts) -> bytes:
    return croissant(facts, ".")
