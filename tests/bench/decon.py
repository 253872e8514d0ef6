"""Decontamination: recall of planted benchmark items by class and length, false positives, and speed.

The benchmarks are those of `--decon-data` (GSM8K, MATH-500, MMLU, ARC, HumanEval, MBPP, TruthfulQA as people publish
them); without that folder, questions are generated. Clean rows are sentences of the corpora beside it (else of the
built-in corpus) and questions made up from their words. Plants are made by the self-test's own generator, judged by the
same call that curation makes, on one core in one process, in processor seconds.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from factory.curate.benchmarks import Item, read_benchmarks
from factory.curate.decon.config import BenchmarkConfig, DecontaminationConfig
from factory.curate.decon.hits import Hit, Screen
from factory.curate.decon.index import ItemIndex, build_index, index_to_bytes
from factory.curate.decon.plants import LENGTHS
from factory.curate.decon.selftest import LOOK_ALIKE, Counted, SelfTest, judged, run_self_test
from factory.curate.decon.view import view, viewed_words
from factory.curate.words import tokenise
from tests.bench.figures import Figures, Row
from tests.runs import REPOSITORY

DATA = REPOSITORY.parent / "shared" / "data"

REPEATS = 3

SPEED_TARGET = 10.0
CLEAN_TARGET = 0.001

TARGETS: Mapping[str, tuple[int, float]] = {
    "verbatim": (0, 1.0),
    "case_unicode_latex": (0, 1.0),
    "one_word_edit": (0, 0.99),
    "one_word_in_ten": (8, 0.95),
    "truncated_60": (8, 0.95),
    "embedded": (0, 0.99),
}
"""Class -> words of the item from which the target holds, recall."""

SETS: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "gsm8k": ("gsm8k/test.jsonl", ("question",), ()),
    "math500": ("math500/test.jsonl", ("problem",), ()),
    "mmlu": ("mmlu/*.csv", ("question",), ("choice0", "choice1", "choice2", "choice3")),
    "arc_challenge": ("arc_challenge/test.jsonl", ("question",), ("A", "B", "C", "D")),
    "humaneval": ("humaneval/HumanEval.jsonl.gz", ("prompt",), ()),
    "mbpp": ("mbpp/mbpp.jsonl", ("text",), ()),
    "truthfulqa": ("truthfulqa/TruthfulQA.csv", ("Question",), ()),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--decon-data", type=Path, default=DATA, help="decon: folder with benchmarks/ and corpora/")
    parser.add_argument("--decon-rows", type=int, default=200_000, help="decon: clean rows (default 200,000)")
    parser.add_argument("--decon-plants", type=int, default=1000, help="decon: plants a class (default 1,000)")
    parser.add_argument("--decon-show", type=int, default=0, help="decon: false positives to print, for reading")


def measure(options: argparse.Namespace) -> Figures:
    rows_wanted, plants = (1500, 30) if options.tiny else (options.decon_rows, options.decon_plants)
    folder = options.decon_data if (options.decon_data / "benchmarks").is_dir() and not options.tiny else None
    rows = clean_rows(rows_wanted, folder)
    items = benchmark_items(folder) if folder else generated_items(rows, 300 if options.tiny else 5000)
    started = time.process_time()
    index = build_index(items)
    build_seconds = time.process_time() - started
    screen = Screen(index, DecontaminationConfig())
    list(judged(screen, rows[:512]))  # compiles
    seconds, tokenising, hits = _timed(screen, rows)
    test = run_self_test(screen, items, rows[:5000], plants, seed=0)
    near = neighbours(index)
    for place, hit in hits[: options.decon_show]:
        print(
            f"{hit.verdict} {hit.benchmark} {hit.item} {hit.rule} {hit.score:.2f}: {hit.span} <<< {rows[place][:300]}"
        )
    return _figures(rows, items, index, test, hits, screen, near, (build_seconds, seconds, tokenising), folder)


def _timed(screen: Screen, rows: Sequence[str]) -> tuple[float, float, list[tuple[int, Hit]]]:
    """Processor seconds of judging all rows, those of tokenising them alone (the least of REPEATS: others on the
    machine take caches away, and never give any), and the hits."""
    judging, tokenising = [], []
    hits: list[tuple[int, Hit]] = []
    for _ in range(REPEATS):
        started = time.process_time()
        hits = [(place, hit) for place, hit in enumerate(judged(screen, rows)) if hit is not None]
        judging.append(time.process_time() - started)
        started = time.process_time()
        for start in range(0, len(rows), 512):
            tokenise(rows[start : start + 512])
        tokenising.append(time.process_time() - started)
    return min(judging), min(tokenising), hits


def _figures(
    rows: Sequence[str], items: Sequence[Item], index: ItemIndex, test: SelfTest, hits: Sequence[tuple[int, Hit]],
    screen: Screen, near: tuple[int, int], times: tuple[float, float, float], folder: Path | None,
) -> Figures:  # fmt: skip
    build_seconds, seconds, tokenising = times
    marked = [hit for _, hit in hits if screen.rejects(hit)]
    share, micros = len(marked) / len(rows), seconds / len(rows) * 1e6
    words = view(tokenise(rows[:20_000])).counts.mean()
    table = [
        Row("benchmark texts, of which different", f"{len(items):,}, {len(index.names):,}"),
        Row("index: seconds to build, MiB", f"{build_seconds:.1f}, {len(index_to_bytes(index)) / 2**20:.1f}"),
        Row("clean rows, mean words", f"{len(rows):,}, {words:.0f}"),
        *(row for kind in test.counts for row in _recall_rows(kind, test)),
        Row("clean rows marked", f"{len(marked):,} ({share:.4%})", "< 0.1 %:", share < CLEAN_TARGET),
        *(Row(f"  by {rule}", f"{number:,}") for rule, number in Counter(hit.rule for hit in marked).most_common()),
        Row("clean rows similar to an item (reported, kept)", f"{len(hits) - len(marked):,}"),
        Row("items of 5 to 7 words; of them one word away from another item", f"{near[0]:,}; {near[1]:,}"),
        Row("microseconds a row, tokenising included", f"{micros:.1f}", "<= 10:", micros <= SPEED_TARGET),
        Row("  of that tokenising", f"{tokenising / len(rows) * 1e6:.1f}"),
        Row("rows/s on one core", f"{len(rows) / seconds:,.0f}"),
    ]
    recall = {
        kind: {
            **{name: _record(one) for name, one in by_length.items()},
            "all": _record(test.total(kind)),
            "from_8_words": _record(test.total(kind, 8)),
        }
        for kind, by_length in test.counts.items()
    }
    values = {
        "recall": recall,
        "clean_rows_marked": len(marked),
        "clean_share_marked": round(share, 6),
        "microseconds_a_row": round(micros, 2),
        "rows_per_second": round(len(rows) / seconds),
        "index_seconds": round(build_seconds, 2),
        "short_items": near[0],
        "short_items_one_word_apart": near[1],
        "benchmarks": "published" if folder else "generated",
        "sizes": {"rows": len(rows), "items": len(items), "plants_a_class": test.total("verbatim").plants},
    }
    notes = () if folder else ("The benchmarks were generated: the folder of `--decon-data` is not there.",)
    return Figures("decon", table, values, notes)


def _record(counted: Counted) -> dict[str, float]:
    return {"plants": counted.plants, "recall": round(counted.recall, 4), "similar": counted.similar}


def _recall_rows(kind: str, test: SelfTest) -> Iterator[Row]:
    """The class as a whole with its target, then by length of the item."""
    found = "similar" if kind == LOOK_ALIKE else "found"
    least, target = TARGETS.get(kind, (0, None))
    total = test.total(kind, least)
    share = getattr(total, found) / max(1, total.plants)
    scope = f", items from {least} words" if least else ""
    goal = f">= {target}:" if target else ""
    what = f"{kind}: reported as similar" if kind == LOOK_ALIKE else f"{kind}: recall"
    yield Row(what + scope, f"{share:.4f} of {total.plants:,}", goal, share >= target if target else None)
    if not least and kind == "one_word_edit":
        long = test.total(kind, 8)
        yield Row("  items from 8 words", f"{long.recall:.4f}")
    parts = []
    for _, _, name in LENGTHS:
        one = test.counts[kind].get(name)
        parts.append("-" if one is None else f"{getattr(one, found) / one.plants:.3f}")
    yield Row("  " + ", ".join(name for _, _, name in LENGTHS), ", ".join(parts))


def neighbours(index: ItemIndex) -> tuple[int, int]:
    """Items of 5 to 7 words, and how many of them differ from another item in one word: an edited copy of one cannot be
    told from the other."""
    lengths = index.words.counts
    masked: Counter[tuple[int, ...]] = Counter()
    texts = []
    for place in range(len(lengths)):
        if 5 <= lengths[place] <= 7:
            start = index.words.offsets[place]
            texts.append(tuple(index.words.hashes[start : start + lengths[place]].tolist()))
    for words in set(texts):
        for hole in range(len(words)):
            masked[(*words[:hole], 0, *words[hole + 1 :])] += 1
    near = sum(any(masked[(*words[:hole], 0, *words[hole + 1 :])] > 1 for hole in range(len(words))) for words in texts)
    return len(texts), near


def benchmark_items(folder: Path) -> list[Item]:
    configs = [
        BenchmarkConfig(name=name, path=str(folder / "benchmarks" / path), fields=fields, option_fields=options)
        for name, (path, fields, options) in SETS.items()
    ]
    return list(read_benchmarks(configs).items)


def generated_items(rows: Sequence[str], count: int) -> list[Item]:
    """Questions made up from words of the rows, four choices each; the rows' own questions come from another draw."""
    draw = random.Random("items")
    texts = _questions(rows, draw, _TEMPLATES[::2])
    return [
        Item(
            "generated", str(number), "question", next(texts), "question", tuple(_phrase(rows, draw) for _ in range(4))
        )
        for number in range(count)
    ]


def clean_rows(count: int, folder: Path | None) -> list[str]:
    """Three quarters sentences, one quarter questions made up; each once, in a fixed order."""
    draw = random.Random("rows")
    sentences = list(dict.fromkeys(_sentences(_corpus(folder, count), draw)))
    draw.shuffle(sentences)
    sentences = sentences[: count * 3 // 4]
    # Generated benchmarks use the other templates: two questions of one template are alike by construction.
    questions = _questions(sentences, draw, _TEMPLATES if folder else _TEMPLATES[1::2])
    rows = dict.fromkeys(sentences)
    while len(rows) < count:
        rows[next(questions)] = None
    result = list(rows)
    draw.shuffle(result)
    return result


def _sentences(texts: Sequence[str], draw: random.Random) -> Iterator[str]:
    """One to three sentences at a time, of 25 to 600 characters."""
    for text in texts:
        parts = re.split(r"(?<=[.?!])\s+", text)
        place = 0
        while place < len(parts):
            step = draw.choice([1, 1, 2, 2, 3])
            row = " ".join(" ".join(parts[place : place + step]).split())
            place += step
            if 25 < len(row) < 600:
                yield row


def _corpus(folder: Path | None, count: int) -> list[str]:
    from factory.corpus.docstrings import ensure_docstrings
    from factory.engine.smollm2 import cache_root

    found = sorted((folder / "corpora").glob("*/*")) if folder else []
    # The multilingual corpus is left out: the benchmarks are English, and foreign rows would be clean for free.
    paths = [path for path in found if "multilingual" not in path.parent.name]
    texts: list[str] = []
    for path in [*paths, *map(Path, ensure_docstrings(cache_root()))]:
        texts += _texts(path)
        if not paths and sum(map(len, texts)) > 400 * count:
            break
    return texts


def _texts(path: Path) -> list[str]:
    if path.suffix == ".parquet":
        return [str(text) for text in pq.read_table(path, columns=["text"]).column("text").to_pylist()]
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    elif path.suffix == ".zst":
        import zstandard

        data = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read()
    return [json.loads(line)["text"] for line in data.splitlines() if line.strip()]


_TEMPLATES = (
    "What is the difference between {a} and {b}?",
    "Which of the following best describes {a}?",
    "Which of the following is true about {a} and {b}?",
    "How many {w} are left when {n} of {m} {w} are given to {v}, who already has {k} of them?",
    "A {w} costs {n} dollars and a {v} costs {m} dollars more. How much do {k} of each cost together?",
    "Write a function to find {a} in a given list of {w}.",
    "Write a python function that checks whether {a} is {b}.",
    "Why does {a} depend on {b} when {c} is larger than {n}?",
    "What happens to {a} if {b} is replaced by {c}?",
    "Explain how {a} is used to show that {b}, and give an example with {n} {w}.",
    "If {w} is {n} and {v} is {m}, what is the value of {a}?",
    "Find the number of {w} for which {a} is at most {n}.",
)


def _questions(rows: Sequence[str], draw: random.Random, templates: Sequence[str]) -> Iterator[str]:
    """Questions in the manner of the benchmarks, without end, from phrases and words of the rows."""
    vocabulary = sorted({word for row in rows[:3000] for word in viewed_words(row) if len(word) > 3 and word.isalpha()})
    while True:
        numbers = {name: str(draw.randint(2, 400)) for name in "nmk"}
        phrases = {name: _phrase(rows, draw) for name in "abc"}
        yield draw.choice(templates).format(w=draw.choice(vocabulary), v=draw.choice(vocabulary), **numbers, **phrases)


def _phrase(rows: Sequence[str], draw: random.Random) -> str:
    """Two to six words in a row of some row."""
    words = re.findall(r"[A-Za-z][\w'-]*", draw.choice(rows)) or ["it"]
    start = draw.randrange(max(1, len(words) - 3))
    return " ".join(words[start : start + draw.randint(2, 6)])
