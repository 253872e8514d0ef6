"""Diagnoses, and advice on treatment given to a person, and whether a passage holds them up.

Design: what speaks to somebody ("you should take", "stop your insulin", "you have pneumonia") or settles a case ("the
diagnosis is", "the patient has") is found by pattern. It is supported where a passage has evidence for its sentence, by
the same words in the same order (answers/grounding.py): advice that stands in a leaflet may be repeated, advice that a
model makes up may not. To tell somebody to see a doctor is no treatment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from factory.answers.grounding import grounding
from factory.domains.biomedical.writing import plain, sentences

SUPPORTED = 0.6
"""Share of a sentence's content words that need evidence in a passage: two of three in a short one."""

_SEEK_HELP = (
    r"(?! (?:\w+ )?(?:see|seek|consult|ask|contact|call|visit|talk to|speak to|speak with|go to|be seen|discuss|tell|"
    r"inform|check with|get medical)\b)"
)
_TREAT = (
    r"(?:take|taking|use|using|start|starting|stop|stopping|try|increase|increasing|reduce|reducing|lower|double|skip|"
    r"inject|apply|switch|discontinue|avoid|need|be (?:given|treated|started)|have (?:surgery|an operation))"
)
_SHOULD = r"(?:should|must|need to|have to|ought to|can safely|could safely|may safely|had better|can stop|can take)"
_THEIR_MEDICINE = r"(?:dose|medicines?|medications?|tablets|pills|insulin|treatment)"
_ADVICE = re.compile(
    rf"\byou {_SHOULD}{_SEEK_HELP} (?:\w+ )?{_TREAT}\b"
    r"|\byou (?:should|must|can|ought to)(?: \w+)? (?:take|stop|start|increase|reduce|double|skip|inject|discontinue)\b"
    r"|\byou (?:do not|don't) need (?:to see|a doctor|treatment|medical|antibiotics|surgery)"
    rf"|\bi (?:would )?(?:recommend|advise|suggest|prescribe)(?: that)? you (?:\w+ )?{_TREAT}\b"
    r"|\bi (?:would )?prescribe\b"
    r"|(?:^|[.:,-] |please )(?:take|(?:stop|start) (?:taking|using)|increase|reduce|double|skip|discontinue|inject) "
    rf"(?:\w+ ){{0,2}}?(?:your|his|her) (?:\w+ )?{_THEIR_MEDICINE}\b"
    r"|\bstop (?:taking )?your (?:\w+)\b"
    r"|\byour (?:treatment|therapy) (?:is|should be|will be)\b"
    rf"|\bthe patient (?:should|must|needs to|has to){_SEEK_HELP} (?:\w+ )?{_TREAT}\b"
)
_SURELY = r"(?:most likely |probably |likely |clearly |definitely |may |might |almost certainly )?"
_DIAGNOSIS = re.compile(
    rf"\byou {_SURELY}(?:have|suffer from|are suffering from|have got|are having|have developed) "
    r"(?!to\b|been\b|an? (?:question|choice|right)\b|any\b|not?\b|the (?:right|choice)\b|questions\b|"
    r"learned\b|seen\b|\d)"
    r"|\byou are (?:\w+ )?(?:diabetic|anaemic|anemic|depressed|epileptic|hypertensive|asthmatic|pregnant|infected)\b"
    r"|\byour (?:symptoms?|signs|results?|tests?|scans?|blood tests?) (?:\w+ )?(?:suggests?|indicates?|means?|shows?|"
    r"points? to|confirms?|(?:is|are) (?:\w+ )?(?:consistent with|typical of|caused by|due to))\b"
    r"|\byour (?:\w+ )?(?:diagnosis|condition|disease|illness) is\b"
    r"|\bi (?:would )?diagnose\b"
)
_CASE = re.compile(
    r"\bthe (?:\w+ ){0,2}diagnosis (?:is|would be|must be|of this patient is)\b"
    rf"|\b(?:the|this|that) (?:patient|man|woman|boy|girl|child|infant) {_SURELY}"
    r"(?:has|suffers from|is suffering from|has developed) (?!to\b|been\b|a \d|\d)"
)
_NEGATED = re.compile(r"\b(?:not|never|no|without|avoid|cannot)\b|n't\b")
_WORD = re.compile(r"[^\W\d_]{4,}")


@dataclass(frozen=True)
class Spoken:
    """A sentence that gives `kind` "advice" or "diagnosis"; `to_somebody` where it speaks to its reader or of one
    patient's treatment, else it settles a case."""

    kind: str
    sentence: str
    to_somebody: bool


def spoken(text: str) -> list[Spoken]:
    """The sentences of a text that advise somebody on a treatment, or say what somebody has."""
    found = []
    for sentence in sentences(text):
        read = plain(sentence)
        if _ADVICE.search(read):
            found.append(Spoken("advice", sentence, True))
        elif _DIAGNOSIS.search(read):
            found.append(Spoken("diagnosis", sentence, True))
        elif _CASE.search(read):
            found.append(Spoken("diagnosis", sentence, False))
    return found


def unsupported(said: Sequence[Spoken], passages: Sequence[str]) -> list[Spoken]:
    """Those for which no passage has evidence."""
    return [each for each in said if not (_repeated if each.to_somebody else _stated)(each, passages)]


def _repeated(said: Spoken, passages: Sequence[str]) -> bool:
    """Whether a passage speaks to its reader in most of the same words, and to the same effect."""
    words, negated = _content(said.sentence), _negations(said.sentence)
    for passage in passages:
        for each in spoken(passage):
            same_effect = each.to_somebody and _negations(each.sentence) == negated
            if same_effect and len(words & _content(each.sentence)) >= SUPPORTED * len(words):
                return True
    return False


def _stated(said: Spoken, passages: Sequence[str]) -> bool:
    share = grounding(said.sentence, passages).grounded_share
    if share is not None and share >= SUPPORTED:
        return True
    # What is diagnosed may stand there in another order, or the sentence be too short for grounding.
    words = _content(_CASE.split(plain(said.sentence))[-1])
    return any(words and words <= _content(passage) for passage in passages)


def _negations(sentence: str) -> int:
    return len(_NEGATED.findall(plain(sentence)))


def _content(text: str) -> set[str]:
    return set(_WORD.findall(plain(text))) - _COMMON


_COMMON_WORDS = """
that this with have your from most likely probably clearly diagnosis patient because which what should would must
"""
_COMMON = frozenset(_COMMON_WORDS.split())
