"""How good a selector trained for one corpus against others is, there and on sources it never saw.

    python -m tests.bench.selector_quality CORPORA [--domain maths] [--elsewhere FILE ...] [--benchmarks FOLDER]
        [--forest MODEL] [--syllabus] [--report FILE]

CORPORA is a folder of folders of shards (Parquet, JSONL.gz or JSONL.zst with columns text and source); documents
of the folder named like the domain are of it, all others are not. A fifth of the distinct texts is held out, by
their hash. `--elsewhere` adds sources that no training saw: Parquet with columns text, source and label ("yes",
"no", or anything else for what is neither), beside sympy's and Python's documentation, MMLU by subject
(`--benchmarks`), and held-out documents of the other corpora dressed as LaTeX. Prints tables and, last, one JSON
object.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import gzip
import io
import itertools
import json
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow.parquet as pq
import zstandard

from factory.domains.config import DomainConfig
from factory.domains.syllabus import load_syllabus
from factory.identity import sha256_hex
from factory.select.forest_scorer import ForestScorer
from factory.select.scoring import Scorer, open_scorer
from factory.select.training.embedding import Embedder
from factory.select.training.examples import Example, Origin
from factory.select.training.explain import explain, markup_effects
from factory.select.training.fasttext_training import fasttext_scoring, train_fasttext
from factory.select.training.forest_training import embedder_for, train_forest
from factory.select.training.metrics import Metrics, kept_at, measure
from factory.select.training.report import Iteration, SelectorReport, build_selector_report
from factory.select.training.settings import FastTextSettings, ForestSettings
from tests.bench.marked_up import as_latex

THRESHOLD = 6.5
SEED = 17
PACKED_CHARACTERS = 1500
"""Benchmark questions are put together to texts of about this length."""

MATHS_SUBJECTS = ("abstract_algebra", "college_mathematics", "elementary_mathematics", "high_school_mathematics",
                  "high_school_statistics")  # fmt: skip
NEAR_SUBJECTS = ("physics", "econometrics", "computer_science", "machine_learning", "formal_logic", "engineering",
                 "astronomy", "chemistry", "accounting", "economics")  # fmt: skip


class RememberingEmbedder(Embedder):
    """Each text is embedded once, however often it is scored."""

    known: ClassVar[dict[str, np.ndarray]] = {}

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        if new:
            self.known.update(zip(new, super().embed(new), strict=True))
        return np.array([self.known[text] for text in texts])


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.selector_quality", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--domain", default="maths")
    parser.add_argument("--elsewhere", type=Path, action="append", default=[])
    parser.add_argument("--benchmarks", type=Path)
    parser.add_argument("--forest", metavar="MODEL", help="the paper's variant, looking through this model")
    parser.add_argument("--tokens", type=int, default=128, help="forest: tokens of a text (default 128)")
    parser.add_argument("--most", type=int, help="examples to train on, and to hold out, drawn from all")
    parser.add_argument("--most-of-a-source", type=int, default=600, help="texts of a source never seen (default 600)")
    parser.add_argument("--syllabus", action="store_true", help="entries of the packs' syllabi as examples too")
    parser.add_argument("--report", type=Path)
    options = parser.parse_args(arguments)

    training, held_out = split(labelled(options.corpora, options.domain))
    if options.most:
        training = random.Random(SEED).sample(training, min(options.most, len(training)))
        held_out = random.Random(SEED).sample(held_out, min(options.most, len(held_out)))
    if options.syllabus:
        training += syllabus_examples(options.domain)
    elsewhere = [*unseen(options, held_out)]
    started = time.monotonic()
    scorer, data, model_bytes = _trained(training, options)
    seconds = time.monotonic() - started
    metrics = _measured(scorer, held_out)
    judged = [example for example in elsewhere if example.rater != "neither"]
    report = SelectorReport(
        fingerprint=sha256_hex(data)[:16],
        domain=options.domain,
        kind="forest" if options.forest else "fasttext",
        threshold=THRESHOLD,
        seed=SEED,
        examples=Counter(example.origin for example in training),
        metrics=metrics,
        iterations=(Iteration("corpora", len(training), metrics),),
        elsewhere=_measured(scorer, judged),
        corpus=kept_at(scores := scorer.score([example.text for example in held_out])),
        corpus_scores=scores,
        explanation=explain(scorer, [example.text for example in held_out][: options.most_of_a_source]),
        markup=markup_effects(scorer, _groups(held_out, elsewhere), THRESHOLD),
        model_bytes=model_bytes,
    )
    _print(report, seconds)
    if options.report:
        options.report.write_text(build_selector_report(report))
    print(json.dumps(_closing(report, seconds)))
    return 0


def labelled(corpora: Path, domain: str) -> list[Example]:
    """Distinct texts of the folders of shards below `corpora`."""
    examples, seen = [], set()
    for path in sorted(corpora.rglob("*")):
        if not path.is_file():
            continue
        of_domain = path.parent.name == domain
        for row in _rows(path):
            if row["text"].strip() and row["text"] not in seen:
                seen.add(row["text"])
                examples.append(_example(row["text"], row["source"], of_domain=of_domain))
    return examples


def split(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Four fifths to train on, in a random order, and one fifth held out, chosen by the hash of their texts."""
    parts: tuple[list[Example], list[Example]] = ([], [])
    for example in examples:
        parts[int(example.doc_id[:8], 16) % 5 == 0].append(example)
    random.Random(SEED).shuffle(parts[0])
    return parts


def syllabus_examples(domain: str, times: int = 3) -> list[Example]:
    """Every topic and every subject of the shipped syllabi as a short text, those of `domain` as positives."""
    found = []
    for name in ("maths", "computer_science", "biomedical"):
        subjects: dict[str, list[str]] = defaultdict(list)
        for topic in load_syllabus(DomainConfig(name=name)).topics:
            subjects[topic.subject].append(f"{topic.topic}. {topic.scope}. {', '.join(topic.terms)}.")
        texts = [*itertools.chain(*subjects.values()), *(" ".join(entries) for entries in subjects.values())]
        found += [_example(text, f"syllabus {name}", of_domain=name == domain) for text in texts]
    return found * times


def unseen(options: argparse.Namespace, held_out: Sequence[Example]) -> Iterator[Example]:
    """Examples of sources that no training saw; rater "neither" where no side is right."""
    prose, most = [], options.most_of_a_source
    for path in options.elsewhere:
        by_source: dict[tuple[str, str], list[str]] = defaultdict(list)
        for row in pq.read_table(path).to_pylist():
            by_source[row["source"], row["label"]].append(row["text"])
        for (source, label), texts in by_source.items():
            yield from _sampled(texts, source, label, most)
    for source, texts in _docstrings().items():
        yield from _sampled(
            texts, f"{source} docstrings", {"sympy": "yes", "python": "no"}.get(source, "neither"), most
        )
    if options.benchmarks:
        for subject, texts in _mmlu(options.benchmarks / "mmlu"):
            label = "yes" if subject in MATHS_SUBJECTS else "no"
            if any(near in subject for near in NEAR_SUBJECTS):
                label = "neither"
            elif label == "no":
                prose += texts
            yield from _sampled(texts, f"mmlu {subject if label != 'no' else 'other subjects'}", label, most)
    others = [example.text[:6000] for example in held_out if example.score < THRESHOLD and len(example.text) > 1500]
    yield from _sampled([as_latex(text) for text in others], "other corpora dressed as LaTeX", "no", most)
    yield from _sampled([as_latex(text) for text in prose], "mmlu other subjects dressed as LaTeX", "no", most)


def _trained(training: Sequence[Example], options: argparse.Namespace) -> tuple[Scorer, bytes, int]:
    if options.forest:
        settings = ForestSettings(model=options.forest, max_tokens=options.tokens)
        embedder = RememberingEmbedder(embedder_for(settings).model)
        data = train_forest(training, settings, SEED, embedder=embedder)
        return ForestScorer(data, {}, embedder), data, len(data)
    data = train_fasttext(training, FastTextSettings(), SEED)
    return open_scorer(fasttext_scoring(), data), data, len(data)


def _measured(scorer: Scorer, examples: Sequence[Example]) -> Metrics:
    return measure(scorer.score([example.text for example in examples]), examples, THRESHOLD)


def _groups(held_out: Sequence[Example], elsewhere: Sequence[Example]) -> Mapping[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for example in held_out:
        groups["held out: of the domain" if example.score >= THRESHOLD else "held out: other"].append(example.text)
    for example in elsewhere:
        mark = {"neither": "~", "": "-" if example.score < THRESHOLD else "+"}[example.rater]
        groups[f"{mark} {example.source}"].append(example.text)
    return dict(sorted(groups.items()))


def _print(report: SelectorReport, seconds: float) -> None:
    for name, metrics in (("held out", report.metrics), ("sources never seen", report.elsewhere)):
        assert metrics is not None
        print(
            f"{name}: precision {_percent(metrics.precision.value)}, recall {_percent(metrics.recall.value)}, "
            f"F1 {metrics.f1 or 0:.3f}, ROC area {metrics.roc_area or 0:.3f}, {metrics.examples} texts"
        )
    print(f"trained in {seconds:.0f} s, {report.model_bytes / 1e6:.2f} MB")
    print(f"{'texts':<52}{'n':>6}{'kept':>9}{'stripped':>10}{'crossing':>10}")
    for effect in report.markup:
        shares = (effect.kept, effect.kept_stripped, effect.changed)
        print(f"{effect.group:<52}{effect.texts:>6}{''.join(f'{_percent(share):>10}' for share in shares)[1:]}")
    assert report.explanation is not None
    for direction in ("towards", "away"):
        words = getattr(report.explanation, direction)
        print(f"{direction}: {', '.join(f'{word.word} {word.effect:+.2f}' for word in words)}")


def _closing(report: SelectorReport, seconds: float) -> dict[str, object]:
    def figures(metrics: Metrics | None) -> dict[str, object]:
        assert metrics is not None
        keep = ("examples", "of_domain", "kept", "precision", "recall", "f1", "roc_area")
        return {name: value for name, value in dataclasses.asdict(metrics).items() if name in keep}

    return {
        "benchmark": "selector_quality",
        "kind": report.kind,
        "held_out": figures(report.metrics),
        "elsewhere": figures(report.elsewhere),
        "markup": [dataclasses.asdict(effect) for effect in report.markup],
        "seconds": round(seconds, 1),
        "model_bytes": report.model_bytes,
    }


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _example(text: str, source: str, *, of_domain: bool, rater: str = "") -> Example:
    origin: Origin = "user_positive" if of_domain else "corpus_negative"
    return Example(text, 10.0 if of_domain else 1.0, sha256_hex(text.encode())[:32], source, origin, rater)


def _sampled(texts: Sequence[str], source: str, label: str, most: int) -> Iterator[Example]:
    chosen = random.Random(SEED).sample(list(texts), min(most, len(texts)))
    rater = "" if label in ("yes", "no") else "neither"
    yield from (_example(text, source, of_domain=label == "yes", rater=rater) for text in chosen)


def _rows(path: Path) -> Iterator[Mapping[str, str]]:
    if path.suffix == ".parquet":
        yield from pq.read_table(path, columns=["text", "source"]).to_pylist()
    elif path.name.endswith(".jsonl.gz"):
        with gzip.open(path) as lines:
            yield from map(json.loads, lines)
    elif path.name.endswith(".jsonl.zst"):
        with path.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as stream:
            yield from map(json.loads, io.TextIOWrapper(stream, "utf-8"))


def _docstrings() -> dict[str, list[str]]:
    """The built-in corpus by package."""
    from factory.corpus.docstrings import ensure_docstrings
    from factory.engine.smollm2 import cache_root

    found: dict[str, list[str]] = defaultdict(list)
    for path in ensure_docstrings(cache_root()):
        for row in pq.read_table(path).to_pylist():
            found[row["source"].split()[0]].append(row["text"])
    return found


def _mmlu(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """(subject, texts of about PACKED_CHARACTERS)."""
    for path in sorted(folder.glob("*_test.csv")):
        with path.open(newline="") as file:
            questions = [" ".join(row[:5]) for row in list(csv.reader(file))[1:]]
        texts, held = [], ""
        for question in questions:
            held += question + "\n\n"
            if len(held) > PACKED_CHARACTERS:
                texts.append(held)
                held = ""
        yield path.stem.removesuffix("_test"), texts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
