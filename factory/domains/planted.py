"""The items of a pack, looked at as a run would look at its rows: what is not as expected, and what was never tried.

Design: the verifier is the one that the pack's own settings choose, with its code first (answers/verify/decide.py), so
an item shows what a row of a run would get. A gate is asked about one item at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.answers.config import AnswerConfig
from factory.answers.verify.decide import verify_answer
from factory.answers.verify.pack import ERROR, pack_verdicts
from factory.answers.verify.verdict import Verdict
from factory.domains.checks import Checks, FinalAnswer, Question, Sample, Terms
from factory.domains.items import Item, read_items
from factory.publish.gates.own import look
from factory.section import checked
from factory.vocabulary.entries import Entry
from factory.vocabulary.index import build_index


@dataclass(frozen=True)
class Tried:
    """`verdicts` counts items by expected verdict, `gates` those that each gate should find and should pass."""

    items: int
    verdicts: Mapping[str, int]
    gates: Mapping[str, tuple[int, int]]
    wrong: tuple[str, ...]
    notes: tuple[str, ...]


def try_items(path: Path, checks: Checks | None, settings: Mapping[str, Any]) -> Tried:
    """Raises ConfigError for a file that is not usable; items that come out otherwise than expected are in `wrong`."""
    items = read_items(path)
    config = checked(AnswerConfig, settings.get("answer", {}))
    wrong: list[str] = []
    gates = checks.gates if checks is not None else {}
    for item in items:
        place = f"{path.name}:{item.line}"
        if item.verified is not None:
            found = verdict_on(item, checks, config)
            if found.verified != item.verified:
                why = found.evidence.get(ERROR) or dict(found.evidence)
                wrong.append(f"{place}: verified={found.verified} where {item.verified} is expected ({why})")
            elif ERROR in found.evidence:
                wrong.append(f"{place}: {found.evidence[ERROR]}")
        for name, expected in item.gates.items():
            if name not in gates or checks is None:
                wrong.append(f"{place}: there is no gate `{name}` (there are: {', '.join(gates) or 'none'})")
                continue
            sample = Sample(place, item.question, answer_of(item), item.final_answer, item.level, item.edu_level,
                            item.subject, item.concepts, item.verified or "unchecked", item.passages,
                            terms_of(item))  # fmt: skip
            said = look(gates[name].find, [sample], checks.path)[0]
            if (said is not None) is not expected or (said or "").startswith("could not be looked at"):
                wrong.append(f"{place}: gate {name} says {said!r} where it should {'find' if expected else 'pass'} it")
    verdicts = {kind: sum(item.verified == kind for item in items) for kind in ("yes", "no", "unchecked")}
    counted = {name: _counts(items, name) for name in gates}
    notes = tuple(_untried(checks, verdicts, counted))
    return Tried(len(items), verdicts, counted, tuple(wrong), notes)


def verdict_on(item: Item, checks: Checks | None, config: AnswerConfig) -> Verdict:
    """What a run with the pack's settings would say of the item's final answer."""
    question = Question(
        item.question, item.level, item.edu_level, item.subject, item.concepts, item.passages, terms_of(item)
    )
    answer = FinalAnswer(item.final_answer, answer_of(item))
    verifies = checks is not None and checks.verify is not None

    def own() -> Verdict:
        assert checks is not None
        return pack_verdicts(checks, question, [answer])[0]

    return verify_answer(item.question, answer.text, item.final_answer, config.verify, own if verifies else None)


def terms_of(item: Item) -> Terms | None:
    entries = [Entry(term, kind=kind) for kind, terms in item.vocabulary.items() for term in terms]
    return build_index([("items", entries)], 0) if entries else None


def answer_of(item: Item) -> str:
    return item.answer or f"Final answer: {item.final_answer}"


def _counts(items: Sequence[Item], gate: str) -> tuple[int, int]:
    expected = [item.gates[gate] for item in items if gate in item.gates]
    return sum(expected), len(expected) - sum(expected)


def _untried(checks: Checks | None, verdicts: Mapping[str, int], gates: Mapping[str, tuple[int, int]]) -> list[str]:
    notes = []
    if checks is not None and checks.verify is not None:
        notes += [f"no item expects verified={kind}: plant one" for kind in ("yes", "no") if not verdicts[kind]]
    for name, (found, passed) in gates.items():
        if not found:
            notes.append(f"no item that gate {name} should find: plant one")
        if not passed:
            notes.append(f"no item that gate {name} should pass: plant one")
    return notes
