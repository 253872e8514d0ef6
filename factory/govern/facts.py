"""What a manifest says, with types: the one reading that every document of the bundle is written from.

Design: documents never look into the manifest themselves, so that a figure has one path from the manifest to all of
them and two documents cannot read it differently. What a publisher did not state is None or empty here, and each
document says so in its own way. Cost: none to speak of; nothing but the manifest is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.govern.config import GovernanceConfig, ModelStatementConfig
from factory.identity import sha256_hex
from factory.publish.card import is_dry_run
from factory.publish.manifest import MANIFEST, Manifest, seal
from factory.publish.places import dataset_prefix
from factory.section import checked

LLM_ROLES: Mapping[str, str] = {"extract": "extract", "question": "question_", "answer": "answer", "judge": "judge"}
"""Role of a model -> how the names of the steps begin that it worked."""

HASHED = ("weights", "tokenizer", "chat_template")
"""What of a model's identity is the hash of files."""


@dataclass(frozen=True)
class File:
    """A file of the dataset: path below it, size in bytes, SHA-256 in hexadecimal digits; rows None where it is no
    shard."""

    path: str
    bytes: int
    sha256: str
    rows: int | None


@dataclass(frozen=True)
class Model:
    """A model in one role. `identity` holds the hashes of its files as the step's fingerprint names them; `steps` what
    it worked; `sampling` the parameters by step; `stated` is None where the publisher says nothing of the model."""

    role: str
    name: str
    revision: str
    license: str
    output_terms: str
    identity: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[str, ...] = ()
    sampling: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    engines: tuple[Mapping[str, Any], ...] = ()
    stated: ModelStatementConfig | None = None

    @property
    def hashes(self) -> dict[str, str]:
        """Of the files that a model has. An engine without weights names itself by one hash in place of all three: that
        is no hash of weights, and it is called what it is."""
        found = {name: str(self.identity[name]) for name in HASHED if self.identity.get(name)}
        if len(found) == len(HASHED) and len(set(found.values())) == 1:
            return {"engine": found[HASHED[0]]}
        return found

    @property
    def settings(self) -> dict[str, Any]:
        """What else of its identity can change a row, such as the type of its numbers."""
        return {name: value for name, value in self.identity.items() if name not in (*HASHED, "revision")}


@dataclass(frozen=True)
class Gate:
    """`bound` is "min" or "max" of `measured`; a `threshold` of None: the gate was off."""

    name: str
    meaning: str
    bound: str
    threshold: float | None
    measured: float
    severity: str
    passed: bool
    evidence: tuple[Any, ...]


@dataclass(frozen=True)
class Step:
    """One step: the digests are of the ids of the rows it read and accepted, `plan` that of the ids of its units, which
    for a first step are hashes of the source ranges: names, sizes and entity tags of files. `began` and `ended`, ISO
    8601 in UTC, are when the run took it up and had it done, None where nobody noted them; of its units `reused` were
    committed before that, at `reused_since` at the earliest. `counts` and `reasons` as committed; `prompt` the id of
    its prompt (prompts.json), None for steps without a model."""

    name: str
    folder: str
    version: int
    reads: tuple[str, ...]
    units: int
    counts: Mapping[str, int]
    reasons: Mapping[str, Mapping[str, int]]
    ledger: Mapping[str, float]
    input_digest: str
    accepted_digest: str
    began: str | None
    ended: str | None
    prompt: str | None
    sampling: Mapping[str, Any] | None
    model: Mapping[str, Any] | None
    engines: tuple[Mapping[str, Any], ...]
    own: Mapping[str, Any]
    plan: str = ""
    reused: int = 0
    reused_since: str | None = None

    @property
    def reuse_in_words(self) -> str:
        """On one line; empty where all units were worked when the run took the step up."""
        if not self.reused:
            return ""
        since = f"not before {self.reused_since}" if self.reused_since is not None else "at a time not known"
        return f"{self.reused:,} of {self.units:,} units reused, worked earlier ({since})"


@dataclass(frozen=True)
class Erased:
    """Rows that an erasure took out since publication: its id, when (ISO 8601 in UTC), how many."""

    erasure: str
    at: str
    rows: int


@dataclass(frozen=True)
class Prompt:
    name: str
    prompt_id: str
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """`bytes` as published, `num_bytes` uncompressed; `files` are paths."""

    name: str
    rows: int
    bytes: int
    num_bytes: int
    files: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """A dataset as its documents know it. `digest` is what the manifest carries itself, `manifest` the file with the
    hash of its sealed bytes; `license` what the publisher gives, `source_license` the sources' own, combined;
    `sources` as factory/publish/sources.py counts them."""

    name: str
    version: str
    created: str
    started: str | None
    run: str
    seed: int
    domain: str
    languages: tuple[str, ...]
    digital_source_type: str
    dry_run: bool
    rows: int
    tokens: Mapping[str, int]
    levels: Mapping[str, int]
    verified: Mapping[str, int]
    license: str
    source_license: str
    license_rows: Mapping[str, int]
    duties: Mapping[str, int]
    sources: Mapping[str, Any]
    columns: tuple[tuple[str, str], ...]
    tokenizer: str
    files: tuple[File, ...]
    splits: tuple[Split, ...]
    models: tuple[Model, ...]
    steps: tuple[Step, ...]
    gates: tuple[Gate, ...]
    prompts: tuple[Prompt, ...]
    governance: GovernanceConfig
    recipe: Mapping[str, Any]
    software: Mapping[str, str]
    digest: str
    manifest: File
    erased: tuple[Erased, ...] = ()

    @property
    def updated(self) -> str:
        """When the dataset last changed: its publication, or the last erasure from it."""
        return max([self.created, *(each.at for each in self.erased)])

    @property
    def worked_since(self) -> str | None:
        """The earliest time that anything of it can be from; None where units were reused that nobody has a time of."""
        times = [self.started, *(step.reused_since for step in self.steps if step.reused)]
        known = [time for time in times if time is not None]
        return min(known) if len(known) == len(times) else None

    @property
    def prefix(self) -> str:
        """Where the dataset lies below its root."""
        return dataset_prefix(self.name, self.version)

    @property
    def published_bytes(self) -> int:
        """All files of the dataset but the manifest."""
        return sum(file.bytes for file in self.files)

    @property
    def roles(self) -> dict[tuple[str, str], list[Model]]:
        """What each (name, revision) of a model did, by name."""
        found: dict[tuple[str, str], list[Model]] = {}
        for model in sorted(self.models, key=lambda model: (model.name, model.revision)):
            found.setdefault((model.name, model.revision), []).append(model)
        return found

    @property
    def packages(self) -> list[tuple[str, str]]:
        """Software of the run by name and version, engines' own among it."""
        engines = [engine.get("versions", {}) for model in self.models for engine in model.engines]
        return sorted({pair for versions in (self.software, *engines) for pair in versions.items()})

    def step(self, name: str) -> Step | None:
        return next((step for step in self.steps if step.name == name), None)

    def file(self, path: str) -> File:
        """Raises KeyError where the manifest lists none of that path."""
        found = next((file for file in self.files if file.path == path), None)
        if found is None:
            raise KeyError(path)
        return found


def facts_of(manifest: Manifest) -> Facts:
    """The facts of a dataset's manifest (of one that `unseal` has proven).

    Raises ConfigError where its governance section is not one this version knows.
    """
    clock, totals, licence = manifest["clock"], manifest["totals"], manifest["license"]
    steps = tuple(step_of(step, clock) for step in manifest["steps"])
    sealed = seal(manifest)
    governance = checked(GovernanceConfig, manifest["governance"])
    stated = {model.name: model for model in governance.models}
    return Facts(
        name=manifest["name"],
        version=manifest["version"],
        created=manifest["created"],
        started=clock.get("started"),
        run=manifest["run"],
        seed=manifest["seed"],
        domain=manifest["domain"],
        languages=tuple(manifest["languages"]),
        digital_source_type=manifest["digital_source_type"],
        dry_run=is_dry_run(manifest),
        rows=totals["rows"],
        tokens=totals["tokens"],
        levels=totals["levels"],
        verified=totals["verified"],
        license=licence["dataset"],
        source_license=licence["combined_sources"],
        license_rows=licence["rows"],
        duties=licence["duties"],
        sources=manifest["sources"],
        columns=tuple((column["name"], column["type"]) for column in manifest["schema"]["columns"]),
        tokenizer=manifest["tokenizer"],
        files=tuple(File(**entry) for entry in manifest["files"]),
        splits=tuple(_split(split, manifest["shards"]) for split in manifest["splits"]),
        models=tuple(_model(entry, steps, stated) for entry in manifest["generators"]),
        steps=steps,
        gates=tuple(gate_of(gate) for gate in manifest["gates"]),
        prompts=tuple(Prompt(item["name"], item["prompt_id"], tuple(item["steps"])) for item in manifest["prompts"]),
        governance=governance,
        recipe=manifest["recipe"],
        software=manifest["software"],
        digest=manifest["digest"],
        manifest=File(MANIFEST, len(sealed), sha256_hex(sealed), None),
        erased=tuple(Erased(note["erasure"], note["at"], note["rows"]) for note in manifest.get("erased", ())),
    )


def step_of(step: Mapping[str, Any], clock: Mapping[str, Any]) -> Step:
    """A step as the manifest has it (`step_record`); `clock` as in the manifest: `steps`, when each began and ended,
    and `reused`."""
    identity = step["identity"]
    own = identity.get("own", {})
    began, ended = clock.get("steps", {}).get(step["name"], (None, None))
    reused = clock.get("reused", {}).get(step["name"], {})
    return Step(
        name=step["name"],
        folder=step["folder"],
        version=step["version"],
        reads=tuple(step["reads"]),
        units=step["units"],
        counts=step["counts"],
        reasons=step["reasons"],
        ledger=step["ledger"],
        input_digest=step["input_digest"],
        accepted_digest=step["accepted_digest"],
        began=began,
        ended=ended,
        prompt=own.get("prompt"),
        sampling=identity.get("sampling"),
        model=identity.get("model"),
        engines=tuple(step["engines"]),
        own=own,
        plan=step["plan"],
        reused=reused.get("units", 0),
        reused_since=reused.get("since"),
    )


def _model(entry: Mapping[str, Any], steps: tuple[Step, ...], stated: Mapping[str, ModelStatementConfig]) -> Model:
    begins = LLM_ROLES.get(entry["role"], entry["role"])
    worked = [step for step in steps if step.model is not None and step.name.startswith(begins)]
    return Model(
        role=entry["role"],
        name=entry["model"],
        revision=entry["revision"],
        license=entry["license"],
        output_terms=entry["output_terms"],
        identity=(worked[0].model or {}) if worked else {},
        steps=tuple(step.name for step in worked),
        sampling={step.name: step.sampling for step in worked if step.sampling is not None},
        engines=tuple({str(engine): engine for step in worked for engine in step.engines}.values()),
        stated=stated.get(entry["model"]),
    )


def gate_of(gate: Mapping[str, Any]) -> Gate:
    return Gate(
        name=gate["name"],
        meaning=gate["meaning"],
        bound=gate["bound"],
        threshold=gate["threshold"],
        measured=gate["measured"],
        severity=gate["severity"],
        passed=gate["passed"],
        evidence=tuple(gate["evidence"]),
    )


def _split(split: Mapping[str, Any], shards: Sequence[Mapping[str, Any]]) -> Split:
    files = tuple(shard["path"] for shard in shards if shard["split"] == split["name"])
    return Split(split["name"], split["rows"], split["bytes"], split["num_bytes"], files)
