"""Every kind of file that a root can hold: how it is told by its key, and what an erasure does with it.

Design: one list. A key that no entry knows is reported and looked through for what was erased; a test runs over real
roots and fails where there is one, so who adds a kind of file says here what becomes of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from factory.govern.erasure.records import FOLDER
from factory.store.base import Store

Treatment = Literal[
    "rows",  # rows are emptied under a new name, and the commit names that
    "commit",  # replaced when a file of its unit is
    "dropped",  # a copy of others, or made of rows: deleted where it concerns what is erased, made anew by a command
    "refers",  # JSON that names files by key and hash: follows their new names, and loses erased ids
    "json",  # JSON that may name rows or quote them: loses both
    "entry",  # a small JSON object about one row: deleted with it
    "segment",  # of the index of published questions
    "dataset",  # of a published dataset or a mix: rewritten with its shards
    "nothing",  # holds neither text nor ids of rows
    "kept",  # made of many documents by training or counting; named in what is said (docs/erasure.md)
]


@dataclass(frozen=True)
class FileKind:
    name: str
    pattern: re.Pattern[str]
    treatment: Treatment


def _kind(name: str, pattern: str, treatment: Treatment) -> FileKind:
    return FileKind(name, re.compile(pattern), treatment)


_RUN = r"runs/[^/]+"
_STEP = r"steps/[^/]+"
_RECORDS = r"datasets/[^/]+/records/[^/]+"

KINDS = (
    _kind("rows of a step", rf"{_STEP}/(data|rejects|requests)/[^/]+\.parquet", "rows"),
    _kind("commit of a unit", rf"{_STEP}/commits/[^/]+/[^/]+\.json", "commit"),
    _kind("index of commits", rf"{_STEP}/commits/index-\d+\.parquet", "dropped"),
    _kind("receipt of an attempt", rf"{_STEP}/attempts/[^/]+\.json", "nothing"),
    _kind("plan of a step", rf"{_STEP}/plans/[^/]+\.json", "nothing"),
    _kind("what names a step", rf"{_STEP}/(step|covers|done|plan)\.json", "json"),
    _kind("run record", r"runs/[^/]+\.json", "json"),
    _kind("outputs of a step", rf"{_RUN}/[^/]+\.outputs(\.json|-[0-9a-f]+\.parquet)", "refers"),
    _kind("figures of a step", rf"{_RUN}/[^/]+\.done\.json", "json"),
    _kind("plan of a run's step", rf"{_RUN}/[^/]+\.plan\.json", "nothing"),
    _kind("view of the index", rf"{_RUN}/index(\.newer)?\.json", "refers"),
    _kind("withdrawals a run knew", rf"{_RUN}/withdrawn\.json", "json"),
    _kind("open lineage events", rf"{_RUN}/openlineage\.json", "json"),
    _kind("offer of work", rf"{_RUN}/offer\.json", "json"),
    _kind("estimate", rf"{_RUN}/estimate\.json", "json"),
    _kind("report of a run", rf"{_RUN}/report\.html", "dropped"),
    _kind("lease", r"leases/[^/]+\.(json|done)", "nothing"),
    _kind("share of work", r"shares/.+", "nothing"),
    _kind("sweep", r"sweeps/[^/]+\.(json|html)", "json"),
    _kind("list of the index", r"curate/index/list\.json", "nothing"),
    _kind("segment of the index", r"curate/index/segments/[^/]+/[^/]+", "segment"),
    _kind("vocabulary index", r"vocabulary/.+", "nothing"),
    _kind("benchmark items", r"curate/(?!index/).+", "nothing"),
    _kind("shape of an earlier dataset", r"gates/[^/]+\.json", "json"),
    _kind("trained model", r"(selectors|select|training/models)/.+", "kept"),
    _kind("texts for training", r"training/(texts|ids)/.+", "dropped"),
    _kind("selector", r"training/.+", "kept"),
    _kind("claim on a version", rf"{_RECORDS}/claim\.json", "nothing"),
    _kind("evaluation of a dataset", rf"{_RECORDS}/evaluation-[^/]+/.+", "dropped"),
    _kind("review sheet", rf"{_RECORDS}/reviews/[^/]+/sheet\.json", "json"),
    _kind("review decision", rf"{_RECORDS}/reviews/[^/]+/decisions/.+\.json", "entry"),
    _kind("erasure of a dataset", rf"{_RECORDS}/erasures/[^/]+\.json", "nothing"),
    _kind("sign-off of a dataset", rf"{_RECORDS}/signoff/[^/]+\.json", "nothing"),
    _kind("withdrawal of a document", r"withdrawals/[^/]+/[^/]+\.json", "dropped"),
    _kind("governance documents", rf"{_RECORDS}/bundle(-[^/]+)?/.+", "dropped"),
    _kind("record about a dataset", rf"{_RECORDS}/.+\.json", "json"),
    _kind("signature or page about a dataset", rf"{_RECORDS}/.+", "dropped"),
    _kind("published file", r"datasets/(?![^/]+/records/)[^/]+/[^/]+/.+", "dataset"),
    _kind("erasure", rf"{FOLDER}/[^/]+\.json", "nothing"),
    _kind("staged by an erasure", rf"{FOLDER}/[^/]+\.staged/\d+", "nothing"),
)
"""The first whose pattern fits counts."""


@dataclass(frozen=True)
class StepFile:
    """A Parquet file of an attempt: `part` is its number among the unit's data files, "" of other kinds."""

    key: str
    folder: str
    kind: str
    unit: str
    attempt: str
    part: str

    @property
    def step(self) -> str:
        return self.folder.rpartition("-")[0]


def kind_of(key: str) -> FileKind | None:
    """None for a key of a kind that nobody has entered here."""
    return next((kind for kind in KINDS if kind.pattern.fullmatch(key)), None)


def unknown_files(store: Store) -> list[str]:
    return sorted(info.key for info in store.list("") if kind_of(info.key) is None)


def step_files(store: Store) -> Iterator[StepFile]:
    """Every file of an attempt below `steps/`, committed or not."""
    for info in store.list("steps/"):
        found = step_file(info.key)
        if found is not None:
            yield found


def step_file(key: str) -> StepFile | None:
    parts = key.split("/")
    if len(parts) != 4 or parts[0] != "steps" or parts[2] not in ("data", "rejects", "requests"):
        return None
    name = parts[3].split(".")
    if len(name) not in (3, 4) or name[-1] != "parquet":
        return None
    part = name[2].partition("-")[0] if parts[2] == "data" and len(name) == 4 else ""
    return StepFile(key, parts[1], parts[2], name[0], name[1], part)


def renamed(file: StepFile, erasure: str) -> str:
    """The key under which the file's rows lie after an erasure; the attempt stays in its place in the name."""
    mark = f"{file.part}-{erasure[:12]}" if file.part else erasure[:12]
    return f"steps/{file.folder}/{file.kind}/{file.unit}.{file.attempt}.{mark}.parquet"
