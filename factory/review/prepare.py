"""From settings to the sheet of a review: the rows are drawn, the real items read and mixed in.

Design: the id of a review is the hash of what determines its items, so that a second reviewer joins it by giving the
same command, and a sheet that stands on the store is used as it is. In a blinded review as many real items as synthetic
ones are in one random order, so that guessing, or always saying the same, is right half of the time.

Cost: for a random draw a read of every shard that holds a drawn row; the other draws read one column of all shards.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from factory.corpus.small_tables import rows_of, table_format
from factory.errors import ConfigError
from factory.identity import fingerprint, make_id, seed_for, sha256_hex
from factory.review import draw
from factory.review.places import manifest_sha256
from factory.review.reasons import reasons_of
from factory.review.sheet import Draw, Item, RealFile, Sheet, Stratum, read_sheet, sheet_key, write_sheet
from factory.store.base import AbsentObjectError, Store
from factory.store.parquet import read_rows

MAX_SIZE = 10_000
"""More than people look at; a sheet is one object and the page holds its list."""


@dataclass(frozen=True)
class Settings:
    """What is to be reviewed. `by` goes with the stratified draw; `real` makes the review a blinded one, with the names
    of its columns (`real_answer` None: the file's questions alone)."""

    draw: Draw = "random"
    by: str | None = None
    size: int = 100
    seed: int = 0
    real: str | None = None
    real_question: str = "question"
    real_answer: str | None = "answer"
    pack: str | None = None


def check_settings(settings: Settings) -> None:
    """Raises ConfigError for settings that make no review."""
    if not 1 <= settings.size <= MAX_SIZE:
        raise ConfigError(f"--size {settings.size} is not between 1 and {MAX_SIZE:,}")
    if (settings.draw == "stratified") != (settings.by is not None):
        raise ConfigError(
            "--draw stratified needs --by COLUMN"
            if settings.by is None
            else f"--draw {settings.draw} takes no column, and --by {settings.by} is given",
            cause="--by names the column whose values a stratified draw goes evenly over",
            remedy="for example: --draw stratified --by level",
        )
    if settings.real is not None and settings.draw != "random":
        raise ConfigError(
            "a blinded review (--real) draws at random",
            cause="--draw was given too",
            remedy="leave --draw out",
        )
    if settings.real is not None and settings.size < 2:
        raise ConfigError("a blinded review needs at least one item of each kind", remedy="pass --size 2 or more")


def prepare(dataset: Store, manifest: Mapping[str, Any], records: Store, settings: Settings, now: str) -> Sheet:
    """The sheet of these settings: the one on the store, else drawn and written now (`now`: UTC, ISO 8601).

    Raises ConfigError for settings that cannot be used and a file that cannot be read.
    """
    check_settings(settings)
    real_data = _read_file(settings.real) if settings.real is not None else None
    digest = manifest_sha256(dataset)
    columns = [settings.real_question, settings.real_answer] if real_data is not None else None
    review = _review_id(digest, settings, sha256_hex(real_data) if real_data is not None else None, columns)
    try:
        return read_sheet(records, sheet_key(manifest["name"], manifest["version"], review))
    except AbsentObjectError:
        pass
    sheet = Sheet(
        review=review,
        kind="judge" if settings.real is None else "blind",
        dataset=manifest["name"],
        version=manifest["version"],
        manifest_sha256=digest,
        draw=settings.draw,
        by=settings.by,
        size=settings.size,
        seed=settings.seed,
        population=manifest["totals"]["rows"],
        strata=(),
        reasons=reasons_of(settings.pack or manifest["domain"]),
        real=None,
        items=(),
        created=now,
    )
    if real_data is not None:
        sheet = _blinded(dataset, manifest, sheet, settings, real_data)
    else:
        sheet = _drawn(dataset, manifest, sheet)
    items = tuple(replace(item, item=make_id("review item", review, place)) for place, item in enumerate(sheet.items))
    return write_sheet(records, replace(sheet, items=items))


def _review_id(digest: str, settings: Settings, real: str | None, columns: Sequence[Any] | None) -> str:
    name = "blind" if real else settings.draw
    given = [digest, settings.draw, settings.by, settings.size, settings.seed, real, columns]
    return f"{name}-{fingerprint(given)[:12]}"


def _drawn(dataset: Store, manifest: Mapping[str, Any], sheet: Sheet) -> Sheet:
    strata: list[Stratum] = []
    labels: list[str] = []
    if sheet.by is not None:
        names, codes = draw.read_strata(dataset, manifest, sheet.by)
        places, labels, strata = draw.stratified_places(names, codes, sheet.size, sheet.seed)
    elif sheet.draw == "lowest-agreement":
        places = draw.lowest_places(draw.read_agreement(dataset, manifest), sheet.size, sheet.seed)
    else:
        places = draw.random_places(sheet.population, sheet.size, sheet.seed)
    items = _items_at(dataset, manifest, places)
    if labels:
        items = [replace(item, stratum=label) for item, label in zip(items, labels, strict=True)]
    return replace(sheet, items=tuple(items), strata=tuple(strata))


def _items_at(dataset: Store, manifest: Mapping[str, Any], places: Sequence[int]) -> list[Item]:
    """The items at these places, in their order; each shard is read once."""
    found: dict[int, Item] = {}
    start = 0
    for shard in manifest["shards"]:
        rows = sorted(place - start for place in places if start <= place < start + shard["rows"])
        if rows:
            ids = read_rows(dataset, shard["path"], rows, ["sample_id"]).column("sample_id").to_pylist()
            for row, sample_id in zip(rows, ids, strict=True):
                found[start + row] = Item("", sample_id, shard["path"], row)
        start += shard["rows"]
    return [found[place] for place in places]


def _blinded(dataset: Store, manifest: Mapping[str, Any], sheet: Sheet, settings: Settings, real_data: bytes) -> Sheet:
    assert settings.real is not None
    real = read_real(settings.real, real_data, settings.real_question, settings.real_answer)
    each = min(sheet.size // 2, len(real), sheet.population)
    drawn = random.Random(seed_for("blinded review", sheet.seed))
    chosen = [Item("", question=question, answer=answer) for question, answer in drawn.sample(real, each)]
    items = [*chosen, *_items_at(dataset, manifest, draw.random_places(sheet.population, each, sheet.seed))]
    drawn.shuffle(items)
    name = Path(settings.real).name
    file = RealFile(name, sha256_hex(real_data), len(real), all(answer is not None for _, answer in real))
    return replace(sheet, items=tuple(items), real=file)


def read_real(name: str, data: bytes, question: str, answer: str | None) -> list[tuple[str, str | None]]:
    """Different questions of a file with their answers; answers are None for all unless all rows have one.

    Raises ConfigError when the file cannot be read or no row has a question.
    """
    kind = table_format(name)
    if kind is None:
        raise ConfigError(
            f"--real {name}: the format is not known by its name",
            remedy="use .jsonl, .json, .csv or .parquet (also .gz, .zst)",
        )
    try:
        rows = [row for row in rows_of(name, data, kind) if isinstance(row, dict)]
    except ValueError as error:
        raise ConfigError(f"--real {name} cannot be read: {error}") from None
    usable = {text: row for row in rows if (text := _text(row.get(question)))}
    if not usable:
        known = sorted({str(key) for row in rows[:100] for key in row})
        raise ConfigError(
            f"--real {name}: no row has a text in the column {question!r}",
            cause=f"its columns are {', '.join(known) or 'none'}",
            remedy="name the columns with --real-question and --real-answer",
        )
    answers = {text: _text(row.get(answer)) if answer else "" for text, row in usable.items()}
    held = all(answers.values())
    return [(text, answers[text] if held else None) for text in usable]


def _text(value: Any) -> str:
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _read_file(path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise ConfigError(
            f"--real {path} cannot be read: {error.strerror}", remedy="name a file with human questions and answers"
        ) from None
