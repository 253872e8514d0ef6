"""Planted secrets: alternatives of their format, exposure by rank, and counts in outputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from factory.errors import ConfigError
from factory.evaluate.privacy.canaries import Canary, alternatives, exposure, occurrences

ROOM = Canary("The code of room twelve is 4839-Kp.", "4839-Kp")


def test_alternatives_have_the_format_of_the_secret_and_are_others() -> None:
    found = alternatives(ROOM.secret, 200, 17)
    assert len(set(found)) == 200
    assert ROOM.secret not in found
    for each in found:
        assert each[:4].isdigit()
        assert each[4] == "-"
        assert each[5].isupper()
        assert each[6].islower()
    assert alternatives(ROOM.secret, 200, 17) == found
    assert alternatives(ROOM.secret, 200, 18) != found


def test_a_small_format_is_ranked_among_all_of_it() -> None:
    assert sorted(alternatives("7", 100, 17)) == list("012345689")


def loss_of(secret_rank: int) -> object:
    """A model that finds the secret the `secret_rank`-th likeliest."""

    def losses(texts: Sequence[str]) -> npt.NDArray[np.float64]:
        found = np.arange(len(texts), dtype=np.float64)
        found[0] = secret_rank - 0.5
        return found

    return losses


@pytest.mark.parametrize(("rank", "bits"), [(1, 10.0), (2, 9.0), (1024, 0.0)])
def test_exposure_is_log2_of_the_candidates_less_log2_of_the_rank(rank: int, bits: float) -> None:
    found = exposure(ROOM, loss_of(rank), 1023, 17)  # type: ignore[arg-type]
    assert (found.rank, found.candidates) == (rank, 1024)
    assert found.bits == pytest.approx(bits)


def test_a_model_that_tells_none_apart_exposes_nothing() -> None:
    assert exposure(ROOM, lambda texts: np.zeros(len(texts)), 255, 17).bits == 0.0


def test_secrets_that_cannot_be_ranked_are_refused() -> None:
    with pytest.raises(ConfigError, match="does not stand"):
        exposure(Canary("nothing here", "4839"), lambda texts: np.zeros(len(texts)), 10, 17)
    with pytest.raises(ConfigError, match="no alternatives"):
        exposure(Canary("wer? ???", "???"), lambda texts: np.zeros(len(texts)), 10, 17)


def test_outputs_with_a_canary_are_counted_whatever_its_case_and_blanks() -> None:
    outputs = ["the code of ROOM twelve\n is 4839-kp. Yes", "it was 4839-Kp", "4839 - Kp", "nothing"]
    assert occurrences([ROOM, Canary("a 1", "1")], outputs) == [(1, 3), (0, 0)]


def test_a_canary_is_found_in_every_spelling_that_the_gate_finds() -> None:
    lantern = Canary("the word is ZEBRA-LANTERN-48213", "ZEBRA-LANTERN-48213")
    outputs = ["Z\u200bEBRA-LANTERN-48213", "ＺＥＢＲＡ-LANTERN-48213", "zebra-\nlantern-48213", "ZEBRA-LANTERN-48214"]
    assert occurrences([lantern], outputs) == [(0, 3)]
