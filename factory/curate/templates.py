"""Templates: questions that say the same words and differ in their numbers alone.

Design: they are different questions and all stay by default; but a model that has found a mould pours hundreds. A
text with a number has one entry more (bands.py), made of its tokens with every number left open, so the range of keys
that owns it holds its whole group (match.py). What is counted are different texts: equal ones are one. With a cap the
first of a group stay, in the order in which duplicates are kept (keep.py), and the others are rejects. Groups are
counted before near-duplicates are taken out; members of one can only be equal or differ in numbers, so none of them
repeats another.

Cost, one core: 15 nanoseconds a band entry of the range, whatever its kind.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from factory.curate.bands import KIND_BITS, ROW_MASK, TEMPLATE, Entries
from factory.curate.candidates import differs
from factory.curate.words import I64, U64
from factory.native import compiled

CAPPED = pa.schema(
    [
        ("ref", pa.uint64()),  # bands.ref_of the question
        ("template", pa.uint64()),
        ("variants", pa.int64()),  # different texts of the template
        ("place", pa.int64()),  # of this one among them, from 1
        ("first", pa.uint64()),  # bands.ref_of the one that comes first
    ]
)


class Templates(NamedTuple):
    """`groups` of two different texts and more, `variants` in them; CAPPED rows of those behind the cap, by ref."""

    groups: int
    variants: int
    capped: pa.Table


def templates(entries: Entries, most: int | None) -> Templates:
    """The templates among these entries; `most` is how many texts of one stay, None for all."""
    places = _in_company(entries.entries)
    keys: U64 = entries.entries[places] & ~(KIND_BITS | ROW_MASK)
    refs, exact, order = entries.refs(places), entries.exact[places], entries.order[places]
    by = np.lexsort((refs, order, exact, keys))
    new = differs(keys[by]) | differs(exact[by])
    first = by[new]  # of equal texts the one that comes first
    by = first[np.lexsort((refs[first], order[first], keys[first]))]
    starts = np.flatnonzero(differs(keys[by]))
    sizes = np.diff(np.append(starts, len(by)))
    several = sizes > 1
    if most is None or not len(by):
        return Templates(int(several.sum()), int(sizes[several].sum()), CAPPED.empty_table())
    place = np.arange(len(by)) - np.repeat(starts, sizes) + 1
    over = place > most
    columns = [refs[by], keys[by], np.repeat(sizes, sizes), place, np.repeat(refs[by][starts], sizes)]
    capped = pa.table([pa.array(column[over]) for column in columns], schema=CAPPED).sort_by("ref")
    return Templates(int(several.sum()), int(sizes[several].sum()), capped)


def _in_company(entries: U64) -> I64:
    """Places of the entries of templates that two texts have or more, ascending: nearly all texts stand alone, and need
    no sorting by four columns."""
    places = np.empty(len(entries), np.int64)
    places = places[: _of_templates(entries, places)]
    keys = entries[places] & ~(KIND_BITS | ROW_MASK)
    by = np.argsort(keys)
    new = differs(keys[by])
    alone = new & np.append(new[1:], True)
    return np.sort(places[by[~alone]])


@compiled
def _of_templates(entries: U64, places: I64) -> int:
    """Fills `places` with those of the entries of templates; how many there are."""
    count = 0
    for place in range(len(entries)):
        if entries[place] & KIND_BITS == TEMPLATE:
            places[count] = place
            count += 1
    return count
