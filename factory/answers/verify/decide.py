"""Which verifier looks at a row, and what it says: the one place that knows them all.

Design: `auto` asks the domain pack's own verifier where it has one (pack.py), then works out again what can be
(recompute.py) and looks whether a multiple-choice answer names an option there is, or an answer says its question over
and nothing else (echo.py). Nothing in it runs code that a model
wrote: `kind: code` does, in the sandbox. A verifier that has nothing to say leaves the row unchecked; only one that is
sure says yes or no.
"""

from __future__ import annotations

from collections.abc import Callable

from factory.answers.verify.choice import named_option, options_of, text_of_choice
from factory.answers.verify.config import VerifyConfig
from factory.answers.verify.echo import says_only
from factory.answers.verify.equality import compare
from factory.answers.verify.recompute import recomputed
from factory.answers.verify.verdict import Verdict

VERIFIERS = 2
"""Version of what verifiers decide, beside STEP_VERSION; part of the check step's folder."""

CHOICE, CODE, ECHO = "choice", "code", "echo"


def verify_answer(
    question: str, answer: str, final: str | None, config: VerifyConfig, own: Callable[[], Verdict] | None = None
) -> Verdict:
    """The verdict on one answer. `final` is its marked final answer, None where there is none; `own` what the domain
    pack's verifier says of it."""
    said = own() if own is not None and config.kind in PACK_KINDS else Verdict()
    if said.verified != "unchecked":
        return said
    found = _built_in(question, answer, final, config)
    return said if found.verified == "unchecked" and said.evidence else found


PACK_KINDS = ("auto", "pack")
"""`answer.verify.kind` under which the verifier of the domain pack is asked."""


def _built_in(question: str, answer: str, final: str | None, config: VerifyConfig) -> Verdict:
    kind = config.kind
    if kind in ("none", "pack"):
        return Verdict()
    if kind == "code":
        from factory.answers.verify.code import verify_code

        return verify_code(question, answer, config.code)
    if kind in ("auto", "choice") and (chosen := _choice(question, final, config)) is not None:
        return chosen
    if kind == "choice":
        return Verdict()
    if kind == "auto" and (times := says_only(question, answer)):
        return Verdict("no", ECHO, {"question_repeated": times})
    return recomputed(question, answer, final, config.tolerance)


def _choice(question: str, final: str | None, config: VerifyConfig) -> Verdict | None:
    """A letter that is no option, or stands beside the text of another one, is wrong; one that fits is unchecked."""
    options = options_of(question)
    if not options or final is None:
        return None
    letter = named_option(final)
    if letter is None:
        return None
    if letter not in options:
        return Verdict("no", CHOICE, {"answered": final[:200], "options": sorted(options)})
    beside = text_of_choice(final)
    if beside is None:
        return None
    fits = {
        name
        for name, text in options.items()
        if compare(text, beside, tolerance=config.tolerance, cpu_seconds=config.comparison_seconds).equal
    }
    if fits and letter not in fits:
        return Verdict("no", CHOICE, {"answered": final[:200], "option": options[letter][:200], "fits": sorted(fits)})
    return None
