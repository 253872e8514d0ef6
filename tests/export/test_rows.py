"""Chats, prompts and completions, as trainers read them."""

from __future__ import annotations

from typing import Any

import pytest

from factory.errors import ConfigError, GateError
from factory.export.prompt_completion import reason
from factory.publish.samples import DIGITAL_SOURCE_TYPE
from tests.export.conftest import Exports
from tests.runs import dataset_rows


def published_rows(exports: Exports) -> list[dict[str, Any]]:
    return dataset_rows(str(exports.dataset))["train"].to_pylist()


@pytest.mark.parametrize("file_format", ["parquet", "jsonl", "jsonl.zst"])
def test_datasets_reads_every_row_of_a_chat_export_in_the_order_of_the_dataset(
    exports: Exports, file_format: str
) -> None:
    exports("chat", file_format=file_format)
    published, rows = published_rows(exports), exports.rows()
    assert [row["messages"] for row in rows] == [row["messages"] for row in published]
    assert [row["sample_id"] for row in rows] == [row["sample_id"] for row in published]
    assert {row["digital_source_type"] for row in rows} == {DIGITAL_SOURCE_TYPE}
    for name in ("synthetic", "license", "duties", "attribution", "answer_model", "verified"):
        assert [row[name] for row in rows] == [row[name] for row in published], name


def test_a_prompt_and_its_completion_make_the_chat_again(exports: Exports) -> None:
    exports("prompt_completion")
    published = published_rows(exports)
    assert [row["prompt"] + row["completion"] for row in exports.rows()] == [row["messages"] for row in published]


def test_plain_prompts_and_completions_are_question_and_answer(exports: Exports) -> None:
    exports("prompt_completion", plain=True, file_format="jsonl")
    told = [(row["prompt"], row["completion"]) for row in exports.rows()]
    assert told == [(f"{row['question']}\n\n", row["answer"]) for row in published_rows(exports)]


def test_chats_of_other_turns_are_told_apart_by_name() -> None:
    user, assistant = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
    system = {"role": "system", "content": "s"}
    assert not reason([user, assistant], plain=True)
    assert not reason([system, user, assistant, user, assistant], plain=False)
    assert reason([system, user, assistant], plain=True) == "not_one_question_and_answer"
    assert reason([user, assistant, user], plain=False) == "no_answer_at_the_end"
    assert reason([assistant], plain=False) == "no_prompt"


def test_only_rows_that_meet_every_condition_are_exported_and_the_others_counted(exports: Exports) -> None:
    published = published_rows(exports)
    wanted = [row["sample_id"] for row in published if "MIT" in row["licenses"] and row["question_tokens"] >= 5]
    assert 0 < len(wanted) < len(published)
    made = exports("chat", where=("licenses=MIT", "question_tokens>=5"))
    assert [row["sample_id"] for row in exports.rows()] == wanted
    counts = made.manifest["totals"]["counts"]
    assert (counts["read"], counts["used"]) == (len(published), len(wanted))
    assert counts["left_out"] == {"where": len(published) - len(wanted)}


def test_of_rows_none_of_which_is_verified_nothing_is_exported(exports: Exports) -> None:
    verified = [row["verified"] for row in published_rows(exports)].count("yes")
    assert not verified
    with pytest.raises(GateError, match=r"not one row came through(.|\n)*not_verified"):
        exports("chat", verified=True)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("levle=1", "did you mean level"),
        ("level", "no condition"),
        ("level=one", "'one' is no int8"),
        ("licenses>=a", "cannot be compared with >="),
        ("lineage=1", "a part of a structure"),
        ("lineage.rum=1", "did you mean run"),
    ],
)
def test_a_condition_that_cannot_hold_is_refused_before_a_row_is_read(
    exports: Exports, condition: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        exports("chat", where=(condition,))
    assert not (exports.folder / "export").exists()


def test_a_part_of_a_structure_can_be_asked_for(exports: Exports) -> None:
    run = published_rows(exports)[0]["lineage"]["run"]
    assert exports("chat", "all", where=(f"lineage.run={run}",)).manifest["totals"]["rows"]
    with pytest.raises(GateError):
        exports("chat", "none", where=(f"lineage.run!={run}",))


def test_a_split_that_is_not_there_is_refused(exports: Exports) -> None:
    with pytest.raises(ConfigError, match=r"no split 'dev'(.|\n)*train"):
        exports("chat", splits=("dev",))
