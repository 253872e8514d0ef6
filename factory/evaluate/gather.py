"""From the store to the facts of a report.

Design: reads the run record, one `done` record a step, the dataset's manifest and its shards; graph and questions
are read by diversity/gather.py.
What is missing is left out and named in `problems`: a report on a failed or damaged run is the one most
wanted. Where a gate kept a run from publishing, distributions and examples come from the samples step.
Cost: about 15 small reads, one pass over the small columns of the shards, a dozen point reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from factory.cost.amounts import parts_in
from factory.cost.engines import engine_uses
from factory.cost.estimate.kept import read_estimate
from factory.errors import ConfigError, FactoryError
from factory.evaluate.distributions import scan
from factory.evaluate.diversity.gather import gather_diversity
from factory.evaluate.examples import EXAMPLES, gather_examples
from factory.evaluate.facts import (
    DatasetFacts,
    Distributions,
    EngineStarts,
    Example,
    GateFacts,
    ModelFacts,
    ReportInput,
    StepFacts,
    Stratum,
)
from factory.evaluate.models import parameters_in
from factory.evaluate.strata import strata_of
from factory.run.record import finished_steps, read_record
from factory.store.base import Store

Record = Mapping[str, Any]


def gather(store: Store, run_id: str, diversity: Mapping[str, Any] | None = None) -> ReportInput:
    """Everything the report on a run says; `diversity` replaces keys of that section of its configuration.

    Raises ConfigError when the root has no such run, StoreError when its record is damaged.
    """
    record = read_record(store, run_id)
    if record is None:
        raise ConfigError(
            f"there is no run {run_id!r} under {store.uri}",
            cause="a mistyped run id or root, or the run has not started yet",
            remedy="`factory status ROOT` lists the runs under a root",
        )
    config = record.get("config") or {}
    problems: list[str] = []
    dones = finished_steps(store, record, problems)
    steps = tuple(_step(name, str(folder), dones.get(name)) for name, folder in (record.get("steps") or {}).items())
    manifest = _manifest(store, record, problems)
    dataset = _dataset(store, record, manifest)
    distributions, examples = _samples(store, run_id, record, manifest, problems)
    compared = {**(config.get("diversity") or {}), **(diversity or {})}
    breadth = gather_diversity(store, run_id, steps, _sample_keys(store, run_id, record, manifest), compared, problems)
    return ReportInput(
        run=run_id,
        state=str(record.get("state", "unknown")),
        root=store.uri,
        name=dataset.name if dataset else str((config.get("publish") or {}).get("name", "dataset")),
        domain=_domain(config.get("domain") or {}, manifest),
        engine_kind=str((config.get("engine") or {}).get("kind", "")),
        started=str(record.get("started") or ""),
        finished=str(record.get("finished") or ""),
        error=str(record.get("error") or ""),
        resumed=len(record.get("resumed") or ()),
        models=_models(record, dones),
        steps=steps,
        engine_starts=_engine_starts(record),
        software=_software(manifest, dones.values()),
        dataset=dataset,
        gates=_gates(store, run_id, manifest, problems),
        distributions=distributions,
        examples=examples,
        diversity=breadth,
        config=config,
        index=record.get("index") or {},
        rounds=tuple(record.get("rounds") or ()),
        engine_use=engine_uses(record.get("engine_use")),
        estimate=read_estimate(store, run_id, problems),
        strata=_strata(store, record, _sample_keys(store, run_id, record, manifest), problems),
        notes=tuple(str(note) for note in record.get("notes") or ()),
        problems=tuple(problems),
    )


def _json(store: Store, key: str) -> dict[str, Any] | None:
    try:
        value = orjson.loads(store.get(key))
    except (KeyError, orjson.JSONDecodeError):
        return None
    return value if isinstance(value, dict) else None


def _step(name: str, folder: str, done: Record | None) -> StepFacts:
    if done is None:
        return StepFacts(name, folder, finished=False)
    return StepFacts(
        name=name,
        folder=str(done.get("folder") or folder),
        units=int(done.get("units", 0)),
        units_reused=int(done.get("units_reused", 0)),
        counts=_numbers(done.get("counts")),
        reasons={
            side: dict(sorted(_numbers(reasons).items(), key=lambda item: (-item[1], item[0])))
            for side, reasons in (done.get("reasons") or {}).items()
        },
        ledger=_numbers(done.get("ledger")),
        spent_now=_numbers(done.get("spent_now")),
        lost={**_numbers(done.get("lost")), "by_run": _numbers((done.get("lost") or {}).get("by_run"))},
        facts=_numbers(done.get("facts")),
        wall_seconds=float(done.get("wall_seconds") or 0),
        reads=tuple(done.get("reads") or ()),
        paid=_payers(done.get("paid")),
        split=parts_in(done.get("split")),
        tail=_numbers(done.get("tail")),
        engines=tuple(engine for engine in done.get("engines") or () if isinstance(engine, Mapping)),
    )


def _numbers(values: Any) -> dict[str, Any]:
    """The numeric entries; a record may carry notes beside them."""
    items = values.items() if isinstance(values, Mapping) else ()
    return {name: value for name, value in items if isinstance(value, int | float) and not isinstance(value, bool)}


def _payers(paid: Any) -> dict[str, dict[str, Any]] | None:
    """Run -> what it paid of a step; None in records from before that was noted."""
    if not isinstance(paid, Mapping):
        return None
    return {str(run): _numbers(ledger) for run, ledger in paid.items()}


def _models(record: Record, dones: Mapping[str, Record]) -> tuple[ModelFacts, ...]:
    """Models by what they are, not by role: the same model in three roles is one."""
    from factory.engine.models import DEFAULT_MODEL
    from factory.engine.smollm2 import NAME

    grouped: dict[tuple[str, str], tuple[list[str], Mapping[str, Any]]] = {}
    for role, model in (record.get("models") or {}).items():
        key = (str(model.get("id", "")), str(model.get("revision") or ""))
        grouped.setdefault(key, ([], model))[0].append(role)
    found = []
    for (model_id, revision), (roles, model) in grouped.items():
        known_as = NAME if model_id == DEFAULT_MODEL else model_id
        engines = [engine for done in dones.values() for engine in done.get("engines") or ()]
        served = [str(engine.get("model", "")) for engine in engines if engine.get("revision") == revision]
        parameters = model.get("parameters") or parameters_in([known_as, *served, str(model.get("path") or "")])
        found.append(
            ModelFacts(
                id=known_as,
                roles=tuple(_ROLES.get(role, role) for role in sorted(roles, reverse=True)),
                revision=revision,
                license=str(model.get("license") or ""),
                output_terms=str(model.get("output_terms") or ""),
                parameters=int(parameters) if parameters else None,
            )
        )
    return tuple(found)


_ROLES = {"generator": "concepts and questions", "answerer": "answers", "judge": "judging answers"}


def _domain(section: Record, manifest: Record | None) -> str:
    """The pack's own name where a dataset says it; else what the run was given, of which a path comes first."""
    if manifest is not None:
        return str(manifest.get("domain") or "")
    return str(section.get("path") or section.get("name") or "")


def _engine_starts(record: Record) -> tuple[EngineStarts, ...]:
    return tuple(
        EngineStarts(str(model), int(starts.get("starts", starts.get("first", 0))), int(starts.get("replacements", 0)))
        for model, starts in (record.get("engine_starts") or {}).items()
        if isinstance(starts, Mapping)
    )


def _software(manifest: Record | None, dones: Iterable[Record]) -> dict[str, str]:
    software = {str(name): str(version) for name, version in ((manifest or {}).get("software") or {}).items()}
    for done in dones:
        for engine in done.get("engines") or ():
            software.update({str(name): str(version) for name, version in (engine.get("versions") or {}).items()})
    return dict(sorted(software.items()))


def _manifest(store: Store, record: Record, problems: list[str]) -> dict[str, Any] | None:
    prefix = record.get("dataset")
    if not prefix:
        return None
    manifest = _json(store, f"{prefix}/manifest.json")
    if manifest is None:
        problems.append(f"the manifest of {prefix} is missing or unreadable; `factory verify` says what else is wrong")
    return manifest


def _dataset(store: Store, record: Record, manifest: Record | None) -> DatasetFacts | None:
    prefix = record.get("dataset")
    if not prefix or manifest is None:
        return None
    _, name, version = f"/{prefix}".rsplit("/", 2)
    splits = manifest.get("splits") or ()
    if isinstance(splits, Mapping):
        splits = [{"name": key, **(value if isinstance(value, Mapping) else {"rows": value})}
                  for key, value in splits.items()]  # fmt: skip
    rule = manifest.get("split_rule")
    empty = rule.get("empty", ()) if isinstance(rule, Mapping) else ()
    splits = [*splits, *({"name": name, "rows": 0, "shards": 0} for name in empty)]
    totals = manifest.get("totals") or {}
    license_ = manifest.get("license") or {}
    return DatasetFacts(
        name=str(manifest.get("name", name)),
        version=str(manifest.get("version", version)),
        address=f"{store.uri.rstrip('/')}/{prefix}",
        rows=int(totals.get("rows", sum(split.get("rows", 0) for split in splits))),
        splits=tuple(splits),
        license=str(license_.get("dataset", "")) if isinstance(license_, Mapping) else str(license_),
        combined_sources=str(license_.get("combined_sources", "")) if isinstance(license_, Mapping) else "",
        licenses=_numbers(totals.get("licenses")),
        tokenizer=str(manifest.get("tokenizer") or ""),
        digest=str(manifest.get("digest") or ""),
        created=str(manifest.get("created") or ""),
        languages=tuple(manifest.get("languages") or ()),
    )


def _gates(store: Store, run: str, manifest: Record | None, problems: list[str]) -> tuple[GateFacts, ...]:
    """From the manifest; where nothing was published, from what the gate step committed."""
    if manifest is not None:
        rows: Sequence[Record] = manifest.get("gates") or ()
    else:
        rows = _committed_gates(store, run, problems)
    return tuple(
        GateFacts(
            name=str(row.get("name", "")),
            bound=str(row.get("bound", "")),
            threshold=row.get("threshold"),
            measured=row.get("measured"),
            passed=bool(row.get("passed")),
            meaning=str(row.get("meaning") or ""),
            evidence=tuple(str(item) for item in row.get("evidence") or ()),
            severity=str(row.get("severity") or "error"),
        )
        for row in rows
    )


def _committed_gates(store: Store, run: str, problems: list[str]) -> list[dict[str, Any]]:
    from factory.run.outputs import outputs_key, read_outputs
    from factory.store.parquet import read_parquet

    try:
        outputs = read_outputs(store, outputs_key(run, "gate"))
        return [row for output in outputs for row in read_parquet(store, output.file.key).to_pylist()]
    except KeyError:
        return []
    except (OSError, ValueError, FactoryError) as error:
        problems.append(f"the results of the gates could not be read: {error}")
        return []


def _samples(
    store: Store, run: str, record: Record, manifest: Record | None, problems: list[str]
) -> tuple[Distributions, tuple[Example, ...]]:
    keys = _sample_keys(store, run, record, manifest)
    try:
        distributions, places = scan(store, keys, EXAMPLES)
        return distributions, gather_examples(store, places)
    except (KeyError, OSError, ValueError, FactoryError) as error:
        problems.append(f"a file with samples could not be read ({error}); distributions and examples are left out")
        return Distributions(), ()


def _strata(store: Store, record: Record, keys: Sequence[str], problems: list[str]) -> tuple[Stratum, ...]:
    columns = [str(name) for name in record.get("strata") or ()]
    try:
        return strata_of(store, keys, columns)
    except (KeyError, OSError, ValueError, FactoryError) as error:
        problems.append(
            f"a file with samples could not be read ({error}); figures by {', '.join(columns)} are left out"
        )
        return ()


def _sample_keys(store: Store, run: str, record: Record, manifest: Record | None) -> list[str]:
    """Shards of the dataset by its manifest, else by listing; the samples step's files where there is none."""
    from factory.run.outputs import outputs_key, read_outputs

    prefix = record.get("dataset")
    if prefix:
        listed = [str(shard["path"]) for shard in (manifest or {}).get("shards") or () if "path" in shard]
        if listed:
            return [f"{prefix}/{path}" for path in listed]
        found = (info.key for info in store.list(f"{prefix}/data/"))
        return sorted(key for key in found if key.endswith(".parquet"))
    try:
        return [output.file.key for output in read_outputs(store, outputs_key(run, "samples"))]
    except KeyError:
        return []
