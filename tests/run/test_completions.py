"""What a completion goes through before anybody reads it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from factory.engine.api import Completion
from factory.run.completions import readable, unicode_text

PROSE = (
    "A spanning tree of a connected graph has one edge fewer than the graph has vertices, because each edge but "
    "those of a cycle joins two parts that were apart before; taking an edge of a cycle away leaves it connected. "
)


def completion(text: str, reason: str = "length") -> Completion:
    return Completion("r1", (text,), (reason,), 10, (5,))


@given(st.text(st.characters(codec=None)))
def test_any_text_can_be_stored_and_good_ones_stay_as_they_are(text: str) -> None:
    clean = unicode_text(text)
    assert clean.encode().decode() == clean
    assert len(clean) <= len(text)
    try:
        text.encode()
    except UnicodeEncodeError:
        assert "\ufffd" in clean or max(clean) >= "\U00010000"
    else:
        assert clean == text


def test_a_loop_at_the_end_of_the_budget_has_a_name_whatever_came_before() -> None:
    loops = [
        PROSE * 1 + "I do not know. " * 300,
        PROSE + "\n".join(["The sum of the two numbers is ten."] * 90),
        PROSE + "1, " * 900,
        "=" * 4000,
        PROSE + " ".join(f"{number}. What is the sum of the numbers in the list?" for number in range(120)),
    ]
    for text in loops:
        assert readable(completion(text)).finish_reasons == ("repetition",), text[-60:]


def test_prose_tables_and_calculations_that_were_cut_off_are_just_that() -> None:
    calculation = "\n".join(f"{n} * {n + 3} = {n * (n + 3)}, so the sum is {n * n + 7} now." for n in range(60))
    table = "\n".join(f"| {n} | {n * n} | {(n * 7919) % 1000} | {chr(97 + n % 26)}{n * 31 % 97} |" for n in range(120))
    words = [f"{a}{b}" for a in ("gra", "tre", "pol", "mat", "vec", "lim") for b in ("ph", "es", "ygon", "rix", "tor")]
    essay = " ".join(words[(number * number + 3 * number) % 29] + str(number % 13) for number in range(500))
    for text in (calculation, table, essay):
        assert readable(completion(text)).finish_reasons == ("length",)


def test_what_ended_by_itself_is_left_to_the_steps() -> None:
    stopped = completion("I do not know. " * 300, "stop")
    assert readable(stopped) is stopped
