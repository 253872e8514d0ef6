"""Documents that a classifier can tell apart: sentences about mathematics (tests/corpora.py) and about gardens."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.corpora import text_of

PLANTS = ("rose", "tulip", "beech", "fern", "lavender", "clover", "birch", "poppy", "thistle", "willow")
DOINGS = ("needs", "shades", "follows", "hides", "feeds", "outgrows", "shelters", "colours")
THINGS = ("soil", "rain", "compost", "butterfly", "fence", "greenhouse", "pond", "gardener", "blossom", "frost")
TIMES = ("in spring", "all summer", "after a storm", "before dawn", "every other year", "near the wall")

RELEVANT = "[matrix,polynomial,integral,vector,eigenvalue,isomorphism]"
"""What makes the scripted engine rate a text as mathematics; `garden_text` holds none of these."""


def maths_text(number: int) -> str:
    return text_of(number, sentences=10)


def garden_text(number: int, sentences: int = 10) -> str:
    draw = random.Random(number + 10_000)
    return " ".join(
        f"The {draw.choice(PLANTS)} beside the {draw.choice(THINGS)} {draw.choice(DOINGS)} its {draw.choice(THINGS)} "
        f"{draw.choice(TIMES)}, {draw.randint(2, 99)} steps from the {draw.choice(PLANTS)}."
        for _ in range(sentences)
    )


def row(number: int, maths: bool) -> dict[str, str]:
    return {
        "text": maths_text(number) if maths else garden_text(number),
        "source": "sums" if maths else "gardens",
        "license": "CC-BY-4.0",
        "url": "",
    }


def write_mixed(folder: Path, documents: int, shards: int = 3) -> Path:
    """Every third document is about mathematics; JSONL shards."""
    folder.mkdir(parents=True, exist_ok=True)
    for shard in range(shards):
        rows = [row(number, number % 3 == 0) for number in range(documents) if (number // 3) % shards == shard]
        lines = "".join(json.dumps(one) + "\n" for one in rows)
        (folder / f"shard-{shard}.jsonl").write_text(lines)
    return folder
