"""Making a mix: inputs hashed, rows screened together, drawn, written; the manifest last.

Design: what a mix will be follows from its inputs and keys, so its version is known before a row is read, and a mix
that stands there already is answered at once. A claim on the version (put if absent) says what will stand there and
since when; a dataset exists when its manifest does, and that is put last and only if absent. Killed anywhere, the same
command starts anew, writes the same bytes under the same names, and takes away what does not belong. Rows read are rows
written and rows left out by reason, for every part, or nothing is published.

Cost: docs/mix.md.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from factory.engine.tokenizer import Tokenizer
from factory.errors import GateError, StoreError
from factory.identity import canonical_json, fingerprint, sha256_hex
from factory.mix.card import render_card
from factory.mix.config import KEEP_ORDER, MixConfig
from factory.mix.counts import anchor_of, codes_of_parts, part_counts
from factory.mix.duplicates import repeats
from factory.mix.manifest import (
    KIND,
    LEFT_OUT,
    MANIFEST_VERSION,
    MIX_VERSION,
    Anchor,
    Manifest,
    PartCount,
    Shard,
    build_manifest,
)
from factory.mix.parts import Input, generators_of, inputs_of
from factory.mix.quotas import Drawn, draw
from factory.mix.screening import Screens, lsh_parameters, read_parts, screens_of
from factory.mix.spool import KEPT, Spool
from factory.mix.write import deal, encoded_shards, shard_count, shard_metadata, write_left_out
from factory.publish.attribution import write_attribution
from factory.publish.finalise import claim_key, remove_strangers, standing
from factory.publish.manifest import ATTRIBUTION, CARD, MANIFEST, seal, unseal
from factory.publish.places import dataset_prefix
from factory.run.publication import software
from factory.run.record import now
from factory.store.base import Store
from factory.store.objects import read_mapping

VERSION_DIGITS = 16

Say = Callable[[str], None]


@dataclass(frozen=True)
class Made:
    """A finished mix: its prefix below the root, its manifest, and whether it stood there before."""

    prefix: str
    manifest: Manifest
    already: bool


def make(config: MixConfig, store: Store, say: Say = lambda text: None) -> Made:
    """Makes the mix, or finds it made. Raises ConfigError, CorpusError, StoreError, GateError, ConservationError."""
    say("hashing the parts")
    inputs = inputs_of(config.mix.parts, config.mix.require)
    with tempfile.TemporaryDirectory(prefix="mix-") as folder:
        screens = screens_of(config, Path(folder))
        version = config.mix.version or version_of(config, inputs, screens)
        content = content_of(config, inputs, screens)
        prefix = dataset_prefix(config.mix.name, version)
        created = _claim(store, config.mix.name, version, content)
        found = standing(store, prefix, KIND, MANIFEST_VERSION)
        if found is not None:
            return Made(prefix, found, True)
        return _made(config, store, prefix, version, created, inputs, screens, Path(folder), say)


def version_of(config: MixConfig, inputs: Sequence[Input], screens: Screens) -> str:
    """The version a mix has when none is given: what decides every row of it."""
    return content_of(config, inputs, screens)[:VERSION_DIGITS]


def content_of(config: MixConfig, inputs: Sequence[Input], screens: Screens) -> str:
    return fingerprint(
        [
            MIX_VERSION, config.recipe(), [each.record() for each in inputs], generators_of(inputs),
            list(screens.identity),
            Tokenizer(config.tokenizer).identity(),
        ]
    )  # fmt: skip


def _made(
    config: MixConfig, store: Store, prefix: str, version: str, created: str, inputs: Sequence[Input], screens: Screens,
    folder: Path, say: Say,
) -> Made:  # fmt: skip
    spool = read_parts(config, inputs, screens, folder, lambda rows: say(f"{rows:,} rows read"))
    say(f"{spool.facts.rows:,} rows read; looking for repeats")
    parts = codes_of_parts(config, [each.part for each in inputs], spool.facts.inputs)
    ranks = np.array([KEEP_ORDER.index(each.role) for each in config.mix.parts], np.int64)[parts]
    found = repeats(spool, ranks, lsh_parameters(config))
    status = spool.facts.status.copy()
    status[found.rows] = found.status
    drawn = draw(config.mix, spool.facts, parts, status == KEPT)
    counts = part_counts(config, spool, parts, status, found, drawn)
    anchor = anchor_of(config, counts, drawn.required)
    require_rows(counts)
    require_anchor(config, anchor, sum(count.written for count in counts))
    say(f"writing {int(drawn.chosen.sum()):,} rows")
    shards, entries = _write(config, store, prefix, version, inputs, spool, drawn, folder)
    left = folder / LEFT_OUT
    number = write_left_out(spool, inputs, status, found, drawn.chosen, left)
    entries.append(_put_file(store, prefix, LEFT_OUT, left, number))

    def manifest_of(files: Sequence[dict[str, Any]]) -> Manifest:
        records = [each.record() for each in inputs]
        return build_manifest(
            config,
            version,
            created,
            records,
            screens.identity,
            counts,
            anchor,
            shards,
            files,
            software(),
            generators_of(inputs),
        )

    card = render_card(manifest_of(entries)).encode()
    store.put(f"{prefix}/{CARD}", card)
    entries.append({"path": CARD, "bytes": len(card), "sha256": sha256_hex(card), "rows": None})
    manifest = manifest_of(entries)
    remove_strangers(store, prefix, {entry["path"] for entry in manifest["files"]})
    sealed = seal(manifest)
    if not store.put_if_absent(f"{prefix}/{MANIFEST}", sealed):
        theirs = standing(store, prefix, KIND, MANIFEST_VERSION)
        if theirs is not None:
            return Made(prefix, theirs, True)
    return Made(prefix, unseal(sealed, prefix, KIND, MANIFEST_VERSION), False)


def require_rows(counts: Sequence[PartCount]) -> None:
    """Raises GateError for a mix without rows."""
    if not any(count.written for count in counts):
        listed = "; ".join(f"{count.name}: {dict(count.reasons)}" for count in counts)
        raise GateError(
            "no mix was made: not one row came through",
            cause=f"every row was left out ({listed})",
            remedy="look at the reasons; mix.parts[].columns says which columns hold question and answer",
        )


def require_anchor(config: MixConfig, anchor: Anchor, rows: int) -> None:
    """Raises GateError for too few human rows in a mix of `rows`, unless the mix is only to be flagged."""
    if not anchor.flagged or config.mix.anchor.below == "flag":
        return
    human = [part for part in config.mix.parts if part.role == "human"]
    takes_rest = any(part.share is None for part in human)
    deciding = [part for part in config.mix.parts if part.share and (part.role != "human") == takes_rest]
    stated = {part.name: part.share or 0.0 for part in deciding}
    left = 1 - sum(stated.values()) if takes_rest else sum(stated.values())
    if human and (rows < anchor.required or (stated and left * rows < anchor.required)):
        shares = ", ".join(f"{name} {share:g}" for name, share in stated.items()) or "none"
        larger = _least_size(anchor, left, [] if takes_rest else list(stated.values()))
        way = f"set mix.size={larger} or more" if larger and config.mix.unit == "rows" else "make mix.size larger"
        if config.mix.size is None:
            way = "add rows to the parts, of which the mix takes as many as the shares allow"
        whose = "for other parts" if takes_rest else "for human parts"
        raise GateError(
            f"the mix has {rows:,} rows, {anchor.rows:,} of them human; the human anchor asks for "
            f"{anchor.required:,} ({anchor.min_share:.1%} of its rows or {anchor.min_rows:,}, whichever is more)",
            cause=f"the anchor and the shares stated {whose} ({shares}) do not both fit into a mix of this "
            "size; shares are never changed to make room",
            remedy=(way if larger else "state smaller shares" if takes_rest else "state larger shares for people")
            + f", or mix.anchor.min_rows={anchor.rows} (a lower bar), or mix.anchor.below=flag, which makes the mix "
            "with the shares as stated and says in its card that the anchor is missed",
        )
    raise GateError(
        f"the mix has {anchor.rows:,} human rows; it needs {anchor.required:,} "
        f"({anchor.min_share:.1%} of its rows or {anchor.min_rows:,}, whichever is more)",
        cause="no part has role: human" if not anchor.rows else "the human parts are too small, or their share is",
        remedy="add a human part or raise its share: a little human data is worth more than its size "
        "(arXiv 2410.13098); mix.anchor.below=flag makes the mix and says so in its card, mix.anchor.min_rows and "
        ".min_share change the bar",
    )


def _least_size(anchor: Anchor, left: float, shares: Sequence[float]) -> int | None:
    """A size, in rows, from which on people get what the anchor asks for; None where none is large enough. They
    get `left` of it, where they have stated `shares` each of them to the nearest row, as parts are drawn."""
    if left <= max(anchor.min_share, 1e-9):
        return None
    size = math.ceil(anchor.min_rows / left - 1e-9)
    while shares and sum(round(share * size) for share in shares) < max(
        anchor.min_rows, math.ceil(anchor.min_share * size - 1e-9)
    ):
        size += 1
    return size


def _write(
    config: MixConfig, store: Store, prefix: str, version: str, inputs: Sequence[Input], spool: Spool, drawn: Drawn,
    folder: Path,
) -> tuple[list[Shard], list[dict[str, Any]]]:  # fmt: skip
    """Shards and attribution: the shards' descriptions, and the entries of the other files."""
    chosen = np.flatnonzero(drawn.chosen)
    count = shard_count(int(spool.facts.sizes[chosen].sum(dtype=np.int64)), len(chosen), config.mix.shard_mib)
    paths = deal(spool, inputs, chosen, config.seed, count, folder)
    shards: list[Shard] = []

    def tables() -> Any:
        for shard, data, attribution in encoded_shards(
            paths, shard_metadata(config.mix.name, version, config.tokenizer)
        ):
            store.put(f"{prefix}/{shard.path}", data)
            shards.append(shard)
            del data
            yield attribution

    path = folder / ATTRIBUTION
    size, digest = write_attribution(tables(), config.mix.name, path)
    store.put_file(f"{prefix}/{ATTRIBUTION}", str(path))
    return shards, [{"path": ATTRIBUTION, "bytes": size, "sha256": digest, "rows": None}]


def _put_file(store: Store, prefix: str, name: str, path: Path, rows: int) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    store.put_file(f"{prefix}/{name}", str(path))
    return {"path": name, "bytes": path.stat().st_size, "sha256": digest, "rows": rows}


def _claim(store: Store, name: str, version: str, content: str) -> str:
    """Takes the version for this content; returns when its first attempt began. Raises StoreError when taken."""
    key = claim_key(name, version)
    store.put_if_absent(key, canonical_json({"content": content, "created": now(), "run": f"mix-{content[:12]}"}))
    held = read_mapping(store, key, ("content", "created"))
    if held["content"] == content:
        return str(held["created"])
    raise StoreError(
        f"{store.uri}/{dataset_prefix(name, version)} is already another dataset, of content {held['content'][:12]}; "
        f"this is a mix of content {content[:12]}",
        cause="mix.version was given by hand, and parts, files or keys differ from what stands there",
        remedy=f"choose another mix.version (or none); if that one was never finished, delete {key}",
    )
