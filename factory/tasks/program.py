"""Programs: a task with a signature and examples, hidden tests, and k programs of which tests choose one.

Design: the question stage writes task, signature and tests; the answer stage is shown the task with the first of them
as examples and never the others, so no program is judged by tests of its own author. Programs and tests are tried
against each other when the samples are there (answers/programs/trial.py); the row keeps every test, which were thrown
out and why, and how many programs passed each. The check step runs the chosen program again on what was kept: a
program that passes only sometimes is found, and other demands on tests never pay for new answers.

Cost: 0.1 ms a drafted task; answering, 0.2 s of processor time a sample for six tests of Python.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from factory.answers.programs.cases import Case
from factory.answers.programs.languages import LANGUAGES, declared_name, program_in
from factory.answers.programs.trial import FAILS_ALL, TaskCase, Trial, run, try_programs
from factory.answers.verify.surface import UNREADABLE
from factory.answers.verify.verdict import Verdict
from factory.concepts.extract import closed_object
from factory.concepts.reply import SCHEMA_MISMATCH
from factory.concepts.wording import clean_text
from factory.tasks.config import ProgramConfig
from factory.tasks.task import About, Data, Drafted, Given, Problem, Tried
from factory.tasks.wording import Wording

UNKNOWN_LANGUAGE, NO_SIGNATURE, SOLUTION_IN_TASK = "unknown_language", "no_signature", "solution_in_task"
TOO_FEW_TESTS = "too_few_tests"

UNREADABLE_TEST, ASKS_NOTHING, REPEATED, CONTRADICTS = "unreadable", "asks_nothing", "repeated", "contradicts"
"""Why a drafted test does not go into the row."""

DISAGREE = "tests_and_programs_disagree"
"""So many tests are failed by every program that neither side can vouch for the other."""

NOBODY_DOES_EXAMPLES = "no_program_does_the_examples"
"""Every sample breaks an example that the task shows: perhaps the example is wrong, and then the row is."""

BY = "tests"
"""What `verified_by` says."""

LONGEST_CASE = 400
"""Characters of a call or of what it gives."""

_SOLVED = re.compile(r"^\s*return\b.*$|^\s*(?:for|while|if)\b.*[:{]\s*$", re.MULTILINE)
_RAISES = re.compile(r"^raises [A-Za-z_]\w*$")


@dataclass(frozen=True)
class Program:
    """TaskType `program`."""

    config: ProgramConfig

    name = "program"
    shows_passage = False
    quotes = False
    votes = False
    asks_in_words = False
    wording = ("signature", "examples", "example")
    framed = None

    def item_schema(self) -> dict[str, Any]:
        case = closed_object({"call": {"type": "string"}, "expected": {"type": "string"}})
        return {
            "task": {"type": "string"},
            "language": {"type": "string", "enum": list(self.config.languages)},
            "signature": {"type": "string"},
            "tests": {"type": "array", "items": case, "minItems": self.config.tests, "maxItems": self.config.tests},
        }

    def definitions(self) -> dict[str, Any]:
        return {}

    def asked_with(self, about: About) -> Mapping[str, str]:
        forms = [f"{name}: {LANGUAGES[name].form}" for name in self.config.languages]
        return {
            "languages": ", ".join(self.config.languages),
            "forms": "; ".join(forms),
            "tests": str(self.config.tests),
        }

    def draft(self, item: Mapping[str, Any], about: About) -> Drafted | Problem:
        task, language, signature, tests = (item.get(key) for key in ("task", "language", "signature", "tests"))
        for field, value in (("task", task), ("language", language), ("signature", signature)):
            if not isinstance(value, str):
                return Problem(SCHEMA_MISMATCH, {"field": field})
        assert isinstance(task, str) and isinstance(language, str) and isinstance(signature, str)  # noqa: PT018
        if not isinstance(tests, list):
            return Problem(SCHEMA_MISMATCH, {"field": "tests"}, task)
        if language not in self.config.languages:
            return Problem(UNKNOWN_LANGUAGE, {"language": language[:40]}, task)
        task, signature = clean_text(task), _clean_signature(language, signature)
        name = declared_name(LANGUAGES[language], signature)
        if name is None or "\n" in signature or not _reads(language, signature):
            return Problem(NO_SIGNATURE, {"signature": signature[:200]}, task)
        if "```" in task and _SOLVED.search(task):
            return Problem(SOLUTION_IN_TASK, {"name": name}, task)
        cases, left_out = sorted_out(tests[: self.config.tests], language, name)
        if len(cases) < self.config.min_tests + self.config.shown:
            needed = self.config.min_tests + self.config.shown
            return Problem(TOO_FEW_TESTS, {"usable": len(cases), "needed": needed, "left_out": left_out}, task)
        shown = cases[: self.config.shown]
        data = {
            "language": language,
            "signature": signature,
            "name": name,
            "tests": [{"call": case.call, "expected": case.expected, "shown": case in shown} for case in cases],
            "left_out": left_out,
        }
        return Drafted(laid_out(about.wording, task, language, signature, shown), task, data)

    def answered_with(self, data: Data) -> Mapping[str, str]:
        return {"language": LANGUAGES[data["language"]].title, "fence": data["language"]}

    def answer_schema(self) -> None:
        return None

    def published(self, sample: str, data: Data) -> tuple[str, str | None] | None:
        return (sample, None) if program_in(sample, data["language"]) is not None else None

    def tried(self, samples: Sequence[str], data: Data) -> Tried:
        """Every sample holds a program (see `published`)."""
        programs = [program_in(sample, data["language"]) or "" for sample in samples]
        tests = [TaskCase(case, each["shown"]) for case, each in zip(cases_of(data), data["tests"], strict=True)]
        trial = try_programs(programs, data["language"], data["signature"], tests, self.config.sandbox)
        kept = sum(not reason for reason in trial.thrown_out)
        votes = Counter(f"{passed} of {kept} tests" for passed in trial.passed).most_common()
        return Tried(trial.winner, trial.agreement, votes, {**data, **_told(data, trial, len(programs))})

    def verify(self, data: Data, given: Given) -> Verdict:
        """yes where the program passes every test that was kept and there are enough of them; no where one fails."""
        evidence: dict[str, Any] = {"language": data["language"]}
        if data.get("problem"):
            return Verdict(evidence={**evidence, "because": data["problem"], "detail": data.get("detail", "")})
        program = program_in(given.text, data["language"])
        if program is None:
            return Verdict("no", BY, {**evidence, "because": "no program in the language that was asked for"})
        kept = [case for case, each in zip(cases_of(data), data["tests"], strict=True) if not each.get("thrown_out")]
        thrown_out = Counter(each["thrown_out"] for each in data["tests"] if each.get("thrown_out"))
        evidence |= {"tests": len(kept), "thrown_out": dict(thrown_out)}
        found = run(program, data["language"], kept, self.config.sandbox)
        if found.problem:
            return Verdict(evidence={**evidence, "because": found.problem, "detail": found.detail})
        evidence |= {
            "passed": [case.call for case, right in zip(kept, found.passed, strict=True) if right][:SHOWN_CALLS],
            "isolation": list(found.isolation),
        }
        if not all(found.passed):
            failed = [case.call for case, right in zip(kept, found.passed, strict=True) if not right]
            evidence |= {"failed": failed[:SHOWN_CALLS], "detail": found.detail}
            if any(each["shown"] and not each.get("passed_by", 1) for each in data["tests"]):
                evidence["because"] = NOBODY_DOES_EXAMPLES
            return Verdict("no", BY, evidence)
        if len(kept) < self.config.min_tests:
            return Verdict(evidence={**evidence, "because": TOO_FEW_TESTS})
        if thrown_out[FAILS_ALL] > self.config.max_failing * len(data["tests"]):
            return Verdict(evidence={**evidence, "because": DISAGREE})
        return Verdict("yes", BY, evidence)

    def identity(self) -> dict[str, Any]:
        return {
            "languages": list(self.config.languages),
            "tests": self.config.tests,
            "min_tests": self.config.min_tests,
            "shown": self.config.shown,
        }

    def check_identity(self) -> dict[str, Any]:
        return {
            "min_tests": self.config.min_tests,
            "max_failing": self.config.max_failing,
            "sandbox": self.config.sandbox.model_dump(mode="json"),
        }


SHOWN_CALLS = 8
"""Calls that evidence names."""


def cases_of(data: Data) -> list[Case]:
    return [Case(each["call"], each["expected"]) for each in data["tests"]]


def sorted_out(tests: Sequence[Any], language: str, name: str) -> tuple[list[Case], dict[str, int]]:
    """The tests that can be run, and how many were left out for which reason. Of two that contradict each other
    nobody knows which is right: neither is kept."""
    asked: dict[str, Case] = {}
    cases: dict[str, Case] = {}
    left_out: Counter[str] = Counter()
    for test in tests:
        reason, case = _read(test, language, name)
        if not reason and case.call in asked:
            reason = REPEATED if asked[case.call].expected == case.expected else CONTRADICTS
            if reason == CONTRADICTS:
                cases.pop(case.call, None)
        if reason:
            left_out[reason] += 1
        else:
            asked[case.call] = cases[case.call] = case
    return list(cases.values()), dict(sorted(left_out.items()))


def _read(test: Any, language: str, name: str) -> tuple[str, Case]:
    values = test if isinstance(test, dict) else {}
    call, expected = values.get("call"), values.get("expected")
    if not isinstance(call, str) or not isinstance(expected, str):
        return UNREADABLE_TEST, Case("", "")
    case = Case(clean_text(call).rstrip(";") if language == "python" else clean_text(call), clean_text(expected))
    if not case.call or len(case.call) > LONGEST_CASE or len(case.expected) > LONGEST_CASE:
        return UNREADABLE_TEST, case
    if not re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", case.call):
        return ASKS_NOTHING, case
    return ("" if _case_reads(language, case) else UNREADABLE_TEST), case


def _case_reads(language: str, case: Case) -> bool:
    if language != "python":
        return True
    try:
        ast.parse(case.call, mode="eval")
        if not _RAISES.match(case.expected):
            ast.literal_eval(case.expected)
    except (*UNREADABLE, TypeError):
        return False
    return True


_BODY = re.compile(r"[\s;{}]*(?:\.\.\.|\bpass)?[\s;{}]*$")


def _clean_signature(language: str, signature: str) -> str:
    """Without what begins a body, as models add it: a brace, `...`, a semicolon."""
    bare = _BODY.sub("", clean_text(signature).strip("`").strip())
    return f"{bare.rstrip(':').rstrip()}:" if language == "python" else bare


def _reads(language: str, signature: str) -> bool:
    if language != "python":
        return True
    try:
        ast.parse(f"{signature}\n    pass")
    except UNREADABLE:
        return False
    return True


def laid_out(wording: Wording, task: str, language: str, signature: str, shown: Sequence[Case]) -> str:
    """The task as whoever writes the program sees it."""
    about = wording.say("signature", language=LANGUAGES[language].title)
    lines = [task, "", about, "", f"```{language}", signature, "```"]
    examples = [wording.say("example", call=case.call, expected=case.expected) for case in shown]
    return "\n".join([*lines, *(["", wording.say("examples"), *examples] if examples else [])])


def _told(data: Data, trial: Trial, programs: int) -> dict[str, Any]:
    """What the row says of the trial, beside what it says of the task."""
    if trial.problem:
        return {"problem": trial.problem, "detail": trial.detail}
    tests = [
        {**test, "passed_by": passed, **({"thrown_out": reason} if reason else {})}
        for test, passed, reason in zip(data["tests"], trial.passed_by, trial.thrown_out, strict=True)
    ]
    return {"tests": tests, "programs": programs}
