from __future__ import annotations

import pickle
from typing import Any

import pyarrow as pa
import pytest

from factory.answers.config import AnswerConfig
from factory.answers.step import AnswerStep
from factory.domains.config import DomainConfig
from factory.domains.pack import load_pack
from factory.engine.api import FINISH_LENGTH, FINISH_STOP, Completion
from factory.engine.config import SamplingConfig
from factory.tables import ANSWER

PACK = load_pack(DomainConfig())
SOURCE = "An array is a grid of values of one type, indexed by a tuple of integers that may not be negative here."
ROW: dict[str, Any] = {
    "question_id": "q1",
    "level": 1,
    "text": "What is 40 + 2?",
    "origin": "created",
    "edu_level": "college",
    "subject": "arithmetic",
    "concepts": [],
    "doc_ids": ["d1"],
    "walk_id": None,
    "prompt_id": "p",
    "request_id": "r",
    "sources": [{"chunk_id": "c1"}, {"chunk_id": "c1"}],
}
TEXTS = {"c1": SOURCE}


def step(samples: int = 1, per_round: int = 4) -> AnswerStep:
    return AnswerStep(AnswerConfig(samples=samples, samples_per_round=per_round), PACK, seed=3)


def completion(*texts: str, finish: str = FINISH_STOP, request: str = "r0") -> Completion:
    return Completion(request, texts, (finish,) * len(texts), 10, (5,) * len(texts))


def test_rounds_add_up_to_k() -> None:
    for samples in range(1, 20):
        for per_round in range(1, 8):
            answer = step(samples, per_round)
            rounds = [answer.samples_for_round(number) for number in range(answer.max_rounds)]
            assert sum(rounds) == samples
            assert all(1 <= size <= per_round for size in rounds)
            assert answer.sampling.samples == rounds[0]
            assert answer.samples_for_round(answer.max_rounds) == 0


def test_sampling_follows_the_config() -> None:
    config = AnswerConfig(sampling=SamplingConfig(temperature=0.2, top_k=5, max_tokens=77))
    sampling = AnswerStep(config, PACK, seed=3).sampling
    assert (sampling.temperature, sampling.top_k, sampling.max_tokens, sampling.seed) == (0.2, 5, 77, 3)


def test_the_prompt_holds_the_question_and_the_style() -> None:
    messages = step().prompt(ROW, TEXTS, "answer-0")
    assert ROW["text"] in messages[-1].content
    assert PACK.answer_style in messages[-1].content


def test_an_accepted_row_fits_the_table() -> None:
    parsed = step().parse(ROW, TEXTS, [completion("We add.\nFinal answer: 42")], "answer-0")
    table = pa.Table.from_pylist(parsed.accepted, schema=ANSWER)
    row = table.to_pylist()[0]
    assert (row["final_answer"], row["agreement"], row["samples"]) == ("42", 1.0, 1)
    assert row["question_id"] == "q1"
    assert row["votes"] == [{"final_answer": "42", "count": 1}]
    assert row["answer_request_ids"] == ["r0"]
    assert set(parsed.accepted[0]) == set(ANSWER.names)


def test_the_id_comes_from_question_and_folder_not_from_the_text() -> None:
    one = step().parse(ROW, TEXTS, [completion("Final answer: 42")], "answer-0").accepted[0]["answer_id"]
    other = step().parse(ROW, TEXTS, [completion("Final answer: 43")], "answer-0").accepted[0]["answer_id"]
    elsewhere = step().parse(ROW, TEXTS, [completion("Final answer: 42")], "answer-1").accepted[0]["answer_id"]
    assert one == other != elsewhere


def test_the_majority_wins_over_all_rounds() -> None:
    rounds = [
        completion("Final answer: 41", "So \\boxed{42}", request="r0"),
        completion("The answer is 42.", "Final answer: 40", request="r1"),
    ]
    row = step(4, 2).parse(ROW, TEXTS, rounds, "answer-0").accepted[0]
    assert (row["answer"], row["final_answer"], row["agreement"], row["samples"]) == ("So \\boxed{42}", "42", 0.5, 4)
    assert [vote["count"] for vote in row["votes"]] == [2, 1, 1]
    assert row["answer_request_ids"] == ["r0", "r1"]


def test_sampling_stops_once_the_leader_cannot_be_overtaken() -> None:
    answer = step(8, 4)
    agreed = completion(*["Final answer: 42"] * 4)
    assert not answer.undecided(ROW, [agreed])
    assert answer.saved_samples([agreed]) == 4
    assert answer.undecided(ROW, [completion(*["Final answer: 42"] * 3, "Final answer: 7")])
    assert not answer.undecided(ROW, [completion(*(f"Final answer: {n}" for n in range(4)))] * 2)
    assert not step(1).undecided(ROW, [completion("")])


def test_samples_cut_off_leave_the_question_open() -> None:
    assert step(8, 4).undecided(ROW, [completion(*["Final answer: 42"] * 4, finish=FINISH_LENGTH)])


@pytest.mark.parametrize(
    ("rounds", "reason"),
    [
        ([completion("  \n")], "empty_answer"),
        ([completion("We add and", finish=FINISH_LENGTH)], "truncated"),
        ([completion("and so on and so forth again " * 40)], "degenerate_repetition"),
        ([completion("", "", request="a"), completion("We", "We", "We", finish=FINISH_LENGTH)], "truncated"),
        ([completion()], "empty_answer"),
    ],
)
def test_a_question_without_a_usable_sample_is_one_reject(rounds: list[Completion], reason: str) -> None:
    parsed = step(8, 4).parse(ROW, TEXTS, rounds, "answer-0")
    assert parsed.accepted == []
    (reject,) = parsed.rejects
    assert (reject.item_id, reject.reason, reject.side) == ("q1", reason, "input")
    assert reject.evidence["samples"] == sum(len(round_.texts) for round_ in rounds)


def test_one_finished_sample_is_enough_beside_cut_off_ones() -> None:
    rounds = [Completion("r", ("We add", "Final answer: 42"), (FINISH_LENGTH, FINISH_STOP), 10, (5, 5))]
    row = step(2).parse(ROW, TEXTS, rounds, "answer-0").accepted[0]
    assert (row["final_answer"], row["samples"]) == ("42", 1)


def test_copying_from_the_source_is_measured() -> None:
    row = step().parse(ROW, TEXTS, [completion(SOURCE)], "answer-0").accepted[0]
    assert row["copied_share"] == 1
    assert row["final_answer"] is None


def test_identity_changes_with_what_changes_rows() -> None:
    assert step(1).identity() == step(1).identity()
    assert step(1).identity() != step(2).identity() != step(2, 1).identity()


def test_the_step_travels_to_workers() -> None:
    answer = pickle.loads(pickle.dumps(step(3)))
    assert answer == step(3)
    assert answer.response_schema is None
