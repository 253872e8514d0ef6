"""A unit of an LLM step, in three moves: prepare (read, render), ask (engine), settle (parse, account).

Design: preparing and settling are CPU tasks that run side by side with the engine; between them a unit
travels as one pickled payload, which Ray Data can neither split nor merge. Rows that cannot be asked about
are rejects before the engine sees them; a request that failed alone becomes a reject or is quarantined. A
row never takes its unit down, not even where a step's own code raises on it: that row is quarantined, with the
error as evidence. Where all rows of a unit fail so, it is the code that is wrong, and the run stops.

Cost around the engine: rendering, parsing and Parquet, well under 1 ms a
request (docs/benchmarks.md, `pipeline`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from factory.engine.api import Batch, Completion, Message, Request
from factory.errors import FactoryError
from factory.identity import ids_digest, make_id
from factory.run.charged import Answers, ledger_of, split_of
from factory.run.completions import readable, unicode_text
from factory.run.outputs import fetch_texts
from factory.run.reject import Reject
from factory.run.step import LlmStep, Parsed, Row
from factory.run.units import Unit, UnitResult
from factory.store.base import Store
from factory.store.parquet import read_parquet
from factory.tables import DOCUMENT, REQUEST, source_of
from factory.vocabulary.given import counted
from factory.vocabulary.use import vocabulary_of

REJECTED_ALONE = {"prompt_too_long", "schema_refused", "content_filter"}
"""Errors of a single request that say something about the row: rejects. Any other error says something about
the machinery, and its row is quarantined."""

PROMPT_FAILED, PARSE_FAILED = "prompt_failed", "parse_failed"
"""A step's own code raised on a row, or made a prompt of it that is no Unicode text."""


@dataclass(frozen=True)
class Prepared:
    """A unit's rows with their rendered prompts; `requests` and `asked` run in parallel."""

    rows: tuple[Row, ...]
    texts: Mapping[str, str]
    asked: tuple[int, ...]
    requests: tuple[Request, ...]
    refused: tuple[tuple[int, Reject], ...]
    facts: Mapping[str, int] = field(default_factory=dict)
    """What the commit says besides: what a vocabulary gave to prompts."""


def load_rows(store: Store, unit: Unit) -> list[Row]:
    """Input rows of a unit, each with `sources`. Documents get theirs here, from where they lie."""
    if unit.file is None:
        raise ValueError(f"unit {unit.unit_id} of a row-wise step has no parent file")
    table = read_parquet(store, unit.file.key)
    picks = range(table.num_rows) if unit.picks is None else unit.picks
    if unit.picks is not None:
        table = table.take(pa.array(unit.picks, pa.int64()))
    rows: list[Row] = table.to_pylist()
    if table.schema.names == DOCUMENT.names:
        for position, row in zip(picks, rows, strict=True):
            row["sources"] = [source_of(row, unit.file.name, position)]
    return rows


def prepare(store: Store, step: LlmStep, folder: str, unit: Unit) -> Prepared:
    rows = load_rows(store, unit)
    if rows and "text" in rows[0] and "chunk_id" in rows[0]:
        texts = {row["chunk_id"]: row["text"] for row in rows}
    else:
        texts = fetch_texts(store, [source for row in rows for source in row.get("sources", ())])
    vocabulary = vocabulary_of(step)
    if vocabulary is not None:
        vocabulary.load(store)
    asked: list[int] = []
    requests: list[Request] = []
    refused: list[tuple[int, Reject]] = []
    failures: list[Exception] = []
    for index, row in enumerate(rows):
        prompt = _prompt(step, row, texts, folder, failures)
        if isinstance(prompt, Reject):
            refused.append((index, prompt))
            continue
        asked.append(index)
        requests.append(Request(request_id(folder, step.item_id(row), 0), prompt))
    _raise_if_all_failed(failures, len(rows))
    facts = counted(vocabulary, (passages_in(rows[index], texts) for index in asked)) if vocabulary else {}
    return Prepared(tuple(rows), texts, tuple(asked), tuple(requests), tuple(refused), facts)


def passages_in(row: Row, texts: Mapping[str, str]) -> list[str]:
    """The distinct passages that a row of any step rests on."""
    chunks = dict.fromkeys(source["chunk_id"] for source in row.get("sources") or ())
    return [texts[chunk] for chunk in chunks if chunk in texts]


def _prompt(
    step: LlmStep, row: Row, texts: Mapping[str, str], folder: str, failures: list[Exception]
) -> tuple[Message, ...] | Reject:
    try:
        prompt = step.prompt(row, texts, folder)
        if not isinstance(prompt, Reject):
            for message in prompt:
                message.content.encode()
        return prompt
    except FactoryError:
        raise
    except Exception as error:
        failures.append(error)
        return Reject(step.item_id(row), PROMPT_FAILED, "quarantine", {"detail": _said(error)})


def _said(error: Exception) -> str:
    return unicode_text(f"{type(error).__name__}: {error}")[:500]


def _raise_if_all_failed(failures: Sequence[Exception], rows: int) -> None:
    if len(failures) == rows > 1:
        raise failures[0]


def request_id(folder: str, item_id: str, round_number: int) -> str:
    return make_id("request", folder, item_id, round_number)


async def ask(
    step: LlmStep, folder: str, prepared: Prepared, generate: Callable[[Batch], Awaitable[list[Completion]]]
) -> dict[int, list[Completion]]:
    """Runs rounds until no row is undecided: the first asks about every row, later ones only the undecided."""
    answers: dict[int, list[Completion]] = {index: [] for index in prepared.asked}
    open_rows = list(zip(prepared.asked, prepared.requests, strict=True))
    for number in range(step.max_rounds):
        if not open_rows:
            break
        sampling = replace(step.sampling, samples=step.samples_for_round(number))
        batch = Batch(tuple(request for _, request in open_rows), sampling, step.response_schema)
        for (index, _), completion in zip(open_rows, await generate(batch), strict=True):
            answers[index].append(readable(completion))
        open_rows = [
            (index, replace(request, request_id=request_id(folder, step.item_id(prepared.rows[index]), number + 1)))
            for index, request in open_rows
            if answers[index][-1].error is None and _undecided(step, prepared.rows[index], answers[index])
        ]
    return answers


def _undecided(step: LlmStep, row: Row, rounds: Sequence[Completion]) -> bool:
    """Of completions that the step cannot even count: no, and `settle` says what is wrong with them."""
    try:
        return step.undecided(row, rounds)
    except FactoryError:
        raise
    except Exception:
        return False


def settle(step: LlmStep, folder: str, prepared: Prepared, answers: Answers) -> tuple[UnitResult, pa.Table]:
    """Accepted rows, rejects and the requests table of a unit; every input row is accounted for."""
    accepted: list[Row] = []
    rejects: list[Reject] = [
        reject if reject.side == "quarantine" else replace(reject, side="input") for _, reject in prepared.refused
    ]
    failures: list[Exception] = []
    subjects: dict[int, str] = {}
    used = 0
    for index in prepared.asked:
        row = prepared.rows[index]
        parsed = _parsed(step, folder, row, prepared.texts, answers[index], failures)
        accepted.extend(parsed.accepted)
        rejects.extend(parsed.rejects)
        used += bool(parsed.accepted)
        if parsed.accepted and (subject := parsed.accepted[0].get("subject")):
            subjects[index] = subject
        if not parsed.accepted and not any(reject.side != "output" for reject in parsed.rejects):
            rejects.append(_nothing_left(step.item_id(row), parsed))
    _raise_if_all_failed(failures, len(prepared.asked))
    table = pa.Table.from_pylist(accepted, schema=step.schema)
    result = UnitResult(
        inputs=len(prepared.rows),
        used=used,
        tables=(table,) if accepted else (),
        id_column=step.id_column,
        rejects=tuple(rejects),
        input_ids_digest=ids_digest(step.item_id(row) for row in prepared.rows),
        ledger=ledger_of(step, answers),
        facts={**prepared.facts, **({"split": split} if (split := split_of(prepared.rows, answers, subjects)) else {})},
    )
    return result, requests_table(step, prepared, answers)


def _parsed(
    step: LlmStep,
    folder: str,
    row: Row,
    texts: Mapping[str, str],
    rounds: Sequence[Completion],
    failures: list[Exception],
) -> Parsed:
    good = [completion for completion in rounds if completion.error is None]
    if good:
        try:
            return step.parse(row, texts, good, folder)
        except FactoryError:
            raise
        except Exception as error:
            failures.append(error)
            evidence = {"detail": _said(error), "request_id": good[-1].request_id}
            text = good[-1].texts[0] if good[-1].texts else None
            return Parsed(rejects=[Reject(step.item_id(row), PARSE_FAILED, "quarantine", evidence, text)])
    failed = rounds[-1]
    reason = failed.error or "no_completion"
    return Parsed(
        rejects=[
            Reject(
                step.item_id(row),
                reason,
                side="input" if reason in REJECTED_ALONE else "quarantine",
                evidence={"detail": failed.error_detail, "request_id": failed.request_id},
            )
        ]
    )


def _nothing_left(item_id: str, parsed: Parsed) -> Reject:
    """Every output of the row was rejected, or there were none: the row itself yields nothing."""
    reasons = sorted({reject.reason for reject in parsed.rejects})
    return Reject(item_id, "nothing_accepted" if reasons else "empty_output", evidence={"outputs_rejected": reasons})


def requests_table(step: LlmStep, prepared: Prepared, answers: Answers) -> pa.Table:
    prompts = dict(zip(prepared.asked, prepared.requests, strict=True))
    rows: list[dict[str, Any]] = [
        {
            "request_id": completion.request_id,
            "item_id": step.item_id(prepared.rows[index]),
            "round": number,
            "prompt_sha256": prompts[index].prompt_sha256(),
            "prompt_tokens": completion.prompt_tokens,
            "cached_tokens": completion.cached_tokens,
            "generated_tokens": list(completion.generated_tokens),
            "finish_reasons": list(completion.finish_reasons),
            "texts": list(completion.texts),
            "latency": completion.latency,
            "error": completion.error,
        }
        for index, rounds in answers.items()
        for number, completion in enumerate(rounds)
    ]
    return pa.Table.from_pylist(rows, schema=REQUEST)
