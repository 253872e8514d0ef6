"""The check step on committed answers, and what `answer.require` makes of its verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from factory.answers.check import CheckStep
from factory.answers.config import AnswerConfig
from factory.answers.verify.config import VerifyConfig
from factory.config import load_config
from factory.errors import ConservationError
from factory.publish.required import check_keys, unmet, with_checks
from factory.run.attempt import StepRun, begin, finish
from factory.run.units import FileRef, Unit, UnitResult, unit_over
from factory.store.local import LocalStore
from factory.store.parquet import read_parquet
from factory.tables import ANSWER, CHECK

QUESTIONS = [
    ("What is 17*23?", "17*23 = 391.\nFinal answer: 391", "391"),
    ("What is 17*23?", "17*23 = 392.\nFinal answer: 392", "392"),
    ("Why do leaves fall?", "Because a layer of cells forms at their stalk.", None),
]


@dataclass(frozen=True)
class Written:
    store: LocalStore
    answers: FileRef
    checks: FileRef


def _commit(store: LocalStore, folder: str, unit: Unit, result: UnitResult) -> FileRef:
    receipt = finish(store, StepRun(folder, "run0"), begin(store, StepRun(folder, "run0"), unit, {}), result)
    assert receipt.commit is not None
    return receipt.commit.files[0]


def answers(rows: Sequence[tuple[str, str, str | None]] = QUESTIONS) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "answer_id": f"a{number}",
                "level": 1,
                "text": question,
                "answer": text,
                "final_answer": final,
                "sources": [],
            }
            for number, (question, text, final) in enumerate(rows)
        ],
        schema=ANSWER,
    )


@pytest.fixture
def written(tmp_path: Path) -> Written:
    store = LocalStore(str(tmp_path))
    table = answers()
    file = _commit(store, "answer-0", Unit("aa"), UnitResult(3, 3, (table,), "answer_id", input_ids_digest="0"))
    unit = unit_over(file)
    return Written(store, file, _commit(store, "check-0", unit, CheckStep(VerifyConfig()).work(store, unit)))


def test_every_answer_gets_one_row_in_its_order(written: Written) -> None:
    rows = read_parquet(written.store, written.checks.key).to_pylist()
    assert [row["answer_id"] for row in rows] == ["a0", "a1", "a2"]
    assert [(row["verified"], row["verified_by"]) for row in rows] == [
        ("yes", "recompute"),
        ("no", "equations"),
        ("unchecked", None),
    ]
    evidence = orjson.loads(rows[1]["check_evidence"])
    assert (evidence["expected"], evidence["answered"]) == ("391", "392")


def test_the_counts_of_a_unit_say_level_and_verifier(written: Written) -> None:
    result = CheckStep(VerifyConfig()).work(written.store, unit_over(written.answers))
    assert result.facts["verified=level 1: no"] == 1
    assert result.facts["verified_by=nothing could check it: unchecked"] == 1
    assert (result.inputs, result.used) == (3, 3)


def test_picked_rows_are_checked_alone(written: Written) -> None:
    result = CheckStep(VerifyConfig()).work(written.store, unit_over(written.answers, (2,)))
    assert result.tables[0].column("answer_id").to_pylist() == ["a2"]


@pytest.mark.parametrize(
    ("require", "rejected"),
    [
        ("any", {}),
        ("not_wrong", {1: "verified_wrong"}),
        ("checked", {2: "unverified"}),
        ("verified", {1: "verified_wrong", 2: "unverified"}),
    ],
)
def test_what_is_required_rejects_with_a_reason_and_the_evidence(
    written: Written, require: str, rejected: dict[int, str]
) -> None:
    joined = with_checks(written.store, answers(), [written.checks.key])
    found = unmet(joined, require)
    assert {place: reject.reason for place, reject in found.items()} == rejected
    if 1 in found:
        assert found[1].evidence["verified_by"] == "equations"
        assert found[1].evidence["expected"] == "391"


def test_rows_are_joined_by_id_and_a_missing_verdict_stops_the_run(written: Written) -> None:
    joined = with_checks(written.store, answers().take(pa.array([2, 0])), [written.checks.key])
    assert joined.column("verified").to_pylist() == ["unchecked", "yes"]
    assert joined.schema.names == [*ANSWER.names, *CHECK.names[1:]]
    more = answers([*QUESTIONS, ("What?", "That.", None)])
    with pytest.raises(ConservationError, match="a3 was not checked"):
        with_checks(written.store, more, [written.checks.key])


def test_settings_of_verification_leave_old_runs_their_ids_and_answers_their_folder() -> None:
    assert CheckStep(VerifyConfig()).identity() != CheckStep(VerifyConfig(tolerance=0.01)).identity()
    base: dict[str, Any] = {
        "corpus": {"kind": "docstrings"},
        "model": {"id": "m", "license": "MIT", "output_terms": "any"},
        "engine": {"kind": "scripted"},
        "store": {"root": "/tmp/x"},
    }
    recipe = load_config(base).recipe()
    assert not {"verify", "require"} & set(recipe["answer"])
    strict = load_config({**base, "answer": {"require": "verified", "verify": {"kind": "recompute"}}}).recipe()
    assert strict["answer"]["require"] == "verified"
    assert AnswerConfig().require == "any"


def test_check_files_are_found_by_the_answer_file_they_read(written: Written) -> None:
    from factory.run.outputs import Output

    outputs = [Output("u", written.answers.name, written.checks)]
    assert check_keys(outputs) == {written.answers.name: [written.checks.key]}
