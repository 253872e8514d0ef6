"""What a document says in any place at all, against what this factory writes of the same manifest.

Design: documents are a function of the manifest, so the version that wrote a bundle can write it again, and a change to
anything, also to what no claim speaks of, has a place with a name. Of a bundle that another version wrote nothing is
said here: that version may have worded it otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice, zip_longest
from typing import Any

import orjson

from factory.govern.check.findings import Finding, shown

MOST = 5
"""Places named in a document."""

ABSENT = "is missing"


def rendered_findings(path: str, data: bytes, wanted: bytes) -> Iterator[Finding]:
    """Places where a document differs from the one that belongs there; none where the bytes are equal."""
    if data == wanted:
        return
    named = [Finding(path, place, said, should) for place, said, should in islice(_places(path, data, wanted), MOST)]
    yield from named or [Finding(path, "bytes", "other white space or order", "what this factory writes")]


def _places(path: str, data: bytes, wanted: bytes) -> Iterator[tuple[str, str, str]]:
    try:
        if path.endswith(".json"):
            yield from _leaves(orjson.loads(data), orjson.loads(wanted), "")
            return
        lines = zip_longest(data.decode().splitlines(), wanted.decode().splitlines(), fillvalue="")
        for number, (said, should) in enumerate(lines, start=1):
            if said == should:
                continue
            if path.endswith(".jsonl") and said and should:
                yield from _leaves(orjson.loads(said), orjson.loads(should), f"line {number} ")
            else:
                yield f"line {number}", shown(said or ABSENT), shown(should or "no such line")
    except ValueError as error:
        yield "file", f"cannot be read: {error}", "what this factory writes"


def _leaves(said: Any, should: Any, place: str) -> Iterator[tuple[str, str, str]]:
    """JSON pointers of what differs."""
    if isinstance(said, Mapping) and isinstance(should, Mapping):
        for key in dict.fromkeys((*should, *said)):
            yield from _leaves(said.get(key, ABSENT), should.get(key, "nothing there"), f"{place}/{key}")
    elif isinstance(said, list) and isinstance(should, list) and len(said) == len(should):
        for number, pair in enumerate(zip(said, should, strict=True)):
            yield from _leaves(*pair, f"{place}/{number}")
    elif isinstance(said, list) and isinstance(should, list):
        yield place, f"{len(said)} entries", f"{len(should)}"
    elif said != should:
        yield place or "/", shown(said), shown(should)
