"""Readers of free text that a model or a corpus wrote: any text that can be written as UTF-8 gets through."""

from __future__ import annotations

import itertools
import math

from hypothesis import example
from hypothesis import strategies as st

from factory.answers.copied import copied_share
from factory.answers.final_answer import final_answer, normal_form, vote_key
from factory.answers.grounding import grounding
from factory.answers.repetition import repetition
from factory.answers.verify.choice import named_option, options_of, text_of_choice
from factory.answers.verify.config import VerifyConfig
from factory.answers.verify.decide import verify_answer
from factory.answers.verify.equality import compare
from factory.answers.verify.equations import equations_in
from factory.answers.verify.expressions import names_in, operations_in, parse, spelled, value
from factory.answers.verify.numbers import read_quantity, same_number
from factory.answers.verify.recompute import recomputed
from factory.answers.verify.units import read_unit
from factory.concepts.graph import names
from factory.concepts.graph.abbreviations import split_abbreviation
from factory.concepts.graph.latex import with_signs_read, without_latex
from factory.concepts.wording import clean_name, clean_text, comparable
from factory.concepts.wording import names_in as names_in_text
from factory.corpus.documents import chunk, document_id, normalise
from factory.curate.shingles import Shingling, shingled
from factory.curate.words import normal_text, template_keys, tokenise, tokens
from factory.evaluate.text import link, parse_time, printable
from factory.identity import canonical_json
from factory.licences.duties import duties_of
from factory.licences.expression import combine, terms
from factory.licences.restrictions import restrictions
from factory.licences.stated import is_known, spdx_of
from factory.questions.checks import same_question
from factory.select.config import PiiConfig
from factory.select.language import prose, segments
from factory.select.pii import finder_of
from factory.select.pii_find import mask
from factory.select.preprocessing import excerpt, words_of
from tests.fuzz.breaking import texts
from tests.fuzz.harness import fuzzed

ANSWERS = (
    "We have 3 \\cdot 4 = 12, so $\\boxed{12}$.\n\nFinal answer: 12",
    "\\frac{1}{2} + \\sqrt[3]{x^2} = 0.5",
    "12.5 km/h",
    "1{,}234.5 \\text{ kg m}^{-2}",
    "(B) the second",
    "x = 3 \\pm \\sqrt{2}",
    "$5,000 + 3% = 5,150$",
    "\\begin{pmatrix} 1 & 2 \\end{pmatrix}",
    "2^{3^{4}} = 2**81",
    "10!",
    "3/4 of 12 = 9",
    "½ ± 10^-3 m²",
    "log_2(8) = 3",
)
QUESTIONS = (
    "What is 12 * 4?",
    "Solve x^2 - 5x + 6 = 0 for x.",
    "Which?\n(A) 12\n(B) the second\nC) 3",
    "Simplify \\frac{4}{8}.",
)
PAGES = (
    "Mail ada.lovelace@example.org or call +49 30 1234567; card 4111 1111 1111 1111, IBAN DE89 3704 0044 0532 0130 00.",
    "token ghp_0123456789abcdefghijklmnopqrstuvwxyz and https://user:secret@host/x?key=AKIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl -----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----",
    "Первый текст. 第二个文本。 A third one in English; see http://x/y?z=1.\n\n- a\n- b\n\n```python\nx = 1\n```",
)
LICENCES = (
    "MIT",
    "Apache License, Version 2.0",
    "(MIT OR Apache-2.0) AND CC-BY-SA-4.0",
    "GPL-2.0-only WITH Classpath-exception-2.0",
    "https://creativecommons.org/licenses/by-nc-nd/4.0/deed.de",
    "All rights reserved",
    "LicenseRef-x",
    "cc by sa 3.0 / mit",
)
NAMES = ("1. Support Vector Machines (SVM)", "$\\mathcal{O}(n \\log n)$", "Gödel's theorem", "C++", "k-NN", "p-value")


@fuzzed(
    "factory.answers.final_answer.final_answer",
    "factory.answers.final_answer.vote_key",
    "factory.answers.final_answer.normal_form",
    share=4,
    text=texts(*ANSWERS),
)
def test_final_answers(text: str) -> None:
    final = final_answer(text)
    key, same = vote_key(text)
    assert final == same
    key.encode()
    assert normal_form(normal_form(text)) == normal_form(text)
    repetition(text)


@fuzzed(
    "factory.answers.verify.expressions.parse",
    "factory.answers.verify.expressions.value",
    "factory.answers.verify.expressions.spelled",
    share=4,
    text=texts(*ANSWERS),
)
@example(text="(" * 5000)
@example(text="-" * 5000 + "1")
@example(text="9^" * 300 + "9")
@example(text="1e" + "9" * 50)
@example(text="(((((9!)!)!)!)!)!")
@example(text="2^(2^(2^(2^(2^2))))")
def test_expressions(text: str) -> None:
    spelled(text)
    tree = parse(text)
    if tree is not None:
        names_in(tree)
        operations_in(tree)
        found = value(tree)
        assert found is None or isinstance(found, float) is False or math.isfinite(found)


@fuzzed(
    "factory.answers.verify.numbers.read_quantity",
    "factory.answers.verify.units.read_unit",
    share=4,
    one=texts(*ANSWERS),
    other=texts(*ANSWERS),
)
@example(one="1e999999999", other="1e-999999999")
@example(one="9" * 5000, other="0." + "0" * 5000 + "1")
@example(one="m^99999999999", other="kg" * 500)
def test_quantities(one: str, other: str) -> None:
    read_unit(one)
    first, second = read_quantity(one), read_quantity(other)
    if first is not None and second is not None:
        assert isinstance(same_number(first, second), bool)


@fuzzed(
    "factory.answers.verify.choice.options_of",
    "factory.answers.verify.choice.named_option",
    share=4,
    question=texts(*QUESTIONS),
    answer=texts(*ANSWERS),
)
def test_choices(question: str, answer: str) -> None:
    options_of(question)
    named_option(answer)
    text_of_choice(answer)


@fuzzed("factory.answers.verify.equations.equations_in", share=4, text=texts(*ANSWERS))
def test_equations(text: str) -> None:
    for equation in equations_in(text):
        repr(equation).encode()


@fuzzed(
    "factory.answers.verify.decide.verify_answer",
    "factory.answers.verify.recompute.recomputed",
    share=2,
    question=texts(*QUESTIONS),
    answer=texts(*ANSWERS),
    marked=st.booleans(),
)
def test_verdicts(question: str, answer: str, marked: bool) -> None:
    final = final_answer(answer) if marked else None
    verdict = verify_answer(question, answer, final, VerifyConfig(kind="recompute"))
    assert verdict.verified in ("yes", "no", "unchecked")
    canonical_json(dict(verdict.evidence))
    recomputed(question, answer, final)


@fuzzed(
    "factory.answers.verify.equality.compare",
    share=2,
    one=texts(*ANSWERS),
    other=texts(*ANSWERS),
    kind=st.sampled_from(("exact", "choice", "numeric")),
)
def test_comparisons(one: str, other: str, kind: str) -> None:
    assert compare(one, one, kind).equal is True  # type: ignore[arg-type]
    assert compare(one, other, kind).equal == compare(other, one, kind).equal  # type: ignore[arg-type]


@fuzzed(
    "factory.answers.grounding.grounding",
    "factory.answers.copied.copied_share",
    answer=texts(*ANSWERS, *PAGES),
    source=texts(*PAGES, *ANSWERS),
)
def test_grounding(answer: str, source: str) -> None:
    found = grounding(answer, [source, source])
    for share in (found.grounded_share, found.extracted_share, copied_share(answer, [source])):
        assert share is None or 0 <= share <= 1
    for span in found.spans:
        assert 0 <= span.answer_start < span.answer_end <= len(answer)
        assert 0 <= span.source_start < span.source_end <= len(source)


@fuzzed(
    "factory.corpus.documents.normalise",
    "factory.corpus.documents.chunk",
    share=2,
    text=texts(*PAGES, *ANSWERS),
    budget=st.integers(1, 40),
)
def test_documents(text: str, budget: int) -> None:
    plain = normalise(text)
    assert normalise(plain) == plain
    document_id(plain)
    spans = chunk(plain, budget, lambda pieces: [len(piece.encode()) for piece in pieces])
    assert all(0 <= span.start < span.stop <= len(plain) for span in spans)
    assert all(one.stop <= two.start for one, two in itertools.pairwise(spans))
    covered = "".join(plain[span.start : span.stop] for span in spans)
    assert "".join(covered.split()) == "".join(plain.split())


@fuzzed(
    "factory.concepts.graph.names.canonical",
    "factory.concepts.graph.latex.without_latex",
    "factory.concepts.wording.names_in",
    share=4,
    text=texts(*NAMES, *ANSWERS),
)
def test_names(text: str) -> None:
    for found in (clean_name(text), clean_text(text), comparable(text), same_question(text), names.normal_form(text)):
        found.encode()
    names_in_text(text)
    names.canonical(text)
    without_latex(text)
    with_signs_read(text)
    split_abbreviation(text)


@fuzzed(
    "factory.curate.words.tokenise",
    "factory.curate.words.normal_text",
    "factory.curate.shingles.shingled",
    share=2,
    lines=st.lists(texts(*QUESTIONS, *ANSWERS), max_size=4),
)
def test_words(lines: list[str]) -> None:
    array = tokenise(lines)
    assert array.counts.tolist() == [len(tokens(line)) for line in lines]
    template_keys(array)
    shingled(lines, Shingling(3, True, 0.7))
    for line in lines:
        normal_text(line).encode()


@fuzzed(
    "factory.licences.expression.parse",
    "factory.licences.expression.combine",
    "factory.licences.stated.spdx_of",
    "factory.licences.restrictions.restrictions",
    "factory.licences.duties.duties_of",
    share=4,
    stated=st.lists(texts(*LICENCES), max_size=3),
)
@example(stated=["(" * 3000])
@example(stated=["MIT AND " * 2000 + "MIT"])
@example(stated=["(MIT OR Apache-2.0) AND " * 40 + "MIT"])
def test_licences(stated: list[str]) -> None:
    combined = combine(stated)
    assert combine([combined]) == combined
    for licence in (*stated, combined):
        terms(licence)
        duties_of(licence)
        restrictions(licence)
        spdx_of(licence)
        is_known(licence)


FINDER = finder_of(PiiConfig())


@fuzzed("factory.select.pii_find.mask", "factory.select.pii_secrets.jwt", share=2, text=texts(*PAGES))
def test_personal_data(text: str) -> None:
    masked = mask(text, FINDER)
    masked.text.encode()
    assert mask(text, FINDER) == masked


@fuzzed("factory.select.language.segments", "factory.select.preprocessing.words_of", share=2, text=texts(*PAGES))
def test_language_and_features(text: str) -> None:
    prose(text).encode()
    segments(text, 40)
    assert b"\n" not in words_of(text)
    assert len(excerpt(text)) <= max(len(text), 1)


@fuzzed(
    "factory.evaluate.text.printable",
    "factory.evaluate.text.parse_time",
    share=2,
    text=texts("2024-05-01T10:00:00+00:00", "https://x/y", surrogates=True),
)
def test_what_pages_show(text: str) -> None:
    parse_time(text)
    str(printable(text)).encode()
    str(link(text)).encode()
