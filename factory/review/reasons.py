"""Why a row is turned down, as short texts to choose from: a domain pack's list, or the one for every field.

Design: a pack may hold `review.yaml` with one key, `reasons`: a list of texts. It is no part of what a run is named by,
so changing it changes no dataset; a review keeps the list it was started with.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from factory.domains.config import DomainConfig
from factory.domains.contract import Words
from factory.domains.pack import base_folder, pack_folder, read_yaml, shipped_packs
from factory.section import Section, checked

REVIEW_FILE = "review.yaml"

KEYS = "qwetyiodglzxvb"
"""Letters of the keyboard that stand for reasons on the page, in order; the others are commands there."""

DEFAULT_REASONS = (
    "answer is wrong",
    "reasoning is wrong, result is right",
    "answer is incomplete",
    "not supported by the source",
    "question is unclear or incomplete",
    "question refers to a text the reader does not have",
    "trivial or not worth asking",
    "wrong level or subject",
    "language or formatting",
    "harmful or personal",
)


class _ReviewFile(Section):
    reasons: tuple[Words, ...] = Field(min_length=1, max_length=len(KEYS))


def reasons_of(pack: str) -> tuple[str, ...]:
    """The reasons of a pack, by its name or folder: its own, those of the pack it extends, or DEFAULT_REASONS.

    A name that no pack has gives DEFAULT_REASONS too: datasets name packs that other machines may lack. Raises
    ConfigError for a folder that is not there and for a list that is not usable.
    """
    if pack in shipped_packs():
        folder = pack_folder(DomainConfig(name=pack))
    elif "/" in pack or Path(pack).is_dir():
        folder = pack_folder(DomainConfig(path=pack))
    else:
        return DEFAULT_REASONS
    base = base_folder(folder, read_yaml(folder / "pack.yaml").get("extends"))
    for place in (folder, base):
        if place is not None and (place / REVIEW_FILE).exists():
            return checked(_ReviewFile, read_yaml(place / REVIEW_FILE)).reasons
    return DEFAULT_REASONS
