"""The last move of a run: what its stages did, handed to the publish room as one description.

Design: everything the manifest says about how rows were made is read back from the store (step identities,
done records, gate results), never from this process's memory, so a run finished by its third attempt
publishes the same words as one that was never disturbed. The files are written in tasks: in the driver,
shards of 17,000 samples took 160 MiB of its memory (docs/benchmarks.md, `pipeline`).
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from factory import __version__
from factory.identity import fingerprint
from factory.run.outputs import outputs_key, read_outputs
from factory.run.registration import index_facts
from factory.run.reuse import reused_units
from factory.store.base import Store
from factory.store.objects import read_mapping

if TYPE_CHECKING:
    from factory.config import FactoryConfig
    from factory.publish.gates.results import GateResult
    from factory.publish.manifest import Publication
    from factory.run.chain import Chain
    from factory.run.stage import Dones

SOFTWARE = ("pyarrow", "ray", "numpy", "datasketch", "transformers", "tokenizers")
"""Packages whose versions the manifest names; the engine's own are with the engine."""

VERSION_DIGITS = 12


def gate_results(store: Store, run: str) -> list[GateResult]:
    from factory.publish.gates.results import read_gates

    return read_gates(store, read_outputs(store, outputs_key(run, "gate"))[0].file.key)


def publish(store: Store, chain: Chain, dones: Dones, started: str) -> str:
    """Writes the dataset of a run that began at `started` and whose stages are all done; its prefix below the root.
    Ray must be connected.

    Raises GateError when a gate failed, StoreError when another dataset stands under the given version.
    """
    from factory.answers.judge.rubric import load_rubric
    from factory.publish.manifest import GeneratorTerms, Publication, step_record
    from factory.publish.wording import wording
    from factory.run.execute import on_worker

    settings = chain.settings
    config = settings.config
    rubric = load_rubric(config.judge.rubric, config.domain) if config.judge.rubric is not None else None
    steps = tuple(
        step_record(done, _identity(store, done["folder"]), chain.stage(name).reads or ())
        for name, done in dones.items()
    )
    roles = [("extract", "generator"), ("question", "generator"), ("answer", "answerer")]
    if "judge" in settings.models:
        roles.append(("judge", "judge"))
    terms = tuple(
        GeneratorTerms(role, model.id, model.revision, model.license, model.output_terms)
        for role, model in ((role, settings.models[key]) for role, key in roles)
        if role != "extract" or "extract" in dones
    )
    publication = Publication(
        name=config.publish.name,
        version=version_of(chain, dones),
        run=chain.run,
        seed=config.seed,
        domain=settings.pack.name,
        validation=config.publish.validation,
        test=config.publish.test,
        tokenizer=settings.tokenizer_name,
        generators=terms,
        gates=tuple(gate_results(store, chain.run)),
        steps=steps,
        recipe=config.recipe(),
        software=software(),
        license=config.publish.license,
        index=index_facts(store, config, chain.run, dones, version_of(chain, dones)),
        vocabulary=_vocabulary(store, config, steps),
        governance=config.governance.model_dump(mode="json", exclude_defaults=True),
        wording=wording(settings.pack, rubric, steps),
        clock={
            "started": started,
            "steps": {name: [done.get("began"), done.get("ended")] for name, done in dones.items()},
            **({"reused": reused} if (reused := reused_units(store, chain.run, dones)) else {}),
        },
    )
    return on_worker(partial(_finalised, store, publication, outputs_key(chain.run, "shards")))


def _vocabulary(
    store: Store, config: FactoryConfig, steps: Sequence[Mapping[str, Any]]
) -> tuple[Mapping[str, Any], ...]:
    """The terminologies that a step of the run was given."""
    from factory.run.execute import on_worker
    from factory.vocabulary.given import read_vocabulary

    used = any("vocabulary" in step["identity"]["own"] for step in steps)
    given = read_vocabulary(config.domain.vocabulary) if used else None
    return tuple(on_worker(partial(given.told, store))) if given is not None else ()


def _finalised(store: Store, publication: Publication, shards: str) -> str:
    from factory.publish.finalise import finalise
    from factory.run.execute import each_on_worker

    return finalise(store, publication, read_outputs(store, shards), each_on_worker).prefix


def write_records(store: Store, dataset: str) -> str:
    """Writes the bundle of a dataset that was just published; a line that says where it is, or why there is none. The
    dataset is finished before, and whatever goes wrong here is no reason to call the run failed."""
    from factory.run.execute import on_worker

    try:
        return on_worker(partial(_bundled, store, dataset))
    except Exception as error:
        where = f"{store.uri.rstrip('/')}/{dataset}"
        return (
            f"note: {where} is published, but its governance bundle was not written: {error}\n"
            f"  what to do:   factory bundle {where}"
        )


def _bundled(store: Store, dataset: str) -> str:
    from factory.govern.bundle import bundle_of, write_bundle
    from factory.licences.lighter import lighter_note
    from factory.publish.locate import read_manifest

    manifest = read_manifest(store, dataset)
    bundle = bundle_of(store, manifest, dataset)
    write_bundle(store, bundle)
    lacking = [f"{path}: {problem}" for path, found in sorted(bundle.problems.items()) for problem in found]
    note = lighter_note(manifest["license"]["dataset"], manifest["license"]["duties"])
    told = [*lacking, *([f"note: {note}"] if note is not None else [])]
    return "\n".join([f"bundle: {store.uri.rstrip('/')}/{bundle.prefix}", *told])


def version_of(chain: Chain, dones: Dones) -> str:
    """The version that the run publishes under."""
    return chain.settings.config.publish.version or dataset_version(dones)


def dataset_version(dones: Dones) -> str:
    """Fingerprint of the published rows: the shards' folder and the digest of their ids."""
    return fingerprint([dones["shards"]["folder"], dones["shards"]["accepted_digest"]])[:VERSION_DIGITS]


def software() -> dict[str, str]:
    found = {"factory": __version__, "python": platform.python_version()}
    for name in SOFTWARE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _identity(store: Store, folder: str) -> dict[str, Any]:
    return read_mapping(store, f"steps/{folder}/step.json")
