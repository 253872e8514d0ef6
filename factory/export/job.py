"""Making an export: claimed, made a piece at a time, and there when its manifest is.

Design: what an export will be follows from dataset and recipe, so a folder that holds it already is answered at once,
and one that holds anything else is refused before a file is touched. A claim (put if absent) says what will stand there
and since when; a receipt after each file says that it is finished. Killed anywhere, the same command makes what has no
receipt, puts the manifest last and clears away claim and receipts. Two of them at once write the same bytes. Rows read
are rows used and rows left out by reason, in every piece, or nothing is finished.
Cost: docs/exports.md.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from factory.errors import ConfigError, ConservationError, GateError, StoreError
from factory.export import pieces as pieces_of
from factory.export.card import render_card
from factory.export.forms import form_of
from factory.export.manifest import ATTRIBUTION, CARD, EXPORT, KIND, MANIFEST_VERSION, build_manifest
from factory.export.pieces import Piece, Work, before, for_each, plan
from factory.export.recipe import EXPORT_VERSION, Recipe
from factory.export.shaped import counts_in
from factory.export.source import Source, read_beside, shards_of
from factory.export.where import conditions
from factory.identity import canonical_json, fingerprint, sha256_hex
from factory.publish.manifest import Manifest, seal, unseal
from factory.run.publication import software
from factory.run.record import now
from factory.store.base import Store
from factory.store.objects import read_mapping

UNFINISHED = "unfinished-"
"""Begins the names of claim and receipts. No folder: a local store would leave it behind, empty."""

CLAIM = f"{UNFINISHED}claim.json"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Made:
    """A finished export, and whether it stood there before."""

    manifest: Manifest
    already: bool


def export(
    source: Source,
    recipe: Recipe,
    out: Store,
    standing: str,
    processes: int | None = None,
    say: Say = lambda text: None,
) -> Made:
    """Makes the export in `out`, or finds it made; `standing` is what the dataset's records say of it now.

    Raises ConfigError for a recipe that this dataset cannot be exported by or a folder that is no place for it,
    StoreError where another export stands there, GateError where no row is left, ConservationError.
    """
    check(source, recipe, out)
    content = fingerprint([EXPORT_VERSION, recipe.record(), source.record()])
    found = finished(out)
    if found is not None:
        return Made(_same(found, content, out), True)
    created = _claim(out, content)
    with tempfile.TemporaryDirectory(prefix="export-") as folder:
        receipts = _make(Work(source, recipe, out), plan(source, recipe, folder), processes, say)
    _require_rows(source, receipts)
    attribution = read_beside(source, ATTRIBUTION)
    files = [_put(out, ATTRIBUTION, attribution)]
    schema = form_of(recipe).schema(source, recipe)

    def manifest_of(entries: Sequence[Mapping[str, Any]]) -> Manifest:
        return build_manifest(
            source, recipe, standing, created, schema, receipts, entries, software(), {"content": content}
        )

    files.append(_put(out, CARD, render_card(manifest_of(files)).encode()))
    sealed = seal(manifest_of(files))
    won = out.put_if_absent(EXPORT, sealed)
    for info in list(out.list(UNFINISHED)):
        out.delete(info.key)
    out.discard_unfinished("", 0)  # what a killed writer left would be found to be no file of this export
    return Made(unseal(sealed if won else out.get(EXPORT), f"{out.uri}/{EXPORT}", KIND, MANIFEST_VERSION), not won)


def check(source: Source, recipe: Recipe, out: Store) -> None:
    """Everything that can be refused before a row is read. Raises ConfigError."""
    form = form_of(recipe)
    conditions(recipe.where, source.schema)
    shards_of(source, recipe.splits)
    if recipe.verified and "verified" not in source.schema.names:
        raise ConfigError(
            f"rows of {source.title} do not say whether they were verified",
            cause="it is a mix, whose rows come from several makers",
            remedy="take --verified out, or export the published datasets that the mix was made of",
        )
    if f"{out.uri}/".startswith(f"{source.dataset.uri.rstrip('/')}/") or "/datasets/" in f"{out.uri}/":
        raise ConfigError(
            f"{out.uri} is no place for an export",
            cause="it lies among datasets, whose folders hold exactly what their manifests list",
            remedy="name another folder, for example exports/NAME below the root",
        )
    form.check(source, recipe)


def finished(out: Store) -> Manifest | None:
    """The manifest of the export that stands in `out`; None where there is none. Raises StoreError where it is not
    intact."""
    try:
        return unseal(out.get(EXPORT), f"{out.uri}/{EXPORT}", KIND, MANIFEST_VERSION)
    except KeyError:
        return None


def _same(found: Manifest, content: str, out: Store) -> Manifest:
    if found["content"] == content:
        return found
    source = found["source"]
    raise StoreError(
        f"{out.uri} holds another export: {source['name']}@{source['version']} as {found['form']}",
        cause="the dataset, its version or an option differs from the command that made it",
        remedy="name another --out, or delete that folder",
    )


def _claim(out: Store, content: str) -> str:
    """Takes the folder for this content; when its first attempt did. Raises where it is taken, or not empty."""
    strangers = [info.key for info in out.list("") if not info.key.startswith((UNFINISHED, "data/"))]
    claimed = out.head(CLAIM) is not None
    if not claimed and any(True for _ in out.list("")):
        raise ConfigError(
            f"{out.uri} holds other files ({strangers[0] if strangers else 'data/…'})",
            cause="an export has a folder of its own, in which every file is listed and proven",
            remedy="name a new folder with --out",
        )
    out.put_if_absent(CLAIM, canonical_json({"content": content, "created": now()}))
    held = read_mapping(out, CLAIM, ("content", "created"))
    if held["content"] != content:
        raise StoreError(
            f"{out.uri} holds another export that was begun at {held['created']} and is not finished",
            cause="the dataset, its version or an option differs from the command that began it",
            remedy="give that command again, name another --out, or delete that folder",
        )
    return str(held["created"])


def _make(work: Work, pieces: Sequence[Piece], processes: int | None, say: Say) -> list[dict[str, Any]]:
    """The receipts of all pieces, in their order: those that stand there, and those of the pieces made now."""
    done = {name: held for piece in pieces if (held := _receipt(work.out, piece)) for name in [piece.name]}
    open_ones = [piece for piece in pieces if piece.name not in done]
    if open_ones:
        for number, _ in enumerate(before(work, pieces, processes), 1):
            say(f"{number:,} shards of the dataset read")
    if done:
        say(f"{len(done)} of {len(pieces)} files are finished already")
    for made in for_each(pieces_of.make, work, open_ones, processes):
        if not counts_in(made["counts"]).balanced:
            raise ConservationError(
                f"{made['piece']}: rows read are not rows used and left out: {made['counts']}",
                cause="a mistake in the code of this form",
                remedy="please report it; nothing of this export is to be used",
            )
        work.out.put(_receipt_key(str(made["piece"])), canonical_json(made))
        done[str(made["piece"])] = made
        say(f"{len(done)} of {len(pieces)} files, {sum(each['rows'] for each in done.values()):,} rows")
    return [done[piece.name] for piece in pieces]


def _receipt_key(piece: str) -> str:
    return f"{UNFINISHED}{sha256_hex(piece.encode())[:16]}.json"


def _receipt(out: Store, piece: Piece) -> dict[str, Any] | None:
    """What an earlier attempt noted when it had finished a file, where the file is there."""
    try:
        held = read_mapping(out, _receipt_key(piece.name), ("piece", "path", "bytes", "counts"))
    except KeyError:
        return None
    there = out.head(held["path"]) if held["path"] else None
    return held if not held["path"] or (there is not None and there.size == held["bytes"]) else None


def _require_rows(source: Source, receipts: Sequence[Mapping[str, Any]]) -> None:
    if any(receipt["rows"] for receipt in receipts):
        return
    reasons: dict[str, int] = {}
    for receipt in receipts:
        for reason, number in receipt["counts"]["left_out"].items():
            reasons[reason] = reasons.get(reason, 0) + number
    listed = ", ".join(f"{number:,} {reason}" for reason, number in sorted(reasons.items()))
    raise GateError(
        f"nothing of {source.title} was exported: not one row came through",
        cause=f"every row was left out ({listed or 'the splits are empty'})",
        remedy="look at the reasons (docs/exports.md) and at --where, --verified and --split; then delete the folder",
    )


def _put(out: Store, path: str, data: bytes) -> dict[str, Any]:
    out.put(path, data)
    return {"path": path, "bytes": len(data), "sha256": sha256_hex(data), "rows": None}
