"""The dataset card as a document of the bundle: README.md of the dataset, read back. It lies in the dataset, where the
hub looks for it, and is rendered by factory/publish/card.py.

Design: front matter is YAML and read as such; what only the body says stands in lines and tables of its own form, which
are looked for by their heads. Escapes that the card wrote are taken back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import yaml

from factory.govern.claims import Claims, sound
from factory.publish.card import unmarked
from factory.publish.front_matter import HUB_LICENCES, size_category
from factory.publish.manifest import CARD
from factory.publish.sample_facts import SPLITS

PATH = CARD

REQUIRED = (
    "license", "pretty_name", "tags", "size_categories", "task_categories", "annotations_creators",
    "language_creators", "source_datasets", "configs", "dataset_info",
)  # fmt: skip
"""What the card of a synthetic set has to have; the hub itself requires none of them, and `language` is left out where
nobody determined it."""

CREATORS = frozenset({"crowdsourced", "expert-generated", "found", "machine-generated", "no-annotation", "other"})

_SPDX = {hub: spdx for spdx, hub in HUB_LICENCES.items()}
_VERSION = re.compile(r"^- version `([^`]*)`, published (\S+)$", re.MULTILINE)
_RUN = re.compile(r"Run `([^`]*)`, seed \d+;")
_STEP = re.compile(r"^- \*\*([^*]+)\*\* \(`([^`]*)`, version \d+\)", re.MULTILINE)
_CELL = re.compile(r"(?<!\\)\|")


def claims(data: bytes) -> Claims:
    """Raises ValueError naming what is missing."""
    front, body = _parts(data)
    published, run = _VERSION.search(body), _RUN.search(body)
    if published is None or run is None:
        raise ValueError("the line with version and publication, or that with the run, is missing")
    try:
        splits = {split["name"]: split["num_examples"] for split in front["dataset_info"]["splits"]}
        said = Claims(
            name=front["pretty_name"],
            version=published[1],
            created=published[2],
            run=run[1],
            rows=sum(splits.values()),
            splits=splits,
            licenses=frozenset([_expression(front)]),
            models=frozenset((row[1], row[2]) for row in _table(body, "role")),
            languages=frozenset(front.get("language", ())),
            steps=frozenset(folder for _, folder in _STEP.findall(body)),
            gates={row[0]: row[4] in ("passed", "off") for row in _table(body, "gate")},
            synthetic="synthetic" in front["tags"],
        )
        return sound(said)
    except KeyError as error:
        raise ValueError(f"{error.args[0]} is missing") from None
    except (AttributeError, IndexError, TypeError) as error:
        raise ValueError(f"it is not built as a card: {error}") from None


def problems(data: bytes) -> list[str]:
    """What the hub's specification of cards, or a synthetic dataset, requires and the card lacks."""
    try:
        front, _ = _parts(data)
        return list(_front_problems(front))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return [f"it is not built as a card: {error}"]


def _front_problems(front: Mapping[str, Any]) -> Iterator[str]:
    missing = [name for name in REQUIRED if not front.get(name)]
    yield from (f"{name} is missing" for name in missing)
    if missing:
        return
    for tag in ("synthetic", "machine-generated"):
        if tag not in front["tags"]:
            yield f"tags lack {tag}"
    for name in ("annotations_creators", "language_creators"):
        if "machine-generated" not in front[name]:
            yield f"{name} lacks machine-generated"
        yield from (f"{name} has {other}, which the hub does not know" for other in sorted({*front[name]} - CREATORS))
    if front["license"] == "other" and not (front.get("license_name") and front.get("license_link")):
        yield "license is other, without license_name and license_link"
    yield from _sizes(front)


def _sizes(front: Mapping[str, Any]) -> Iterator[str]:
    info = front["dataset_info"]
    for name in ("features", "splits", "download_size", "dataset_size"):
        if not info.get(name):
            yield f"dataset_info has no {name}"
            return
    rows = sum(split["num_examples"] for split in info["splits"])
    if front["size_categories"] != [size_category(rows)]:
        yield f"size_categories is {front['size_categories']}, and there are {rows:,} rows"
    if info["dataset_size"] != sum(split["num_bytes"] for split in info["splits"]):
        yield "dataset_size is not the sum of the splits"
    named = [split["name"] for split in info["splits"]]
    listed = [file["split"] for config in front["configs"] for file in config["data_files"]]
    if named != listed or not set(named) <= set(SPLITS):
        yield f"configs name the splits {listed}, dataset_info {named}"


def _parts(data: bytes) -> tuple[dict[str, Any], str]:
    try:
        _, front, body = data.decode().split("---\n", 2)
        found = yaml.safe_load(front)
    except (UnicodeDecodeError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ValueError(f"it has no readable front matter: {error}") from None
    if not isinstance(found, dict):
        raise ValueError("its front matter is no mapping")
    return found, body


def _expression(front: Mapping[str, Any]) -> str:
    """The SPDX expression that `license` stands for."""
    licence = front["license"]
    if licence == "other":
        return str(front["license_name"])
    return " AND ".join(_SPDX[each] for each in (licence if isinstance(licence, list) else [licence]))


def _table(body: str, head: str) -> list[list[str]]:
    """Rows of the table whose first column is called `head`."""
    lines = body.splitlines()
    heads = [
        number
        for number, (line, under) in enumerate(pairwise(lines))
        if line.startswith(f"| {head} |") and under.startswith("| --- |")
    ]
    if not heads:
        raise ValueError(f"the table of {head} is missing")
    rows = []
    for line in lines[heads[0] + 2 :]:
        if not line.startswith("| "):
            break
        rows.append([unmarked(cell.strip()) for cell in _CELL.split(line)[1:-1]])
    return rows
