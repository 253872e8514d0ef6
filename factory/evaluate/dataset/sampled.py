"""Metrics of seeded samples: self-BLEU, dispersion and coverage of vectors, perplexity; each with its interval.

Design: samples are nested (reading.py), so figures of different sizes are of the same rows as far as they go. A model
that is missing costs its own figures only: they say why. By stratum, figures are of the rows of the sample that lie in
it and of those added for small strata (strata.py), and one of a single row is unknown, not the mean.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.errors import FactoryError
from factory.evaluate.dataset.bootstrap import mean_interval
from factory.evaluate.dataset.config import EmbeddingsConfig, IntrinsicConfig
from factory.evaluate.dataset.dispersion import covered, dispersion, dispersion_interval, nearest
from factory.evaluate.dataset.figures import Chart, Figure, Series, of_sample
from factory.evaluate.dataset.perplexity import Likelihoods, Told, load_scorer
from factory.evaluate.dataset.reading import SourceTexts
from factory.evaluate.dataset.sections import Data, Say, why
from factory.evaluate.dataset.self_bleu import self_bleu
from factory.evaluate.dataset.strata import Drawn, Strata, draw
from factory.evaluate.dataset.vectors import F32, vectors_of
from factory.evaluate.text import seconds as in_time
from factory.review.summary import wilson

I64 = npt.NDArray[np.int64]

SELF_BLEU, DISPERSION, NEAREST, PERPLEXITY = "self-BLEU", "dispersion", "nearest other row", "perplexity"
CORPUS, REAL = "source corpus", "real data"

LEAST_ROWS = 2
"""Rows of a stratum in a sample below which it has no figure."""

TOLD_EVERY_S = 15.0


@dataclass
class Found:
    """What samples gave. `strata`: (column, column of strata) -> metric -> values parallel to the strata's names;
    `real`: metric -> value for the real data. Filled metric by metric."""

    figures: list[Figure] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    strata: dict[tuple[str, str], dict[str, list[float | int | None]]] = field(default_factory=dict)
    real: dict[str, float | None] = field(default_factory=dict)

    def put(self, column: str, stratum: str, metric: str, values: Sequence[float | int | None]) -> None:
        self.strata.setdefault((column, stratum), {})[metric] = list(values)


def measure(data: Data, config: IntrinsicConfig, strata: Sequence[Strata]) -> Found:
    found = Found()
    for column in data.columns:
        add_self_bleu(found, data, config, column)
    if config.embeddings.model is not None:
        add_embeddings(found, data, config, strata)
    else:
        found.notes.append("Dispersion and coverage were not asked for (intrinsic.embeddings.model=null).")
    if config.perplexity.model is not None:
        add_perplexity(found, data, config, strata)
    else:
        found.notes.append("Perplexity was not asked for (intrinsic.perplexity.model=null).")
    return found


def real_texts(data: Data) -> list[str]:
    """What people wrote: the text column of the real data, or its questions where it has none."""
    if data.real is None:
        return []
    return data.real.texts() or data.real.texts("question")


def drawn_texts(texts: Sequence[str], count: int, seed: int) -> list[str]:
    """`count` of them (all, where there are no more), in their order."""
    if len(texts) <= count:
        return list(texts)
    return [texts[place] for place in np.sort(np.random.default_rng(seed).choice(len(texts), count, replace=False))]


def add_self_bleu(found: Found, data: Data, config: IntrinsicConfig, column: str) -> None:
    """Self-BLEU of one column, and of as many real texts where there are so many."""
    data.say(f"intrinsic: self-BLEU of {column}")
    meaning = "BLEU-4 of each text of the sample against all others; compare only samples of one size"
    texts = [text for text in _column(data, config.self_bleu, column) if text]
    if len(texts) < LEAST_ROWS:
        found.figures.append(_unknown(f"{column}: {SELF_BLEU}", meaning, "there are not two texts"))
        return
    values = _known(self_bleu(texts))
    low, high = mean_interval(values, data.seed)
    found.figures.append(
        of_sample(Figure(
            f"{column}: {SELF_BLEU}", float(values.mean()), meaning, low, high, len(values),
            sampled=data.dataset.rows > config.self_bleu, better="lower",
        ))
    )  # fmt: skip
    real = drawn_texts(real_texts(data), len(texts), data.seed)
    if len(real) == len(texts):
        found.real[SELF_BLEU] = float(_known(self_bleu(real)).mean())


def _drawn(
    data: Data, count: int, columns: Sequence[str], strata: Sequence[Strata], least: int
) -> tuple[Drawn, pa.Table]:
    drawn = draw(data.dataset, count, data.seed, strata, least)
    names = dict.fromkeys([*columns, *(each.column for each in strata)])
    return drawn, data.dataset.take(drawn.places, [*names])


def add_embeddings(found: Found, data: Data, intrinsic: IntrinsicConfig, strata: Sequence[Strata]) -> None:
    """Dispersion, nearest rows and coverage; where the model is not there, figures that say so."""
    config = intrinsic.embeddings
    column = config.column
    drawn, table = _drawn(data, config.rows, [column], strata, intrinsic.strata_rows)
    texts = [text or "" for text in table.column(column).to_pylist()]
    corpus = data.dataset.corpus(config.passages, data.seed)
    of_people = real_texts(data)
    real = drawn_texts(of_people, config.passages, data.seed)
    data.say(f"intrinsic: embedding {len(texts):,} rows, {len(corpus.texts):,} passages and {len(real):,} real texts")
    started = time.monotonic()
    try:
        (every, passages, written), model = vectors_of([texts, list(corpus.texts.values()), real], config)
    except (FactoryError, ImportError, OSError, RuntimeError) as error:
        for name in (DISPERSION, NEAREST, f"coverage of the {CORPUS}"):
            found.figures.append(_unknown(f"{column}: {name}", "needs an embedding model", why(error)))
        return
    found.notes.append(f"Vectors of {column} are by {model}; embedding took {time.monotonic() - started:,.0f} s.")
    rows = every[drawn.sampled]
    sampled = len(rows) < data.dataset.rows
    found.figures += _spread(column, rows, data.seed, sampled=sampled)
    note = corpus.note if corpus.texts else ""
    of_corpus = _Texts(CORPUS, passages, not corpus.whole, note, missing(corpus))
    found.figures.append(_coverage(column, of_corpus, rows, config, data.seed, sampled=sampled))
    if data.real is not None:
        of_real = _Texts(REAL, written, len(real) < len(of_people), "", "there is no real text")
        found.figures.append(_coverage(column, of_real, rows, config, data.seed, sampled=sampled))
        found.real[DISPERSION] = dispersion(written) if len(written) >= LEAST_ROWS else None
    for each in strata:
        places = each.places(table.column(each.column))
        own = [every[places == place] for place in range(len(each.names))]
        values = [dispersion(part) if len(part) >= LEAST_ROWS else None for part in own]
        found.put(column, each.column, DISPERSION, values)


def missing(corpus: SourceTexts) -> str:
    return corpus.note or "the corpus has no passage"


def _spread(column: str, rows: F32, seed: int, *, sampled: bool) -> list[Figure]:
    meaning = "1 - mean cosine of two rows: 0 all alike, 1 nothing in common"
    near = "1 - cosine to the most similar other row of the sample, mean: near 0 where rows are near copies"
    if len(rows) < LEAST_ROWS:
        return [_unknown(f"{column}: {DISPERSION}", meaning, "there are not two rows")]
    low, high = dispersion_interval(rows, seed)
    distances = nearest(rows)
    least, most = mean_interval(distances, seed)
    figures = [
        Figure(f"{column}: {DISPERSION}", dispersion(rows), meaning, low, high, len(rows), sampled, better="higher"),
        Figure(f"{column}: {NEAREST}", float(distances.mean()), near, least, most, len(rows), sampled, better="higher"),
    ]
    return [of_sample(each) for each in figures]


@dataclass(frozen=True)
class _Texts:
    """What rows may cover: `vectors` of texts that are a sample of all or not; `absent` says why there are none."""

    of: str
    vectors: F32
    sampled: bool
    note: str
    absent: str


def _coverage(column: str, texts: _Texts, rows: F32, config: EmbeddingsConfig, seed: int, *, sampled: bool) -> Figure:
    """`sampled`: the rows are a sample. The figure names the texts as its basis where those are one, else the rows."""
    name = f"{column}: coverage of the {texts.of}"
    meaning = (
        f"share of {len(texts.vectors):,} texts of the {texts.of} with a row nearer than their "
        f"{config.neighbours}-th nearest neighbour among themselves"
    ) + (f" ({texts.note})" if texts.note else "")
    if not len(texts.vectors):
        return _unknown(name, "share of its texts that have a row nearby", texts.absent)
    try:
        flags = covered(texts.vectors, rows, config.neighbours)
    except ValueError as error:
        return _unknown(name, meaning, str(error))
    # Where every passage is covered, or none, a bootstrap of them would be a point.
    share = float(np.mean(flags))
    low, high = wilson(share, len(flags)) if share in (0.0, 1.0) else mean_interval(flags, seed)
    basis, part = len(texts.vectors if texts.sampled else rows), sampled or texts.sampled
    return of_sample(Figure(name, float(flags.mean()), meaning, low, high, basis, part, "share", "higher"))


def add_perplexity(found: Found, data: Data, intrinsic: IntrinsicConfig, strata: Sequence[Strata]) -> None:
    """Perplexity of every column, by stratum and of real texts; where the model is not there, figures that say so."""
    config = intrinsic.perplexity
    meaning = "how surprising a token is, all tokens alike: low is fluent or repetitive, high is unusual or garbled"
    try:
        scorer = load_scorer(config)
    except (FactoryError, ImportError, OSError, RuntimeError) as error:
        found.figures += [_unknown(f"{each}: {PERPLEXITY}", meaning, why(error)) for each in data.columns]
        return
    drawn, table = _drawn(data, config.rows, data.columns, strata, intrinsic.strata_rows)
    texts_of = {column: [text or "" for text in table.column(column).to_pylist()] for column in data.columns}
    real = drawn_texts(real_texts(data), config.rows, data.seed)
    data.say(
        f"intrinsic: perplexity of {table.num_rows:,} rows ({' and '.join(data.columns)}) and {len(real):,} real texts "
        f"under {scorer.name}, on {scorer.device}"
    )
    started = time.monotonic()
    progress = _Progress(data.say, scorer.work(real) + sum(scorer.work(texts) for texts in texts_of.values()))
    tokens = 0
    scored: dict[str, Likelihoods] = {}
    for column, texts in texts_of.items():
        scored[column] = likelihoods = scorer.score(texts, progress.of(column))
        tokens += int(likelihoods.tokens.sum())
        of_all = likelihoods.only(np.flatnonzero(drawn.sampled))
        value = of_all.perplexity()
        if math.isnan(value):
            found.figures.append(_unknown(f"{column}: {PERPLEXITY}", meaning, "no text has a token"))
            continue
        low, high = of_all.interval(data.seed)
        rows = len(of_all.tokens)
        sampled = rows < data.dataset.rows
        figure = Figure(f"{column}: {PERPLEXITY}", value, meaning, low, high, rows, sampled)
        found.figures.append(of_sample(figure))
        for each in strata:
            _perplexity_by(found, column, each, table, likelihoods)
    if real:
        of_real = scorer.score(real, progress.of("the real data"))
        tokens += int(of_real.tokens.sum())
        found.real[PERPLEXITY] = of_real.perplexity()
    seconds = time.monotonic() - started
    found.notes.append(f"Perplexity is under {scorer.name}; {tokens:,} tokens took {seconds:,.0f} s.")
    for each in strata:
        if len(each.names) > 1 and (chart := _chart(scored, each, table, data.seed)) is not None:
            found.charts.append(chart)


def _perplexity_by(found: Found, column: str, each: Strata, table: pa.Table, likelihoods: Likelihoods) -> None:
    places = each.places(table.column(each.column))
    own = [np.flatnonzero(places == place) for place in range(len(each.names))]
    values = [likelihoods.perplexity(rows) if len(rows) >= LEAST_ROWS else None for rows in own]
    found.put(column, each.column, PERPLEXITY, values)
    found.put(column, each.column, "of rows", [len(rows) for rows in own])


def _chart(scored: Mapping[str, Likelihoods], each: Strata, table: pa.Table, seed: int) -> Chart | None:
    """Perplexity by stratum with intervals."""
    places = each.places(table.column(each.column))
    series = []
    for column, likelihoods in scored.items():
        points = []
        for place, name in enumerate(each.names):
            rows = np.flatnonzero(places == place)
            if len(rows) >= LEAST_ROWS and likelihoods.tokens[rows].sum():
                own = likelihoods.only(rows)
                points.append((name, own.perplexity(), *own.interval(seed)))
        if points:
            x, y, low, high = zip(*points, strict=True)
            series.append(Series(column, x, y, low, high))
    if not series:
        return None
    return Chart(
        f"Perplexity by {each.column}", "bars", each.column, PERPLEXITY, tuple(series),
        "Thin lines are 95 % intervals of resampled rows: a wide one is a stratum of few or unlike rows.",
    )  # fmt: skip


@dataclass
class _Progress:
    """Says after the first batch, and now and then, how far scoring is and about how long the rest will take: by the
    characters that are done, of `work` in all."""

    say: Say
    work: int
    done: int = 0
    started: float = field(default_factory=time.monotonic)
    said: float = -math.inf

    def of(self, what: str) -> Told:
        def told(rows: int, of: int, work: int) -> None:
            self.done += work
            now = time.monotonic()
            if self.done and now - self.said >= TOLD_EVERY_S:
                self.said = now
                left = (now - self.started) / self.done * (self.work - self.done)
                self.say(f"intrinsic: perplexity of {what}: {rows:,} of {of:,}; in all about {in_time(left)} left")

        return told


def _column(data: Data, count: int, column: str) -> list[str | None]:
    texts: list[str | None] = data.dataset.sample(count, data.seed, [column]).column(column).to_pylist()
    return texts


def _known(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    held = values[~np.isnan(values)]
    return held if len(held) else np.zeros(1)


def _unknown(name: str, meaning: str, reason: str) -> Figure:
    return Figure(name, None, meaning, why=reason)
