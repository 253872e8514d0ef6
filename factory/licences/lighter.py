"""Whether the licence that a publisher gives a dataset asks for less than the licences of its sources do."""

from __future__ import annotations

from collections.abc import Mapping

from factory.licences.duties import duties_of


def lighter_note(license: str, duties: Mapping[str, int]) -> str | None:
    """What to say where it does; `duties` are those of the rows, by the licences of their sources: duty -> rows. The
    publisher's licence cannot lift them, and a consumer who reads it alone would not know."""
    own = duties_of(license)
    left = [f"{duty} ({rows:,} rows)" for duty, rows in sorted(duties.items()) if duty not in own]
    if not left:
        return None
    return (
        f"publish.license={license} does not ask for what licences of the sources do: {', '.join(left)}. It lifts none "
        "of that: rows keep theirs in the columns license, duties and attribution. publish.license=null gives the "
        "dataset the sources' own, combined"
    )
