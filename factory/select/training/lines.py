"""Training lines: what fastText learns from, which is less than what it is shown when it scores.

Design: a word that was not in training is ignored at scoring, so leaving words out here costs nothing there.
English function words are left out: they tell styles apart (documentation from lectures, a language model's prose
from the web's), not fields. Each text comes twice, as it is and without its markup, so that neither formulas nor
their absence decide. Measured in docs/decisions/0003.
"""

from __future__ import annotations

from factory.select.preprocessing import excerpt, words_of
from factory.select.training.markup import strip_markup

_FUNCTION_WORDS = """
    a about above after again against all also am an and any are as at be because been before being below between
    both but by can could did do does doing down during each either few for from further had has have having he
    hence her here hers him his how however i if in into is it its itself just let may me might more most must my
    neither no nor not now of off on once one only or other our out over own same shall she should since so some
    still such than that the their them then there therefore these they this those though through thus to too two
    under until up upon us very was we were what when where whether which while who whom whose why will with would
    you your
"""

FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.encode().split())


def training_lines(text: str, *, function_words: bool) -> list[bytes]:
    """One line, or two where the text has markup; without empty ones."""
    shown = excerpt(text)
    lines = dict.fromkeys(_line(view, function_words) for view in (shown, strip_markup(shown)))
    return [line for line in lines if line]


def _line(text: str, function_words: bool) -> bytes:
    words = words_of(text).split()
    return b" ".join(words if function_words else [word for word in words if word not in FUNCTION_WORDS])
