"""The loop that makes a domain classifier: cold start, then score, sample, rate, train, some times over.

    assign -> write_documents --\\
    read_positives -> positives ---> train 0 -> score 0 -> sample 1 -> rate 1 -> train 1 -> score 1 -> ...
    collect -> negatives -------/

Design: SynthLLM, section 4.1 (arXiv 2503.19551), with what it leaves open decided: the sample is half random and
half near the threshold instead of all random; rated documents are partly held out; a classifier is a regressor of
the rating, cut at 6.5. Everything that costs (writing, rating, passes over the corpus, training) is a stage of
committed units or a model under the fingerprint of its examples, so a job that was killed goes on where it stopped
and pays for nothing twice. The driver holds the examples (thousands), never the corpus.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.domains.pack import Pack
from factory.domains.syllabus import Syllabus
from factory.errors import ConfigError
from factory.run.outputs import outputs_key, read_outputs
from factory.run.plan import Part
from factory.run.record import Record
from factory.run.stage import Session, Stage, ensure_ray, work_stage
from factory.run.step import WorkStep
from factory.run.units import Unit
from factory.select.filters import Filter, Length
from factory.select.pii import Pii, pii_among
from factory.select.training.assignments import AssignStep, plan_assignments
from factory.select.training.book import Book, Split, examples_of
from factory.select.training.config import RaterConfig, TrainConfig
from factory.select.training.corpus_pass import NO_IDS, CorpusPass, Draw, put_ids
from factory.select.training.endpoints import WRITER, rater_role
from factory.select.training.examples import Example
from factory.select.training.models import TrainedModel, train_once
from factory.select.training.rate_documents import RateStep
from factory.select.training.rated_texts import put_texts
from factory.select.training.ratings import (
    Met,
    Rating,
    RatingsFile,
    by_document,
    met,
    require_matches,
    unmatched_in_words,
)
from factory.select.training.sample import SampleStep
from factory.select.training.stages import asking_stage, sample_stage, source_stage
from factory.select.training.write_documents import WriteStep
from factory.store.base import Store
from factory.store.parquet import read_parquet


@dataclass
class Job:
    """A training job while it goes on; mutable. `identities` are the models' by role, `ranges` the units that cover
    the corpus, `positives` those that cover the user's own documents, `files` the ratings given in files, `met`
    what became of those."""

    session: Session
    config: TrainConfig
    pack: Pack
    syllabus: Syllabus | None
    filters: tuple[Filter, ...]
    ranges: tuple[Unit, ...]
    positives: tuple[Unit, ...]
    files: tuple[RatingsFile, ...]
    identities: Mapping[str, Mapping[str, Any]]
    book: Book = field(default_factory=Book)
    dones: dict[str, Record] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    met: Mapping[str, Met] = field(default_factory=dict)

    @property
    def pii(self) -> Pii | None:
        """How every text that the job stores is treated."""
        return pii_among(self.filters)

    @property
    def store(self) -> Store:
        return self.session.store

    def requests_now(self) -> int:
        """What this execution itself asked of engines."""
        return sum(int(done["spent_now"].get("requests", 0)) for done in self.dones.values())


@dataclass(frozen=True)
class Iteration:
    """What one turn of the loop left: its classifier, what it learnt from and was not shown, and the pass over the
    corpus that used it. `stages` are those that this iteration worked."""

    number: int
    model: TrainedModel
    split: Split
    scored: Record
    stages: tuple[str, ...]


def refine(job: Job) -> list[Iteration]:
    """Works every stage; the last iteration's model is the selector.

    Raises ConfigError where nothing can be learnt: no document passes the filters, a model writes or rates nothing
    usable, all examples are of one kind.
    """
    training, seed = job.config.training, job.config.seed
    _write(job)
    _read_positives(job)
    _collect(job)
    iterations: list[Iteration] = []
    worked: set[str] = set()
    for number in range(training.rounds + 1):
        if number:
            _sample_and_rate(job, number)
        split = examples_of(job.book, training, seed, refined=number > 0)
        model = _trained(job, number, split.training)
        scored = _score(job, number, model, iterations[-1].scored["folder"] if iterations else "")
        stages = tuple(name for name in job.dones if name not in worked)
        worked |= job.dones.keys()
        iterations.append(Iteration(number, model, split, scored, stages))
    return iterations


def _work(job: Job, stage: Stage) -> Record:
    job.dones[stage.name] = work_stage(job.session, stage, job.dones)
    return job.dones[stage.name]


def _write(job: Job) -> None:
    config = job.config.training
    if not config.documents:
        return
    assert job.syllabus is not None, "the job loads it where documents are to be written"
    assign = AssignStep(job.syllabus, job.pack.name, job.config.seed)
    _work(job, source_stage("assign", assign, plan_assignments(config.documents, config.write.unit_rows)))
    step = WriteStep(config.write, job.pack, job.config.seed, job.pii)
    parts = [Part(output.file) for output in _outputs(job, "assign")]
    done = _work(job, asking_stage(step.name, step, WRITER, job.identities[WRITER], parts, ("assign",)))
    model = job.session.served[WRITER].model.id
    job.book.add(_rows(job, step.name, ["doc_id", "text"]), "cold_start_positive", f"written by {model}")
    if not done["counts"]["accepted"]:
        raise ConfigError(
            f"{model} wrote no usable document: of {config.documents} all were rejected ({_reasons(done)})",
            cause="a model that is too weak for the prompt, or a prompt of your pack that it does not understand",
            remedy="use a stronger model (model=custom model.id=…), or bring documents of your own with "
            "training.positives.paths and set training.documents=0",
        )


def _read_positives(job: Job) -> None:
    if not job.positives:
        return
    draw = Draw(job.config.training.positives.limit, 0, job.config.training.threshold, job.config.seed)
    asked: tuple[Filter, ...] = (Length(1, None),) if job.pii is None else (Length(1, None), job.pii)
    reading = CorpusPass("read_positives", asked, draw)
    _work(job, source_stage(reading.name, reading, job.positives))
    rows = _sampled(job, "positives", draw, reading.name)
    job.book.add(rows, "user_positive")


def _collect(job: Job) -> None:
    """Unseen negatives of the cold start, and the documents that ratings files speak of."""
    config = job.config.training
    given = [row for file in job.files for row in file.rows]
    texts, digest, left_out = put_texts(job.store, [row for row in given if row.text is not None], job.pii)
    wanted = put_ids(job.store, sorted({row.name for row in given if row.text is None}))
    if not (config.negatives or given):
        return
    draw = Draw(config.negatives, 0, config.threshold, job.config.seed)
    over = None
    if config.negatives or wanted.count:
        over = "collect"
        done = _pass(job, over, CorpusPass(over, job.filters, draw, wanted=wanted))
        if not done["counts"]["used"]:
            raise _nothing_left(job, done)
    rows = _sampled(job, "negatives", draw, over, texts, digest) if over or texts else []
    named = [row for row in rows if row["half"] == "given"]
    job.book.add(row for row in rows if row["half"] == "random")
    job.book.add((row for row in rows if row["half"] == "random"), "corpus_negative")
    job.book.add(named)
    names = {row["doc_id"]: row["names"] for row in named}
    found = by_document(given, names)
    job.met = met(given, names, left_out)
    for line in unmatched_in_words(job.met):
        job.session.progress.say(line)
    require_matches(job.files, found)
    job.book.ratings += found
    job.taken |= {row["doc_id"] for row in named}


def _sample_and_rate(job: Job, number: int) -> None:
    config = job.config.training
    raters = config.model_raters
    sample = f"sample_{number}"
    rows = _sampled(job, sample, _draw_of(job), f"score_{number - 1}")
    job.book.add(rows)
    job.taken |= {row["doc_id"] for row in rows}
    parts = [Part(output.file) for output in _outputs(job, sample)]
    _rate(job, f"rate_{number}_{raters[0].name}", raters[0], parts, (sample,))
    if number == 1 and config.compare:
        given = bool(job.files)
        shared = _first(job, "negatives" if given else sample, "given" if given else "random", config.compare)
        for rater in raters if given else raters[1:]:
            _rate(job, f"compare_{rater.name}", rater, shared, None)


def _rate(job: Job, name: str, rater: RaterConfig, parts: Sequence[Part], reads: tuple[str, ...] | None) -> None:
    step = RateStep(job.config.training.rate, job.pack, job.config.seed, job.pii)
    role = rater_role(rater.name)
    done = _work(job, asking_stage(name, step, role, job.identities[role], parts, reads))
    rows = _rows(job, name, ["doc_id", "score"])
    if done["counts"]["inputs"] and not rows:
        raise ConfigError(
            f"the rater {rater.name} rated none of {done['counts']['inputs']} documents ({_reasons(done)})",
            cause="a model that is too weak for the rubric, or documents that do not fit its context",
            remedy="use a stronger model or an endpoint as rater, lower training.rate.excerpt_characters, or raise "
            "training.rate.sampling.max_tokens",
        )
    job.book.ratings += [Rating(row["doc_id"], rater.name, rater.name, row["score"]) for row in rows]


def _draw_of(job: Job) -> Draw:
    config = job.config.training
    half = config.sample // 2
    return Draw(half, config.sample - half, config.threshold, job.config.seed)


def _score(job: Job, number: int, model: TrainedModel, previous: str) -> Record:
    """A pass that offers documents for the next sample, unless there is none."""
    threshold, seed = job.config.training.threshold, job.config.seed
    last = number == job.config.training.rounds
    draw = Draw(0, 0, threshold, seed) if last else _draw_of(job)
    taken = NO_IDS if last else put_ids(job.store, sorted(job.taken))
    name = f"score_{number}"
    done = _pass(job, name, CorpusPass(name, job.filters, draw, model, taken=taken, previous=previous))
    if not done["counts"]["used"]:
        raise _nothing_left(job, done)
    return done


def _pass(job: Job, name: str, step: CorpusPass) -> Record:
    def prepare(store: Store) -> None:
        for each in step.filters:
            each.prepare(store)

    return _work(job, source_stage(name, step, job.ranges, prepare))


def _trained(job: Job, number: int, examples: Sequence[Example]) -> TrainedModel:
    ensure_ray(job.session)
    try:
        return train_once(job.store, job.config.training, examples, job.config.seed)
    except ConfigError as error:
        if number == 0 or job.config.training.carry_cold_start:
            raise
        raise ConfigError(
            f"iteration {number} cannot be trained: {error.what}",
            cause=error.cause,
            remedy=f"{error.remedy}; raise training.sample, or keep the cold start's examples with "
            "training.carry_cold_start=true",
        ) from None


def _sampled(
    job: Job, name: str, draw: Draw, over: str | None, texts: str = "", digest: str = ""
) -> list[dict[str, Any]]:
    step: WorkStep = SampleStep(name, draw, job.config.training.rate.unit_rows, digest)
    _work(job, sample_stage(job.session.run, name, step, over, texts))
    return _rows(job, name)


def _first(job: Job, stage: str, half: str, count: int) -> list[Part]:
    """The first `count` documents of one half of a sample."""
    parts: list[Part] = []
    for output in _outputs(job, stage):
        halves = read_parquet(job.store, output.file.key, ["half"]).column("half").to_pylist()
        if count > 0 and halves and halves[0] == half:
            take = min(count, len(halves))
            parts.append(Part(output.file, None if take == len(halves) else tuple(range(take))))
            count -= take
    return parts


def _outputs(job: Job, stage: str) -> list[Any]:
    return read_outputs(job.store, outputs_key(job.session.run, stage))


def _rows(job: Job, stage: str, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    files = [output.file for output in _outputs(job, stage) if output.file.rows]
    return [row for file in files for row in read_parquet(job.store, file.key, columns).to_pylist()]


def _nothing_left(job: Job, done: Record) -> ConfigError:
    inputs = done["counts"]["inputs"]
    return ConfigError(
        f"no document of the corpus is left to learn from: {inputs} rows were read, none passed ({_reasons(done)})",
        cause="the corpus is empty, or a filter of `select` turns all of it away",
        remedy="check corpus.paths and corpus.columns.text, and the keys of `select` that the reasons name",
    )


def _reasons(done: Record) -> str:
    reasons: Counter[str] = Counter()
    for found in done["reasons"].values():
        reasons.update(found)
    return ", ".join(f"{reason} {count}" for reason, count in reasons.most_common(5)) or "no reason was given"
