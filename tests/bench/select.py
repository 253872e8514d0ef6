"""The filters of `select` and its near-duplicate phase, beside the bare libraries they stand on.

Everything runs in this process on one core, on the built-in corpus cut into documents of about 1,500 characters
(real English prose, code and mathematics), in processor seconds, so other work on the machine matters little;
each part is measured `REPEATS` times, in turn with the others, and the median counts. Models and indexes are
loaded before. What is not here is what `select` costs besides: reading, and the tokenizer, which takes most of
it (docs/benchmarks.md, `pipeline`).
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from factory.config import FactoryConfig
from factory.curate.minhash import LshParameters
from factory.curate.words import tokenise
from factory.run.compose import compose
from factory.select.document_sketch import sketch_keys
from factory.select.filters import Candidate, Filter, Judge, judge
from factory.select.order import filters_of
from factory.store.local import LocalStore
from tests.bench.figures import Figures, Row

CHARACTERS = 1500
REPEATS = 5
BATCH = 256
BENCHMARK_ITEMS = 10_000

CHAIN_TARGET = 3000.0
PII_TARGET = 600.0
SCORING_TARGET = 0.8

OVERRIDES = ("preset=production", "engine=scripted", "store.root=unused", "select.selector.path=null")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--select-documents", type=int, default=4000, help="select: documents (default 4000)")


def measure(options: argparse.Namespace) -> Figures:
    count = 60 if options.tiny else options.select_documents
    documents = documents_of(count)
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as folder:
        store = LocalStore(folder)
        config = compose([*OVERRIDES, f"curate.benchmarks={_benchmark(Path(folder), documents)}"])
        filters = filters_of(config)
        judges = {each.name: _opened(each, store) for each in filters}
        cheap = [judges[name] for name in judges if name != "pii"]
        parts: dict[str, Callable[[], object]] = {
            "chain without pii": lambda: _through(cheap, documents),
            "chain": lambda: _through(list(judges.values()), documents),
            **{name: _alone(each, documents) for name, each in judges.items()},
            "near-duplicate sketches": lambda: _sketched(config, documents),
            **_language_parts(config, documents),
            **_selector_parts(documents),
        }
        seconds = _medians(parts, 1 if options.tiny else REPEATS)
    return _figures(count, documents, list(judges), seconds)


def _figures(count: int, documents: Sequence[str], names: Sequence[str], seconds: Mapping[str, float]) -> Figures:
    rates = {name: count / value for name, value in seconds.items()}
    scoring = seconds["bare fastText"] / seconds["selector"]
    language = seconds["bare lid.176"] / seconds["language"]
    chain = seconds["bare lid.176"] / seconds["chain without pii"]
    rows = [
        Row("documents, mean characters", f"{count:,}, {statistics.mean(map(len, documents)):,.0f}"),
        _rate("cheap filters without PII, documents/s on one core", rates["chain without pii"], CHAIN_TARGET),
        _rate("with PII", rates["chain"], PII_TARGET),
        *(Row(f"  {name}, microseconds a document", f"{1e6 / rates[name]:,.0f}") for name in names),
        Row("bare lid.176 on whole texts, documents/s", f"{rates['bare lid.176']:,.0f}"),
        Row("language filter / bare lid.176", f"{language:.2f}"),
        Row("cheap filters without PII / bare lid.176", f"{chain:.2f}"),
        Row("selector (fastText), documents/s", f"{rates['selector']:,.0f}"),
        Row(
            "selector / bare fastText predict on the prepared lines",
            f"{scoring:.2f}",
            f">= {SCORING_TARGET}:",
            scoring >= SCORING_TARGET,
        ),
        Row("selector with its preparation of texts, documents/s", f"{rates['selector from text']:,.0f}"),
        Row("near-duplicate sketches, documents/s", f"{rates['near-duplicate sketches']:,.0f}"),
    ]
    values = {
        "documents_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "scoring_ratio": round(scoring, 4),
        "language_ratio": round(language, 4),
        "chain_ratio_to_lid": round(chain, 4),
        "sizes": {"documents": count, "characters": CHARACTERS, "benchmark_items": BENCHMARK_ITEMS},
    }
    return Figures("select", rows, values)


def _rate(what: str, rate: float, target: float) -> Row:
    return Row(what, f"{rate:,.0f}", f">= {target:,.0f}:", rate >= target)


def documents_of(count: int) -> list[str]:
    """Texts of about CHARACTERS from the built-in corpus: short docstrings joined, long ones cut at a line."""
    from factory.corpus.docstrings import ensure_docstrings
    from factory.engine.smollm2 import cache_root

    texts: list[str] = []
    held = ""
    while len(texts) < count:
        for path in ensure_docstrings(cache_root()):
            for text in pq.read_table(path, columns=["text"]).column("text").to_pylist():
                held += text + "\n\n"
                while len(held) > CHARACTERS:
                    cut = held.rfind("\n", CHARACTERS // 2, CHARACTERS + 200)
                    cut = cut if cut > 0 else CHARACTERS
                    texts.append(held[:cut].strip())
                    held = held[cut:]
    draw = random.Random(0)
    draw.shuffle(texts)
    return texts[:count]


def _benchmark(folder: Path, documents: Sequence[str]) -> str:
    """A benchmark of questions that no document holds, as an override."""
    draw = random.Random(1)
    words = sorted({word for text in documents[:200] for word in text.split() if word.isalpha()})
    path = folder / "benchmark.jsonl"
    questions = (" ".join(draw.choices(words, k=30)) for _ in range(BENCHMARK_ITEMS))
    path.write_text("".join(json.dumps({"question": text}) + "\n" for text in questions))
    return f"[{{name: drawn, path: '{path}', fields: [question]}}]"


def _opened(each: Filter, store: LocalStore) -> Judge:
    each.prepare(store)
    return each.open(store)


def _through(judges: Sequence[Judge], documents: Sequence[str]) -> int:
    kept = 0
    for start in range(0, len(documents), BATCH):
        candidates = [Candidate(text, "source", "MIT", "") for text in documents[start : start + BATCH]]
        kept += sum(verdict is None for verdict in judge(judges, candidates))
    return kept


def _alone(each: Judge, documents: Sequence[str]) -> Callable[[], int]:
    return lambda: _through([each], documents)


def _sketched(config: FactoryConfig, documents: Sequence[str]) -> None:
    near = config.select.duplicates
    parameters = LshParameters(near.shingle_words, near.permutations, near.threshold or 0.8)
    for start in range(0, len(documents), BATCH):
        sketch_keys(tokenise(documents[start : start + BATCH]), parameters)


def _language_parts(config: FactoryConfig, documents: Sequence[str]) -> dict[str, Callable[[], object]]:
    from factory.select.lid import load_lid

    model = load_lid(config.select.language.model)
    lines = [" ".join(text.split()) for text in documents]
    return {"bare lid.176": lambda: model.predict(lines, k=1)}


def _selector_parts(documents: Sequence[str]) -> dict[str, Callable[[], object]]:
    """A selector trained on the spot; what it learns does not matter for its speed."""
    from factory.select.fasttext_scorer import FastTextScorer
    from factory.select.preprocessing import words_of
    from factory.select.training.examples import Example
    from factory.select.training.fasttext_training import train_fasttext
    from factory.select.training.settings import FastTextSettings

    marked = ["theorem proof lemma " + text if index % 2 else text for index, text in enumerate(documents)]
    examples = [
        Example(text, 10.0 if index % 2 else 1.0, str(index), "bench", "rated", "bench")
        for index, text in enumerate(marked[:1000])
    ]
    scorer = FastTextScorer(train_fasttext(examples, FastTextSettings(), 0))
    lines = [words_of(text) for text in documents]
    plain = [line.decode() for line in lines]
    return {
        "selector": lambda: scorer.score_lines(lines),
        "selector from text": lambda: scorer.score(documents),
        "bare fastText": lambda: scorer.model.predict(plain, k=1),
    }


def _medians(parts: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Processor seconds by part, the median over rounds in which all parts take turns; one round before warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for number in range(repeats + 1):
        for name, work in parts.items():
            started = time.process_time()
            work()
            if number:
                seconds[name].append(time.process_time() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}
