"""What the dataset card's front matter claims, read back from the bytes of README.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from factory.govern.claims import Claims

REQUIRED = (
    "license", "pretty_name", "tags", "size_categories", "task_categories", "annotations_creators",
    "language_creators", "source_datasets", "configs", "dataset_info",
)  # fmt: skip


def card_claims(data: bytes) -> Claims:
    """Raises ValueError naming a required field that is missing."""
    front = front_matter_of(data)
    missing = [name for name in REQUIRED if not front.get(name)]
    if missing:
        raise ValueError(f"{', '.join(missing)} is missing from the front matter")
    try:
        splits = {split["name"]: split["num_examples"] for split in front["dataset_info"]["splits"]}
        stated = front["license_name"] if front["license"] == "other" else front["license"]
        return Claims(
            name=front["pretty_name"],
            rows=sum(splits.values()),
            splits=splits,
            licenses=frozenset(stated if isinstance(stated, list) else [stated]),
            languages=frozenset(front.get("language", ())),
            synthetic="synthetic" in front["tags"] and "machine-generated" in front["annotations_creators"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its front matter is not built as the hub's: {error}") from None


def card_problems(data: bytes, splits: Mapping[str, int]) -> Iterator[str]:
    """Whether every split has its files among the configurations."""
    configured = {file["split"] for config in front_matter_of(data)["configs"] for file in config["data_files"]}
    for name in sorted(splits.keys() ^ configured):
        yield f"configs and dataset_info do not both name the split {name}"


def front_matter_of(data: bytes) -> dict[str, Any]:
    """The YAML block at the head of a card. Raises ValueError where there is none."""
    text = data.decode("utf-8", "replace")
    if not text.startswith("---\n") or "\n---\n" not in text[4:]:
        raise ValueError("it has no front matter")
    try:
        front = yaml.safe_load(text[4:].split("\n---\n", 1)[0])
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ValueError(f"its front matter is no YAML: {error}") from None
    if not isinstance(front, dict):
        raise ValueError("its front matter is no mapping")
    return front
