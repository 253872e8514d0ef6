"""Croissant 1.1 JSON-LD with the Responsible-AI vocabulary, for readers who open it where the bundle lies."""

from __future__ import annotations

from factory.govern.croissant.dataset import croissant
from factory.govern.croissant.reading import claims, problems
from factory.govern.facts import Facts

__all__ = ["PATH", "claims", "problems", "render"]

PATH = "croissant.json"


def render(facts: Facts) -> bytes:
    return croissant(facts, f"../../../{facts.version}")
