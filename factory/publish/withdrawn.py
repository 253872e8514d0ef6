"""Answers that rest on withdrawn documents: they are there, and are not published."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from factory.run.reject import Reject

WITHDRAWN = "withdrawn"


def resting_on(answers: pa.Table, documents: Sequence[str]) -> dict[int, Reject]:
    """Place in `answers` -> why it is turned away: the documents among these that it rests on."""
    if not documents:
        return {}
    ids: list[str] = answers.column("answer_id").to_pylist()
    found = (sorted({*documents}.intersection(rests)) for rests in answers.column("doc_ids").to_pylist())
    return {
        place: Reject(ids[place], WITHDRAWN, evidence={"documents": withdrawn})
        for place, withdrawn in enumerate(found)
        if withdrawn
    }
