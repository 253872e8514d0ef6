"""What a unit's requests took: its ledger, and the part of it that single levels and subjects caused.

Design: a commit holds both, so every later sum is exact, also over units that other runs paid for or that a killed run
left. Requests are charged to the level their row names and to its subject, or the first subject that came of them; a
unit names at most SUBJECTS subjects, those that took most, the others stay in its ledger alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from factory.cost.amounts import BUSY, ENGINE_CORES, GPU_SECONDS, IDLE, PARTS, Split
from factory.engine.api import Completion
from factory.run.step import LlmStep, Row

SUBJECTS = 16
"""Some 32 bytes each in a commit of 1,500."""

Answers = Mapping[int, Sequence[Completion]]
"""Index of a row -> its completions, one a round."""


def ledger_of(step: LlmStep, answers: Answers) -> dict[str, float]:
    """Requests, tokens and engine time of a unit, and what deciding early saved (samples, and tokens at this unit's
    mean)."""
    completions = [completion for rounds in answers.values() for completion in rounds]
    taken = taken_by(completions)
    samples = sum(len(completion.texts) for completion in completions)
    saved = sum(
        step.samples_for_round(number)
        for rounds in answers.values()
        if rounds and rounds[-1].error is None
        for number in range(len(rounds), step.max_rounds)
    )
    return {
        **taken,
        "retries": sum(completion.retries for completion in completions),
        "samples": samples,
        "samples_saved": saved,
        "tokens_saved": round(saved * taken["generated_tokens"] / samples) if samples else 0,
    }


def taken_by(completions: Iterable[Completion]) -> dict[str, float]:
    """Requests, tokens, and, where an engine actor answered, seconds of engines, GPUs and cores (cost/amounts.py)."""
    taken: Counter[str] = Counter(requests=0, prompt_tokens=0, cached_tokens=0, generated_tokens=0)
    times: dict[str, float] = {}
    for completion in completions:
        taken["requests"] += 1
        taken["prompt_tokens"] += completion.prompt_tokens
        taken["cached_tokens"] += completion.cached_tokens
        taken["generated_tokens"] += sum(completion.generated_tokens)
        if (share := completion.share) is not None:
            held = share.busy_seconds + share.idle_seconds
            seconds = {BUSY: share.busy_seconds, IDLE: share.idle_seconds}
            if share.gpus:
                seconds[GPU_SECONDS + share.gpu_kind] = share.gpus * held
            if share.cores:
                seconds[ENGINE_CORES] = share.cores * share.busy_seconds
            for name, value in seconds.items():
                times[name] = times.get(name, 0.0) + value
    return {**taken, **times}


def split_of(rows: Sequence[Row], answers: Answers, subjects: Mapping[int, str]) -> dict[str, Split]:
    """What requests took by "level" (of tasks: their type) and by "subject"; `subjects` by index of the row, where it
    has none itself."""
    by_level: dict[str, list[Completion]] = {}
    by_subject: dict[str, list[Completion]] = {}
    for index, rounds in answers.items():
        row = rows[index]
        if row.get("level") is not None:
            by_level.setdefault(str(row.get("task") or row["level"]), []).extend(rounds)
        if subject := row.get("subject") or subjects.get(index):
            by_subject.setdefault(str(subject), []).extend(rounds)
    split: dict[str, Split] = {}
    if by_level:
        split["level"] = {name: _part(found) for name, found in sorted(by_level.items())}
    if by_subject:
        split["subject"] = largest({name: _part(found) for name, found in by_subject.items()}, SUBJECTS)
    return split


def _part(completions: Iterable[Completion]) -> list[float]:
    taken = taken_by(completions)
    return [round(taken.get(name, 0.0), 6) for name in PARTS]


def added(first: Sequence[float], second: Sequence[float]) -> list[float]:
    return [mine + theirs for mine, theirs in zip(first, second, strict=True)]


def largest(groups: Mapping[str, Sequence[float]], number: int) -> Split:
    """The groups that took most tokens, by name."""
    most = sorted(groups, key=lambda name: (-_tokens(groups[name]), name))[:number]
    return {name: list(groups[name]) for name in sorted(most)}


def _tokens(part: Sequence[float]) -> float:
    return part[PARTS.index("prompt_tokens")] + part[PARTS.index("generated_tokens")]
