from __future__ import annotations

import re
import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from factory.corpus.documents import chunk, document_id, fits_without_counting, most_tokens, normalise
from factory.engine.tokenizer import Tokenizer

WORDS = Tokenizer("words").count


def byte_count(texts: list[str]) -> list[int]:
    """As many tokens as a tokenizer with byte fallback can make of a text."""
    return [len(text.encode()) for text in texts]


def merging_count(texts: list[str]) -> list[int]:
    """Not additive: white space in the middle counts double, as in GPT-2's pre-tokenizer; but no tokenizer makes more
    tokens than there are bytes, and one for a space in front."""
    doubled = [len(re.findall(r"\S{1,4}", text)) + 2 * len(re.findall(r"\s(?=\S)", text)) for text in texts]
    return [min(len(text.encode()) + 1, tokens) for text, tokens in zip(texts, doubled, strict=True)]


prose = st.lists(
    st.one_of(
        st.text(max_size=40), st.sampled_from(["\n\n", "\n", " ", ". ", "。", "é", "\u0301", "x" * 70, "    code"])
    ),
    max_size=40,
).map("".join)


@given(st.text())
def test_normalising_twice_is_normalising_once(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(prose)
def test_normalising_keeps_every_visible_character(text: str) -> None:
    def visible(value: str) -> str:
        kept = (c for c in value if unicodedata.category(c) != "Cc" and not c.isspace() and c != "\ufeff")
        return unicodedata.normalize("NFC", "".join(kept))

    assert visible(normalise(text)) == visible(text)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("a\r\nb\rc\x0cd", "a\nb\nc\nd"),
        ("line   \n\tindented\t \n\n\nend  ", "line\n\tindented\n\n\nend"),
        ("nul\x00 and bell\x07 and \x9b", "nul and bell and"),
        ("\ufeffmark", "mark"),
        ("\n \n  first line keeps its indentation", "  first line keeps its indentation"),
        ("cafe\u0301", "café"),
        ("a\u2028b\u2029c", "a\nb\n\nc"),
    ],
)
def test_only_storage_artefacts_are_changed(raw: str, expected: str) -> None:
    assert normalise(raw) == expected


def test_case_latex_and_numbers_make_different_documents() -> None:
    texts = [
        "Let $\\alpha = 1$.",
        "let $\\alpha = 1$.",
        "Let $\\alpha = 2$.",
        "Let $\\Alpha = 1$.",
        "Let  $\\alpha = 1$.",
    ]
    assert [normalise(text) for text in texts] == texts
    assert len({document_id(text) for text in texts}) == 5


def test_the_way_a_text_was_stored_does_not_change_its_id() -> None:
    assert document_id(normalise("Caf\u00e9\nau lait")) == document_id(normalise("Cafe\u0301 \r\nau lait\x00\n"))


@pytest.mark.parametrize("count", [WORDS, byte_count, merging_count])
@settings(max_examples=150)
@given(raw=prose, budget=st.integers(1, 60))
@example(raw=" 0 0 0", budget=7)
def test_chunks_cover_the_text_within_the_budget(count: object, raw: str, budget: int) -> None:
    assert callable(count)
    text = normalise(raw)
    spans = chunk(text, budget, count)
    assert chunk(text, budget, count) == spans
    last = 0
    for span in spans:
        assert last <= span.start < span.stop <= len(text)
        assert not text[last : span.start].strip()
        part = text[span.start : span.stop]
        assert part.strip()
        assert count([part])[0] <= budget or len(part) == 1
        last = span.stop
    assert not text[last:].strip()


def test_chunks_end_where_paragraphs_end() -> None:
    paragraphs = [f"Paragraph {number} " + "has a few words. " * 5 for number in range(40)]
    text = normalise("\n\n".join(paragraphs))
    spans = chunk(text, 100, WORDS)
    assert len(spans) > 10
    assert all(text[: span.start].endswith("\n\n") for span in spans[1:])
    assert all(text[span.stop :].startswith("\n\n") for span in spans[:-1])


def test_the_last_chunk_is_not_a_remnant() -> None:
    text = "\n\n".join("ten words stand in this short paragraph made for tests" for _ in range(22))
    sizes = WORDS([text[span.start : span.stop] for span in chunk(text, 200, WORDS)])
    assert sizes == [110, 110]


def test_a_short_document_is_never_tokenized() -> None:
    def refuse(texts: list[str]) -> list[int]:
        raise AssertionError("tokenized")

    (span,) = chunk("short enough", 64, refuse)
    assert (span.start, span.stop) == (0, 12)


def test_bound_without_counting_holds_for_the_worst_expansion() -> None:
    worst = "\ufdfa" * 10  # 18 characters each under NFKC
    assert byte_count([unicodedata.normalize("NFKC", worst)])[0] <= most_tokens(worst)
    assert fits_without_counting(10, most_tokens(worst) + 200)
    assert not fits_without_counting(1000, 1500)


@pytest.mark.parametrize(
    "unit", ["A sentence of some words. ", "no_space_at_all", "段落没有空格。", "word\n", "para graph\n\n"]
)
def test_a_document_of_2_400_000_characters_is_chunked_in_seconds(unit: str) -> None:
    text = normalise(unit * (2_400_000 // len(unit)))
    started = time.process_time()
    spans = chunk(text, 1500, byte_count)
    assert time.process_time() - started < 15
    assert all(len(text[span.start : span.stop].encode()) <= 1500 for span in spans)
    assert sum(span.stop - span.start for span in spans) > 0.99 * len(text)
