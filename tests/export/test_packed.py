"""How samples share rows, and which of their tokens are learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.engine import smollm2
from factory.errors import ConfigError
from factory.export.forms import form_of
from factory.export.packed import fitted
from factory.export.recipe import Recipe
from factory.export.tokenizing import NOT_RENDERED, Tokens, loaded, named_tokenizer, tokens_of_chats, tokens_of_texts


@given(st.lists(st.integers(1, 50), max_size=60))
def test_every_sample_lies_in_one_row_whole_and_no_two_rows_would_fit_into_one(lengths: list[int]) -> None:
    rows = fitted(lengths, 50)
    assert sorted(number for row in rows for number in row) == list(range(len(lengths)))
    filled = sorted(sum(lengths[number] for number in row) for row in rows)
    assert all(each <= 50 for each in filled)
    assert len(filled) < 2 or filled[0] + filled[1] > 50
    assert rows == sorted(rows) == [sorted(row) for row in rows]


def test_the_row_with_the_least_room_that_fits_is_taken() -> None:
    assert fitted([6, 7, 3, 4, 10], 10) == [[0, 3], [1, 2], [4]]


@pytest.fixture(scope="module")
def folder() -> str:
    return str(smollm2.prepare())


def learned(folder: str, tokens: Tokens | str) -> str:
    assert isinstance(tokens, Tokens)
    return str(loaded(folder).decode(tokens.ids[tokens.learned]))


def test_of_a_chat_all_that_the_assistant_says_is_learned_and_nothing_else(folder: str) -> None:
    chat = [
        {"role": "system", "content": "You are brief."},
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "Two."},
        {"role": "user", "content": "Three?"},
        {"role": "assistant", "content": "Four."},
    ]
    (tokens,) = tokens_of_chats([chat], folder)
    assert learned(folder, tokens) == "Two.<|im_end|>\nFour.<|im_end|>\n"
    assert loaded(folder).decode(tokens.ids) == loaded(folder).apply_chat_template(chat, tokenize=False)


def test_a_chat_that_the_template_refuses_is_left_out_by_name(folder: str) -> None:
    good = [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "Two."}]
    first, second = tokens_of_chats([[{"role": "assistant"}], good], folder)
    assert first == NOT_RENDERED
    assert learned(folder, second) == "Two.<|im_end|>\n"


def test_of_a_plain_prompt_and_completion_the_completion_and_its_end_are_learned(folder: str) -> None:
    (tokens,) = tokens_of_texts(["What is it?\n\nA cat."], [13], folder)
    assert learned(folder, tokens) == "A cat.<|im_end|>"
    (text,) = tokens_of_texts(["A cat."], [0], folder)
    assert learned(folder, text) == "A cat.<|im_end|>"


def test_chats_need_a_chat_template_and_texts_do_not(folder: str, tmp_path: Path) -> None:
    for path in Path(folder).glob("tokenizer*"):
        told = orjson.loads(path.read_bytes())
        told.pop("chat_template", None)
        (tmp_path / path.name).write_bytes(orjson.dumps(told))
    keys: dict[str, Any] = {"form": "packed", "tokenizer_at": str(tmp_path), "length": 64}
    for of in ({"of": "chat"}, {"of": "generator"}, {"of": "prompt_completion"}):
        with pytest.raises(ConfigError, match="has no chat template"):
            form_of(Recipe(**keys, **of))
    assert form_of(Recipe(**keys, of="prompt_completion", plain=True))
    assert form_of(Recipe(**keys, of="interleaved"))


def test_what_is_no_tokenizer_is_refused(tmp_path: object) -> None:
    with pytest.raises(ConfigError, match="no tokenizer in"):
        named_tokenizer(str(tmp_path))
