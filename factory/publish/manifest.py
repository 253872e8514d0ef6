"""The manifest: what a dataset is, how it was made, and the hash of every other file of it.

Design: one canonical JSON object with a digest over itself, so that no byte of it, white space included,
can change unnoticed. It is built from committed facts alone (shards as read back, `done` records, step
identities), and the card is rendered from it, so the two cannot disagree, and every document of the bundle
(factory/govern) likewise. What differs between two executions of the same run (hosts) stays out; `created` and `clock`,
when each step was worked, come from the claim on the version, which the first attempt makes.
Cost: a few kB plus about 1.5 kB a shard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from factory.errors import StoreError
from factory.identity import canonical_json, ids_digest, sha256_hex
from factory.licences.expression import combine
from factory.publish.gates.results import GateResult
from factory.publish.sample_facts import SPLITS
from factory.publish.samples import DIGITAL_SOURCE_TYPE, sample_schema
from factory.publish.wording import has_tags
from factory.tables import SCHEMA_VERSION

MANIFEST, CARD, ATTRIBUTION = "manifest.json", "README.md", "ATTRIBUTION.md"
CROISSANT = "croissant.json"
"""May lie beside the manifest without being listed in it (govern/documents/croissant_beside.py)."""
KIND, MANIFEST_VERSION = "factory-dataset", 3

UNITS_LISTED = 1000
"""Input files a shard's lineage names one by one (about 60 kB). A larger set is given by number and digest,
which the rows themselves (`lineage.answer_file`) let anybody recompute."""

Manifest = dict[str, Any]


@dataclass(frozen=True)
class GeneratorTerms:
    """A model that made rows, in one role ("extract", "question", "answer"), and what its licence demands."""

    role: str
    model: str
    revision: str
    license: str
    output_terms: str


@dataclass(frozen=True)
class Publication:
    """Everything the manifest says that is not read off the shards.

    `version`, `run`, `seed` name the dataset; `validation` and `test` are the shares of documents; `license`
    is what the publisher gives the dataset (None: the combined licence of the sources). `steps` come from
    `step_record`; `recipe` is the configuration that can change rows; `index` is what of other datasets it was
    compared with, and the segment its questions are registered as (run/registration.py), None where neither is on.
    `vocabulary` names the terminologies that prompts or checks were given, by name, hash and number of terms.
    `governance` is that section of the configuration, `wording` the body of prompts.json, `clock` when the run started
    and when each step was worked, as ISO 8601 in UTC, and what of it was reused (run/reuse.py).
    """

    name: str
    version: str
    run: str
    seed: int
    domain: str
    validation: float
    test: float
    tokenizer: str
    generators: tuple[GeneratorTerms, ...]
    gates: tuple[GateResult, ...]
    steps: tuple[Mapping[str, Any], ...]
    recipe: Mapping[str, Any]
    software: Mapping[str, str]
    license: str | None = None
    languages: tuple[str, ...] = ()
    index: Mapping[str, Any] | None = None
    vocabulary: tuple[Mapping[str, Any], ...] = ()
    governance: Mapping[str, Any] = field(default_factory=dict)
    wording: Mapping[str, Any] = field(default_factory=dict)
    clock: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ShardFile:
    """A shard as a file, of a dataset or of a mix: `num_bytes` is its uncompressed size by the file's own footer."""

    path: str
    split: str
    rows: int
    bytes: int
    num_bytes: int
    sha256: str


@dataclass(frozen=True)
class Shard(ShardFile):
    """A published shard: `source` is the name of the committed file its rows come from, `content_sha256` the hash of
    that file's rows."""

    source: str
    content_sha256: str
    lineage: Mapping[str, Any] = field(default_factory=dict)


STEP_LEDGER = (
    "requests",
    "prompt_tokens",
    "cached_tokens",
    "generated_tokens",
    "samples",
    "samples_saved",
    "tokens_saved",
)


def step_record(done: Mapping[str, Any], identity: Mapping[str, Any], reads: Sequence[str] = ()) -> dict[str, Any]:
    """What the manifest keeps of a step: its `done` record and `step.json`, without clocks and hosts.

    `reads` names the steps whose accepted rows it must have read exactly (Stage.reads), if that holds.
    """
    return {
        "name": done["step"],
        "folder": done["folder"],
        "version": identity["version"],
        "reads": list(reads),
        "identity": dict(identity),
        "units": done["units"],
        "plan": done["plan"],
        "counts": dict(done["counts"]),
        "reasons": {side: dict(reasons) for side, reasons in done["reasons"].items()},
        "input_digest": done["input_digest"],
        "accepted_digest": done["accepted_digest"],
        "ledger": {name: done["ledger"][name] for name in STEP_LEDGER if name in done["ledger"]},
        "engines": sorted(done["engines"], key=canonical_json),
    }


def accepted_samples(steps: Sequence[Mapping[str, Any]]) -> tuple[str, int] | None:
    """The step that says last which samples are published, and how many; None where the manifest has none."""
    accepted = {step["name"]: int(step["counts"]["accepted"]) for step in steps}
    return next(((name, accepted[name]) for name in ("recheck", "samples") if name in accepted), None)


def shard_lineage(table: pa.Table) -> dict[str, Any]:
    """What a shard's rows rest on, read off the rows themselves; `table` has the columns of SAMPLE."""
    lineage = table.column("lineage")

    def inside(name: str) -> pa.ChunkedArray:
        return pc.struct_field(lineage, name)

    files = _distinct(inside("answer_file"))
    documents = _distinct(pc.list_flatten(table.column("doc_ids")))
    return {
        "rows": table.num_rows,
        "units": {
            "count": len(files),
            "digest": ids_digest(files),
            "names": files if len(files) <= UNITS_LISTED else None,
        },
        "documents": {"count": len(documents), "digest": ids_digest(documents)},
        "prompts": {
            "question": _distinct(inside("question_prompt_id")),
            "answer": _distinct(inside("answer_prompt_id")),
        },
        "models": {role: _models(table, role) for role in ("question", "answer")},
        "steps": sorted({*_distinct(pc.list_flatten(inside("step_folders"))), *_distinct(inside("question_step"))}),
        "runs": _distinct(inside("run")),
        "seeds": _distinct(inside("seed")),
        "levels": _counts(table.column("level")),
        **({"tasks": _counts(table.column("task"))} if "task" in table.column_names else {}),
        "origins": _counts(table.column("origin")),
        "verified": _counts(table.column("verified")),
        "licenses": _counts(table.column("license")),
        "duties": _counts(pc.list_flatten(table.column("duties"))),
        "tokens": {
            "question": pc.sum(table.column("question_tokens")).as_py() or 0,
            "answer": pc.sum(table.column("answer_tokens")).as_py() or 0,
        },
    }


def _distinct(values: Any) -> list[Any]:
    return sorted(value for value in pc.unique(values).to_pylist() if value is not None)


def _models(table: pa.Table, role: str) -> list[list[str]]:
    columns = [f"{role}_model", f"{role}_model_revision"]
    return sorted([row[columns[0]], row[columns[1]]] for row in table.group_by(columns).aggregate([]).to_pylist())


def _counts(column: Any) -> dict[str, int]:
    return {str(pair["values"]): pair["counts"] for pair in pc.value_counts(column).to_pylist()}


@dataclass(frozen=True)
class Claimed:
    """What the claim on a version holds: when its first attempt began to publish, and `Publication.clock` as it was."""

    created: str
    clock: Mapping[str, Any] = field(default_factory=dict)


def erased_of(manifest: Mapping[str, Any], path: str | None = None) -> int:
    """Rows that erasures took out of the dataset, or of one of its shards, since it was published."""
    notes = manifest.get("erased", ())
    if path is None:
        return sum(int(note["rows"]) for note in notes)
    return max((int(note["shards"].get(path, 0)) for note in notes), default=0)


def build_manifest(
    publication: Publication,
    shards: Sequence[Shard],
    claimed: Claimed,
    sources: Mapping[str, Any],
    files: Sequence[Mapping[str, Any]] = (),
) -> Manifest:
    """The manifest without its digest. `sources` are the figures of the attribution (sources.py), `files` the entries
    of files that are not shards."""
    totals = totals_of(shards)
    combined = combine(totals["licenses"])
    return {
        "kind": KIND,
        "manifest_version": MANIFEST_VERSION,
        "name": publication.name,
        "version": publication.version,
        "created": claimed.created,
        "clock": dict(claimed.clock),
        "run": publication.run,
        "seed": publication.seed,
        "domain": publication.domain,
        "synthetic": True,
        "digital_source_type": DIGITAL_SOURCE_TYPE,
        "languages": list(publication.languages),
        "license": {
            "dataset": publication.license or combined,
            "combined_sources": combined,
            "rows": totals["licenses"],
            "duties": totals["duties"],
        },
        "governance": dict(publication.governance),
        "generators": [asdict(generator) for generator in publication.generators],
        "prompts": [
            {key: prompt[key] for key in ("name", "prompt_id", "steps")}
            for prompt in publication.wording.get("prompts", ())
        ],
        "tokenizer": publication.tokenizer,
        "schema": {
            "version": SCHEMA_VERSION,
            "columns": [
                {"name": column.name, "type": str(column.type)}
                for column in sample_schema("tasks" in publication.recipe, has_tags(publication.wording))
            ],
        },
        "split_rule": {
            "by": "document",
            "seed": publication.seed,
            "validation": publication.validation,
            "test": publication.test,
            **({"empty": empty} if (empty := empty_splits(publication, shards)) else {}),
        },
        "splits": splits_of(shards),
        "totals": totals,
        "sources": dict(sources),
        "shards": [asdict(shard) for shard in shards],
        "steps": [dict(step) for step in publication.steps],
        "gates": [gate.to_json() for gate in publication.gates],
        **({"index": dict(publication.index)} if publication.index is not None else {}),
        **({"vocabulary": [dict(each) for each in publication.vocabulary]} if publication.vocabulary else {}),
        "recipe": dict(publication.recipe),
        "software": dict(publication.software),
        "files": sorted([*map(file_entry, shards), *files], key=lambda entry: str(entry["path"])),
    }


def published_schema(manifest: Manifest) -> pa.Schema:
    """The columns that the rows of a dataset must have."""
    names = {column["name"] for column in manifest["schema"]["columns"]}
    return sample_schema(with_tasks="task" in names, with_tags="tags" in names)


def file_entry(shard: ShardFile) -> dict[str, Any]:
    """A shard as the manifest's list of files names it."""
    return {"path": shard.path, "bytes": shard.bytes, "sha256": shard.sha256, "rows": shard.rows}


def empty_splits(publication: Publication, shards: Sequence[Shard]) -> list[str]:
    """Splits that documents were to fall into and that no row is in; the card and the report say so."""
    asked = {"validation": publication.validation, "test": publication.test}
    return [name for name, share in asked.items() if share and not any(shard.split == name for shard in shards)]


def splits_of(shards: Sequence[ShardFile]) -> list[dict[str, Any]]:
    """What the splits hold, in their order; those without a shard are left out."""
    splits = []
    for name in SPLITS:
        own = [shard for shard in shards if shard.split == name]
        if own:
            splits.append(
                {
                    "name": name,
                    "shards": len(own),
                    "rows": sum(shard.rows for shard in own),
                    "bytes": sum(shard.bytes for shard in own),
                    "num_bytes": sum(shard.num_bytes for shard in own),
                }
            )
    return splits


def totals_of(shards: Sequence[Shard]) -> dict[str, Any]:
    totals: dict[str, Any] = {"rows": sum(shard.rows for shard in shards)}
    tasks = ("tasks",) if any("tasks" in shard.lineage for shard in shards) else ()
    for name in ("levels", *tasks, "origins", "verified", "licenses", "duties", "tokens"):
        counter: Counter[str] = Counter()
        for shard in shards:
            counter.update(shard.lineage.get(name, {}) if name == "tasks" else shard.lineage[name])
        totals[name] = dict(counter)
    return totals


def content_digest(publication: Publication, shards: Sequence[Mapping[str, Any]]) -> str:
    """What makes two datasets the same: their rows in their places, and what is claimed about them."""
    essence = {
        "name": publication.name,
        "version": publication.version,
        "license": publication.license,
        "generators": [asdict(generator) for generator in publication.generators],
        "shards": [[shard["path"], shard["content_sha256"]] for shard in shards],
    }
    return sha256_hex(canonical_json(essence))


def seal(manifest: Mapping[str, Any]) -> bytes:
    """Canonical bytes of the manifest with its self-digest: SHA-256 of the canonical bytes without it."""
    body = {key: value for key, value in manifest.items() if key != "digest"}
    return canonical_json({**body, "digest": sha256_hex(canonical_json(body))})


def kind_of(data: bytes) -> str | None:
    """What a manifest says it is of, whether its bytes are intact or not; None where it says nothing."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    kind = found.get("kind") if isinstance(found, dict) else None
    return kind if isinstance(kind, str) else None


def unseal(data: bytes, where: str, kind: str = KIND, version: int = MANIFEST_VERSION) -> Manifest:
    """The manifest whose sealed bytes these are. Raises StoreError when a byte of them was changed, or when it is of
    another kind or version."""
    manifest: Any = None
    try:
        manifest = orjson.loads(data)
        intact = isinstance(manifest, dict) and seal(manifest) == data
    except orjson.JSONDecodeError:
        intact = False
    if not intact:
        raise StoreError(
            f"{where} is not intact: its bytes do not match the digest it carries",
            cause="it was edited, re-formatted or damaged after publication",
            remedy="fetch the dataset again, or publish a new version instead of editing one",
        )
    if manifest.get("kind") != kind or manifest.get("manifest_version") != version:
        raise StoreError(
            f"{where} is not a manifest this version of factory reads: kind {manifest.get('kind')!r}, "
            f"version {manifest.get('manifest_version')!r}",
            remedy=f"use a factory that knows manifest version {manifest.get('manifest_version')!r}",
        )
    return dict(manifest)
