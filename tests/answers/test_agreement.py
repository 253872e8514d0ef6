from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from factory.answers.agreement import count_votes
from factory.engine.api import FINISH_LENGTH, FINISH_STOP, Completion


def completion(*texts: str, finish: str = FINISH_STOP) -> Completion:
    return Completion("r", texts, (finish,) * len(texts), 10, (5,) * len(texts))


def ballot(answers: str) -> list[Completion]:
    return [completion(*(f"Final answer: {answer}" for answer in answers))]


def test_most_votes_win_and_the_first_of_equals() -> None:
    for answers, winner in (("aabb", "a"), ("abba", "a"), ("abbc", "b"), ("cab", "c")):
        found = count_votes(ballot(answers)).winner
        assert found is not None
        assert found.final == winner


def test_votes_are_for_the_normal_form_and_keep_the_first_writing() -> None:
    found = count_votes([completion("Final answer: 0.50", "So \\boxed{.5}", "The answer is $0.5$.")]).winner
    assert found is not None
    assert (found.final, found.count, found.text) == ("0.50", 3, "Final answer: 0.50")


def test_cut_off_empty_and_looping_samples_do_not_vote() -> None:
    loop = "and so on and so forth again " * 40
    counted = count_votes(
        [completion("Final answer: 1", finish=FINISH_LENGTH), completion("", loop, "Final answer: 2")]
    )
    assert (counted.voted, counted.samples) == (1, 4)
    assert dict(counted.spoilt) == {"truncated": 1, "empty_answer": 1, "degenerate_repetition": 1}


def test_nothing_usable_has_no_winner_and_is_open_while_samples_are_left() -> None:
    counted = count_votes([completion("", "")])
    assert counted.winner is None
    assert not counted.decided(1)
    assert counted.decided(0)


@given(st.text("abc", min_size=1, max_size=6), st.integers(0, 4))
def test_decided_means_that_no_continuation_changes_the_winner(answers: str, remaining: int) -> None:
    """Against every possible continuation, with an answer nobody gave yet (d) and spoilt samples (fewer votes)."""
    now = count_votes(ballot(answers))
    winners = set()
    for number in range(remaining + 1):
        for more in itertools.product("abcd", repeat=number):
            after = count_votes(ballot(answers + "".join(more))).winner
            assert after is not None
            winners.add(after.final)
    assert now.decided(remaining) == (len(winners) == 1)
