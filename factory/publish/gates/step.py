"""The `gate` step: checks on the whole set of samples; one that fails stops publishing.

Design: one streaming pass over the sample files feeds every family of gates (measure.py); each keeps a summary of fixed
size that can be merged with others of its kind, and is judged apart from gathering, so the report shows measured values
of gates that are off as well. What is dear or not linear in rows is asked of a seeded sample (sampled.py). Models,
benchmarks and the earlier dataset are found on the driver and lie in the store, named by their contents.

Cost, one core, 20,000 rows of 1,060 characters with all families on: 236 microseconds a row for the pass, 4.7 s in all,
of which personal data 85, refusals 71, canaries (100 of them) 32; then at most 4 s for a sample of 20,000 rows and a
second for 1,000 rows with their sources. docs/gates.md has it by family.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from factory.config import FactoryConfig
from factory.curate.config import CurateConfig
from factory.curate.index_store import BenchmarkIndex
from factory.curate.minhash import LshParameters
from factory.curate.sketch import lsh_parameters
from factory.curate.words import NORMALISER_VERSION
from factory.domains.pack import Pack
from factory.domains.pack_code import PackCode
from factory.identity import fingerprint
from factory.publish.gates.batch import GATE_COLUMNS, Batch
from factory.publish.gates.canaries import Canaries, canaries_identity, read_canaries
from factory.publish.gates.collapse import Collapse
from factory.publish.gates.config import GateConfig
from factory.publish.gates.contamination import Contamination
from factory.publish.gates.language import OtherLanguage
from factory.publish.gates.losses import from_json
from factory.publish.gates.measure import Context, Measure
from factory.publish.gates.near import NearDuplicates
from factory.publish.gates.own import OwnGates, refuse_unknown
from factory.publish.gates.personal import PersonalData
from factory.publish.gates.reference import Reference, find_reference
from factory.publish.gates.refusals import Refusals, refusal_pattern
from factory.publish.gates.results import GATE, GateResult, failures, warnings
from factory.publish.gates.rows import Rows
from factory.publish.gates.sampled import Judge, Sampled
from factory.publish.gates.shape_gates import Shaped
from factory.publish.gates.summaries import Sample
from factory.publish.gates.verbatim import Verbatim
from factory.publish.left_out import published
from factory.run.outputs import read_outputs
from factory.run.units import Unit, UnitResult
from factory.select.config import PiiConfig
from factory.select.language import language_filter
from factory.select.lid import LidFile, store_lid
from factory.select.pii import Pii, finder_of
from factory.store.base import Store
from factory.store.parquet import read_parquet
from factory.vocabulary.given import Vocabulary

STEP_VERSION = 5

ROWS_AT_ONCE = 4096
"""Rows a batch at most: decoded columns of more would be what takes the memory."""


@dataclass(frozen=True)
class GateStep:
    """Global: one unit with parameters `outputs` (key of the samples step's index), `questions` (number produced)
    and `steps` (losses on the way, as losses.py writes them; may be missing); publish/left_out.py says what `without`
    is. Commits results whether they pass or not; who publishes calls `require_passed`.

    `languages` are the expected ones, with the detector's `language_file`; `near` are curate's parameters;
    `benchmarks` and `benchmark_answers` the indexes of curation, `own` the domain pack's code, `vocabulary` what it may
    ask. None and empty: that family is not measured."""

    config: GateConfig
    seed: int = 0
    languages: tuple[str, ...] = ()
    language_file: LidFile | None = None
    pii: PiiConfig = field(default_factory=PiiConfig)
    canaries: tuple[str, ...] = field(default=(), repr=False)
    refusals: tuple[str, ...] = ()
    near: LshParameters = field(default_factory=lambda: lsh_parameters(CurateConfig()))
    benchmarks: BenchmarkIndex | None = None
    benchmark_answers: BenchmarkIndex | None = None
    reference: Reference | None = None
    own: PackCode | None = None
    vocabulary: Vocabulary | None = None

    name = "gate"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        indexes = (self.benchmarks, self.benchmark_answers)
        # What a run says of the pack's gates is there only where it says something: earlier results are found again.
        left_out = {"canaries"} if self.config.pack else {"canaries", "pack"}
        return {
            "config": self.config.model_dump(mode="json", exclude=left_out),
            "seed": self.seed,
            "languages": [list(self.languages), self.language_file.sha256 if self.language_file else None],
            "pii": Pii(self.pii).identity(),
            "canaries": canaries_identity(self.canaries),
            "refusals": fingerprint(list(self.refusals)),
            "near": {**self.near.identity(), "normaliser": NORMALISER_VERSION},
            "benchmarks": [index.identity if index else None for index in indexes],
            "reference": self.reference.digest if self.reference else None,
            **({"own": self.own.identity()} if self.own else {}),
            **({"vocabulary": self.vocabulary.index_identity()} if self.vocabulary else {}),
        }

    def prepare(self, store: Store) -> None:
        """Puts into the store what the worker needs; to be called on the driver before the unit is worked."""
        if self.language_file is not None:
            store_lid(self.language_file, store)
        for prepared in (self.benchmarks, self.benchmark_answers, self.reference, self.vocabulary):
            if prepared is not None:
                prepared.prepare(store)

    def measures(self, store: Store) -> tuple[Measure, ...]:
        """Empty summaries of every family that is configured, `Rows` first."""
        config = self.config
        judges: list[Judge] = [NearDuplicates(config, self.near), Verbatim(config)]
        if self.languages and self.language_file is not None:
            judges.append(OtherLanguage(config, self.languages, self.language_file))
        found: list[Measure] = [
            Rows(config),
            Collapse(config),
            Sampled(tuple(judges), Sample(config.sample_rows, self.seed)),
            PersonalData(config, finder_of(self.pii)),
        ]
        if self.canaries:
            found.append(Canaries(config, self.canaries))
        if self.refusals:
            found.append(Refusals(config, refusal_pattern(self.refusals)))
        screen = self.benchmarks.screen(store) if self.benchmarks else None
        if screen is not None:
            answers = self.benchmark_answers.screen(store) if self.benchmark_answers else None
            found.append(Contamination(config, screen, answers))
        if self.own is not None:
            found.append(
                OwnGates(config, self.own.load(), store, self.vocabulary.load(store) if self.vocabulary else None)
            )
        found.append(Shaped(config, self.reference.load(store) if self.reference else None))
        return tuple(found)

    def work(self, store: Store, unit: Unit) -> UnitResult:
        measures = self.measures(store)
        gather(measures, _sample_tables(store, unit.parameters))
        rows = _rows_of(measures)
        steps = [from_json(each) for each in unit.parameters.get("steps", ())]
        results = judge(measures, Context(rows.samples, unit.parameters["questions"], steps, store))
        return UnitResult(
            inputs=rows.samples,
            used=rows.samples,
            tables=(pa.Table.from_pylist([result.to_json() for result in results], schema=GATE),),
            id_column="name",
            input_ids_digest=rows.ids_digest,
            accepted=rows.samples,
            accepted_ids_digest=rows.ids_digest,
            facts={"gates_failed": len(failures(results)), "gates_warned": len(warnings(results))},
        )


def gate_step(
    config: FactoryConfig,
    pack: Pack,
    benchmarks: BenchmarkIndex,
    benchmark_answers: BenchmarkIndex | None,
    vocabulary: Vocabulary | None = None,
) -> GateStep:
    """The step that a configuration describes.

    Raises ConfigError where canaries, the language model or the earlier dataset are missing, or the pack's code cannot
    be used.
    """
    languages = config.select.language.languages if config.gate.languages is None else config.gate.languages
    # Only to find the model, and to have it say which languages it does not know.
    asked = config.select.language.model_copy(update={"languages": languages})
    own = _own_gates(config.gate, pack)
    asks = own is not None and any(gate.vocabulary is not None for gate in own.load().gates.values())
    return GateStep(
        config.gate,
        config.seed,
        languages,
        language_filter(asked).file if languages else None,
        config.select.pii,
        read_canaries(config.gate.canaries),
        pack.refusals,
        lsh_parameters(config.curate),
        benchmarks if benchmarks.files else None,
        benchmark_answers,
        find_reference(config.gate.drift.against, config.store.endpoint_url),
        own,
        vocabulary if asks else None,
    )


def _own_gates(config: GateConfig, pack: Pack) -> PackCode | None:
    """The pack's code where it has gates. Raises ConfigError where it cannot be used, and for gates it has not."""
    gates = pack.checks.load().gates if pack.checks is not None else {}
    refuse_unknown(config, gates, pack.name)
    return pack.checks if gates else None


def gather(measures: Sequence[Measure], tables: Iterable[pa.Table]) -> None:
    """One pass over tables with the columns of GATE_COLUMNS, fed to every measure."""
    for table in tables:
        for start in range(0, table.num_rows, ROWS_AT_ONCE):
            batch = Batch(table.slice(start, ROWS_AT_ONCE))
            for measure in measures:
                measure.add(batch)


def judge(measures: Sequence[Measure], context: Context) -> list[GateResult]:
    """Every gate's result, in a fixed order."""
    return [result for measure in measures for result in measure.results(context)]


def _rows_of(measures: Sequence[Measure]) -> Rows:
    return next(measure for measure in measures if isinstance(measure, Rows))


def _sample_tables(store: Store, parameters: Mapping[str, Any]) -> Iterator[pa.Table]:
    for output in read_outputs(store, parameters["outputs"]):
        yield published(store, parameters, read_parquet(store, output.file.key, GATE_COLUMNS))
