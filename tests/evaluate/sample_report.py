"""A realistic report's facts, with text as hostile as a crawl: what the tests of the page render."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from factory.cost.engines import EngineUse
from factory.cost.estimate.estimate import Estimate, Range, StepEstimate
from factory.evaluate.facts import (
    Bin,
    Categories,
    DatasetFacts,
    Distributions,
    EngineStarts,
    Example,
    GateFacts,
    ModelFacts,
    Numbers,
    ReportInput,
    SourceFacts,
    StepFacts,
)

SCRIPT = "<script>document.title='owned'</script>"
HANDLER = "<img src=x onerror=\"document.title='owned'\">"
BREAKOUT = "</p></blockquote></article></style></textarea><!-- ' \" &amp; ]]>"
TEMPLATE = "{{ 7 * 7 }} {% raw %} ${7*7} {{ config }}"
LATEX = r"\begin{align} \int_0^\infty e^{-x^2}\,dx &= \frac{\sqrt{\pi}}{2} \\ a < b & c > d \end{align}"
CONTROL = "nul \x00 bell \x07 escape \x1b[31m lone \ud800 override \u202etxt.exe\u202c end"
LONG = "unbroken" * 400
HOSTILE = (SCRIPT, HANDLER, BREAKOUT, TEMPLATE, LATEX, CONTROL, LONG)


def step(
    name: str,
    counts: tuple[int, int, int, int, int],
    reasons: Mapping[str, Mapping[str, int]] | None = None,
    tokens: tuple[int, int, int, int] | None = None,
    **other: Any,
) -> StepFacts:
    """counts: used, rejected, quarantined, accepted, output_rejected; tokens: requests, prompt, cached, generated."""
    used, rejected, quarantined, accepted, output_rejected = counts
    ledger: dict[str, float] = {}
    spent: dict[str, float] = {}
    if tokens:
        names = ("requests", "prompt_tokens", "cached_tokens", "generated_tokens")
        ledger = {**dict(zip(names, tokens, strict=True)), "engine_seconds": tokens[3] / 131.0}
        spent = dict(zip(names, tokens, strict=True))
    return StepFacts(
        name=name,
        folder=f"{name}-3f9c0a1b2c3d4e5f",
        units=max(1, (used + rejected) // 64),
        units_reused=other.pop("units_reused", 0),
        counts={
            "inputs": used + rejected + quarantined,
            "used": used,
            "rejected": rejected,
            "quarantined": quarantined,
            "produced": accepted + output_rejected,
            "accepted": accepted,
            "output_rejected": output_rejected,
        },
        reasons=reasons or {},
        ledger={**ledger, **other.pop("ledger", {})},
        spent_now=spent,
        wall_seconds=ledger.get("engine_seconds", 1.4),
        **other,
    )


def steps() -> tuple[StepFacts, ...]:
    refused = {"unsuitable_document": 9, "schema_mismatch": 4, "finish_length": 3}
    return (
        step(
            "select", (128, 22, 1, 412, 0), {"input": {"too_short": 19, "null_text": 3}, "quarantine": {"not_utf8": 1}}
        ),
        step("merge", (398, 14, 0, 398, 0), {"input": {"exact_duplicate": 14}}, reads=("select",)),
        step(
            "extract",
            (361, 36, 1, 361, 0),
            {"input": {"finish_length": 21, "no_concepts": 9, "repetition": 6}, "quarantine": {"engine_died": 1}},
            (398, 168_412, 61_204, 39_870),
            reads=("merge",),
            lost={"attempts": 2, "requests_at_most": 96},
        ),
        step(
            "question_1",
            (345, 16, 0, 702, 131),
            {"input": refused, "output": {"refers_to_document": 71, "not_a_question": 44, SCRIPT: 16}},
            (361, 171_004, 60_011, 41_233),
            reads=("extract",),
            units_reused=2,
        ),
        step(
            "question_2",
            (322, 39, 0, 322, 38),
            {"input": {"concept_not_echoed": 39}, "output": {"too_short": 22, "refers_to_document": 16}},
            (361, 184_230, 60_011, 28_114),
            reads=("extract",),
        ),
        step("sketch", (1024, 0, 0, 1024, 0), reads=("question_1", "question_2")),
        step("match", (1024, 0, 0, 1024, 0)),
        step("compare", (1024, 0, 0, 1024, 0)),
        step("decide", (1024, 0, 0, 911, 0)),
        step(
            "curate",
            (911, 113, 0, 911, 0),
            {"input": {"near_duplicate": 88, "exact_duplicate": 23, "benchmark_overlap": 2}},
            reads=("question_1", "question_2"),
        ),
        step(
            "answer",
            (846, 64, 1, 846, 65),
            {
                "input": {"nothing_accepted": 64},
                "output": {"no_final_answer": 48, "repetition": 17},
                "quarantine": {"timeout": 1},
            },
            (1_322, 401_120, 210_400, 188_402),
            reads=("curate",),
            ledger={"samples": 5288, "samples_saved": 1_002, "tokens_saved": 35_701},
            tail={"units": 40, "seconds": 22.0, "of_seconds": 610.0},
            split={"level": {"1": [800, 250_000, 130_000, 120_000, 900.0], "2": [522, 151_120, 80_400, 68_402, 500.0]}},
        ),
        step("samples", (846, 0, 0, 846, 0), reads=("answer",)),
        step("gate", (846, 0, 0, 846, 0), reads=("samples",)),
        step("shards", (846, 0, 0, 846, 0), reads=("samples",)),
    )


def lengths(seed: int, width: int, bins: int, centre: float) -> Numbers:
    rng = random.Random(seed)
    counts = [0] * bins
    for _ in range(820):
        counts[min(bins - 1, int(rng.lognormvariate(centre, 0.5)))] += 1
    closed = tuple(Bin(i * width, (i + 1) * width, rows) for i, rows in enumerate(counts))
    return Numbers((*closed, Bin(bins * width, None, 26)), 846, 0, 4, 9.5 * width, 19 * width, 41 * width, 10.2 * width)


def shares(counts: list[int]) -> Numbers:
    bins = tuple(Bin(i / 20, (i + 1) / 20, rows) for i, rows in enumerate(counts))
    rows = sum(counts)
    reached = [sum(counts[: place + 1]) for place in range(20)]
    median, p95 = (next(i + 1 for i, seen in enumerate(reached) if seen >= part * rows) / 20 for part in (0.5, 0.95))
    mean = sum((i + 0.5) / 20 * count for i, count in enumerate(counts)) / rows
    return Numbers(bins, rows, 0, 0.0, median, p95, 1.0, mean)


SUBJECTS = (
    "Mathematics", "Computer Science", "Statistics", "Linear Algebra", "Graph Theory", "Physics", SCRIPT,
    "Numerical Analysis", "Signal Processing", "Probability", "Number Theory", "Programming Languages",
    "Combinatorics", "Optimisation", "Geometry", "Data Structures", "Set Theory", "Calculus",
    "A subject with a name that is rather longer than anybody would have expected of a subject", "Logic",
)  # fmt: skip


def distributions() -> Distributions:
    subjects = tuple((name, 160 // (place + 1) + 4) for place, name in enumerate(SUBJECTS))
    rest = 846 - sum(rows for _, rows in subjects)
    return Distributions(
        rows=846,
        numbers={
            "question_tokens": lengths(1, 5, 26, 2.2),
            "answer_tokens": lengths(2, 20, 24, 2.0),
            "agreement": shares([0] * 4 + [3, 9, 14, 22, 35, 41, 60, 62, 70, 66, 81, 77, 60, 50, 46, 150]),
            "copied_share": shares([402, 160, 80, 60, 40, 30, 20, 14, 10, 8, 6, 4, 4, 2, 2, 1, 1, 1, 1, 0]),
        },
        categories={
            "subject": Categories(subjects, max(0, rest), 64, 846),
            "edu_level": Categories(
                (("college", 402), ("high_school", 261), ("grad_school", 140), ("other", 43)), 0, 4, 846
            ),
            "level": Categories((("1", 571), ("2", 275)), 0, 2, 846),
            "origin": Categories((("created", 790), ("extracted", 56)), 0, 2, 846),
            "verified": Categories((("unchecked", 846),), 0, 1, 846),
        },
    )  # fmt: skip


def example(number: int, question: str, answer: str, excerpt: str | None = None) -> Example:
    source = SourceFacts(
        doc_id="9b1c2d3e4f5a69788796a5b4c3d2e1f0",
        source="numpy" if number % 3 else HANDLER,
        url="https://numpy.org/doc/stable/" + "x" * 60 if number % 4 else "javascript:alert(1)",
        license="BSD-3-Clause",
        span_start=1_204,
        span_end=4_811,
        shard="shards/part-0003.parquet",
        shard_row=118,
        excerpt=excerpt,
        problem="" if excerpt is not None else "the passage could not be read (KeyError); its root may have been moved",
        cut_before=True,
        cut_after=True,
    )
    row = {
        "sample_id": f"{number:032x}",
        "question": question,
        "answer": answer,
        "final_answer": None if number % 5 == 0 else "a tensor of shape (3, 5)",
        "level": 1 + number % 2,
        "origin": "created",
        "edu_level": "college",
        "subject": "Linear Algebra",
        "concepts": ["einsum", "broadcasting", SCRIPT] if number % 2 else [],
        "agreement": 0.75,
        "samples": 4,
        "verified": "unchecked",
        "copied_share": 0.12,
        "license": "BSD-3-Clause",
        "question_tokens": 31,
        "answer_tokens": 84,
        "question_model": "SmolLM2-135M-Instruct",
        "lineage": {
            "run": "a3f01c22d9e84b10",
            "seed": 17,
            "question_prompt_id": "0b" * 16,
            "answer_prompt_id": "0c" * 16,
            "question_request_id": "0d" * 16,
            "answer_request_ids": ["0e" * 16, "0f" * 16],
            "answer_file": f"answer-3f9c/{'ab' * 16}/0",
            "answer_row": 12,
            "final": None,
        },
    }
    return Example(row, "train", (source,))


PASSAGE = (
    "The Einstein summation convention can be used to compute many multi-dimensional, linear algebraic array "
    "operations. einsum provides a succinct way of representing these. A non-exhaustive list of these operations, "
    "which can be computed by einsum, is shown below along with examples:\n\n* Trace of an array, numpy.trace.\n"
    "* Return a diagonal, numpy.diag.\n* Array axis summations, numpy.sum."
)


def examples() -> tuple[Example, ...]:
    question = "Which subscripts string makes numpy.einsum multiply a matrix of shape (3, 4) by one of shape (4, 5)?"
    answer = (
        "The subscripts 'ij,jk->ik' name the shared axis j, which is summed over, and keep i and k.\n\n"
        "So np.einsum('ij,jk->ik', a, b) equals a @ b.\n\nFinal answer: a tensor of shape (3, 5)"
    )
    plain = [example(number, question, answer, PASSAGE) for number in range(1, 6)]
    hostile = [example(10 + number, f"Q: {text}", f"A: {text}", f"S: {text}") for number, text in enumerate(HOSTILE)]
    return (*plain, *hostile, example(30, question, answer, None))[:13]


def config() -> dict[str, Any]:
    return {
        "answer": {"samples": 8, "samples_per_round": 4},
        "domain": {"name": "general", "path": None},
        "engine": {
            "kind": "vllm",
            "base_url": "http://somebody:hunter2@127.0.0.1:8000/v1",
            "api_key_env": "OPENAI_API_KEY",
            "extra": {"hf_token": "hf_verysecret", "max_model_len": 2048},
        },
        "prices": {"currency": "EUR", "engine_hour": 2.1, "million_prompt_tokens": 0.0, "million_generated_tokens": 0},
        "publish": {"name": "docstrings-demo", "validation": 0.02, "test": 0.02},
        "seed": 17,
    }


def report_input(**changes: Any) -> ReportInput:
    """A finished run of a small model over a small corpus."""
    whole = ReportInput(
        run="a3f01c22d9e84b10",
        state="finished",
        root="/data/factory demo",
        name="docstrings-demo",
        domain="general",
        engine_kind="vllm",
        started="2026-11-21T09:12:44+00:00",
        finished="2026-11-21T09:50:02+00:00",
        resumed=1,
        models=(
            ModelFacts(
                "SmolLM2-135M-Instruct",
                ("extract", "question", "answer"),
                "c0ffee00" * 8,
                "Apache-2.0",
                "Apache-2.0 places no restriction on the use of outputs",
                135_000_000,
            ),
        ),
        steps=steps(),
        engine_starts=(EngineStarts("c0ffee00" * 8, 1, 1),),
        engine_use=(
            EngineUse("SmolLM2-135M-Instruct", 0, f"{LONG[:90]}.example", "1 x H100", 1300, 1100, 9, 500, 170, 148),
            EngineUse("SmolLM2-135M-Instruct", 1, SCRIPT, "1 x H100", 1300, 1110, 9, 500, 170, 148),
        ),
        estimate=Estimate(
            "a3f01c22d9e84b10",
            "2026-11-21T08:00:00+00:00",
            (StepEstimate("extract", "measured", True, 0.0, Range(400, 390, 410), Range(170_000, 150_000, 190_000),
                          Range(30_000, 28_000, 32_000)),
             StepEstimate("answer", "a guess", False, 0.0, Range(2_000), Range(400_000), Range(180_000))),
            Range(2_400), Range(570_000), Range(210_000), None, None, "EUR",
        ),
        software={"vllm": "0.29.0", "ray": "2.60.0"},
        dataset=DatasetFacts(
            name="docstrings-demo",
            version="5b1d7c0e9f21",
            address="/data/factory demo/datasets/docstrings-demo/5b1d7c0e9f21",
            rows=846,
            splits=(
                {"name": "train", "rows": 812, "shards": 1},
                {"name": "validation", "rows": 19, "shards": 1},
                {"name": "test", "rows": 15, "shards": 1},
            ),
            license="BSD-3-Clause AND PSF-2.0",
            combined_sources="BSD-3-Clause AND PSF-2.0",
            licenses={"BSD-3-Clause": 770, "PSF-2.0": 61, "LicenseRef-" + "x" * 90: 15},
            tokenizer="SmolLM2-135M-Instruct",
            digest="ab" * 32,
        ),
        gates=(
            GateFacts("schema", "max", 0.0, 0.0, True, "rows without question, answer, documents or licence"),
            GateFacts("min_samples", "min", 50.0, 846.0, True, "samples to publish"),
            GateFacts("min_yield", "min", 0.01, 0.826, True, "samples a question produced", ("846 samples",)),
            GateFacts(
                "max_duplicate_start", "max", 0.5, 0.0934, True,
                "share of questions that begin with the commonest five words", (f"79 x '{SCRIPT} what is the'",),
            ),
            GateFacts("max_copied_share", "max", None, 0.021, True, "share of answers mostly copied from the source"),
        ),
        distributions=distributions(),
        examples=examples(),
        config=config(),
    )  # fmt: skip
    return replace(whole, **changes)
