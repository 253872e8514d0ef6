"""Which written names are one node, and that no name can break the normaliser."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from factory.concepts.graph.abbreviations import fits, split_abbreviation
from factory.concepts.graph.names import (
    EMPTY,
    MAX_CHARACTERS,
    PUNCTUATION_ONLY,
    TOO_LONG,
    canonical,
    normal_form,
)
from factory.concepts.graph.word_forms import EPONYMS, IRREGULAR, SPELLINGS, UNCHANGED, singular, spelling

ONE_NODE = [
    ("Pythagorean theorem", "Pythagoras' Theorem", "the pythagorean theorem", "Pythagoras’s theorem"),
    ("*Pythagorean* theorem", "**the Pythagorean theorem**", "Pythagoras theorem"),
    ("Bayes' Theorem", "Bayes theorem", "Bayes’s Theorem", "Bayesian theorem"),
    ("$L^p$ spaces", "L^p space", "Lp-space", "\\(L^{p}\\) space"),
    ("\\mathbb{R}^n", "ℝ^n", "R^n", "$\\mathbb R^n$", "Rⁿ"),
    ("\\alpha-helix", "α-helix", "Alpha helices", "$\\alpha$ helix"),
    ("χ² test", "chi-squared test", "Chi square test", "$\\chi^2$-test"),
    ("L^∞ norm", "L-infinity norm", "$L^\\infty$-norm"),
    ("3×3 matrix", "3x3 matrices", "$3 \\times 3$ matrix"),
    ('Schr\\"odinger equation', "Schrödinger equations", "Schrodinger’s equation"),
    ("Fast Fourier Transform (FFT)", "fast-Fourier transforms", "FFT (Fast Fourier Transform)"),
    ("Convolutional Neural Networks (CNNs)", "convolutional neural network"),
    ("Newton's laws of motion", "Newton's Law of Motion"),
    ("non-linear systems", "nonlinear system", "non linear system"),
    ("Fundamental Theorem of the Calculus", "the fundamental theorem of calculus"),
    ("derivative of a function", "Derivatives of functions"),
    ("optimisation of colours", "Optimization of color"),
    ("eigenvalue(s)", "Eigenvalues", "eigenvalue."),
    ("H₂O", "H2O"),
    ("p-value", "P Values"),
    ("supply & demand", "Supply and Demand"),
    ("“Occam’s razor”", "occam razor"),
    ("`for` loops", "for loop"),
]  # fmt: skip

DIFFERENT = [
    ("C", "C++", "C#"),
    ("x + 1", "x - 1"),
    ("10^2", "102"),
    ("Laplacian", "Laplace"),
    ("A* search", "a search"),
    ("a priori", "priori"),
    ("real analysis", "reals"),
    ("L1 norm", "L2 norm"),
    ("Abel's theorem", "Abelian theorem"),
    ("Euler numbers", "Eulerian numbers"),
    ("Jacobi matrix", "Jacobian matrix"),
    ("线性代数", "線形代数"),
]


@pytest.mark.parametrize("names", ONE_NODE, ids=lambda names: names[0])
def test_ways_to_write_one_thing_are_one_node(names: tuple[str, ...]) -> None:
    assert len({canonical(name).normal for name in names}) == 1, {name: canonical(name).normal for name in names}


@pytest.mark.parametrize("names", DIFFERENT, ids=lambda names: names[0])
def test_different_things_stay_different(names: tuple[str, ...]) -> None:
    assert len({canonical(name).normal for name in names}) == len(names)


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("calculus", "calculus"),
        ("series", "series"),
        ("analysis", "analysis"),
        ("analyses", "analysis"),
        ("matrices", "matrix"),
        ("vertices", "vertex"),
        ("prices", "price"),
        ("bus", "bus"),
        ("buses", "bus"),
        ("physics", "physics"),
        ("topics", "topic"),
        ("theories", "theory"),
        ("ties", "tie"),
        ("classes", "class"),
        ("boxes", "box"),
        ("houses", "house"),
        ("criteria", "criterion"),
        ("lemmas", "lemma"),
        ("lemmata", "lemma"),
        ("bias", "bias"),
        ("gas", "gas"),
        ("gases", "gas"),
        ("axes", "axis"),
        ("dns", "dns"),
        ("gans", "gan"),
    ],
)
def test_plurals(plural: str, one: str) -> None:
    assert singular(plural) == one


def test_the_tables_lead_to_fixed_points() -> None:
    for word in [*IRREGULAR.values(), *UNCHANGED, *SPELLINGS.values(), *EPONYMS.values()]:
        assert singular(word) == word, word
        assert spelling(word) == word, word
        assert word not in EPONYMS


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", EMPTY),
        (" \n ", EMPTY),
        ("...", PUNCTUATION_ONLY),
        ("→ +", PUNCTUATION_ONLY),
        ("$$", PUNCTUATION_ONLY),
        ("x" * 10_000, TOO_LONG),
        ("word " * 60, TOO_LONG),
        ("(" * 5000, TOO_LONG),
    ],
    ids=repr,
)
def test_unusable_names_say_why(text: str, problem: str) -> None:
    name = canonical(text)
    assert (name.normal, name.problem) == ("", problem)
    assert len(name.form) <= MAX_CHARACTERS


def test_an_abbreviation_is_taken_where_its_letters_fit() -> None:
    assert split_abbreviation("Central Limit Theorem (CLT) for means") == ("Central Limit Theorem for means", "CLT")
    assert split_abbreviation("deoxyribonucleic acid (DNA)") == ("deoxyribonucleic acid", "DNA")
    assert split_abbreviation("Python (programming language)") == ("Python (programming language)", None)
    assert split_abbreviation("kinetic energy (kinetic)") == ("kinetic energy (kinetic)", None)
    assert split_abbreviation("set (S)") == ("set (S)", None)
    assert not fits("XYZ", "fast fourier transform")


pieces = st.sampled_from(
    [
        "{",
        "}",
        "(FFT)",
        "the ",
        "a ",
        "of ",
        "Matrices",
        "'s",
        "s'",
        "-",
        " ",
        "$",
        "\\alpha",
        "\\frac{a}{b}",
        "^",
        "_",
        "2",
        "\\",
        "∞",
        "&",
        "non-",
        "non ",
        "α",
        "é",
        "É",
        "²",
        "₂",
        "ß",
        "+",
        "*",
        ".",
        ",",
        "/",
        "series",
        "Gaussian ",
        "theories",
        "x",
    ]
)
texts = st.one_of(
    st.lists(pieces, max_size=8).map("".join), st.text(max_size=40), st.text(string.printable, max_size=40)
)


@settings(max_examples=600, deadline=None)
@given(texts)
@example("the the matrices")
@example("non non-linear")
@example("x ^ ^ 2")
@example("(FFT)*Matrices*")
@example("\\alpha\\alpha")
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normal_form(text)
    assert normal_form(once) == once
    assert once == " ".join(once.split())
    if once:
        assert canonical(once).normal == once


@settings(max_examples=600, deadline=None)
@given(texts)
def test_case_does_not_matter(text: str) -> None:
    for other in (text.lower(), text.upper()):
        # İ, ŉ and their like are several letters in the other case: no case to ignore.
        if other.casefold() == text.casefold():
            assert normal_form(other) == normal_form(text)


@settings(max_examples=400, deadline=None)
@given(texts)
def test_a_name_is_normal_or_has_a_problem(text: str) -> None:
    name = canonical(text)
    assert bool(name.normal) != bool(name.problem)
    if name.normal:
        assert any(map(str.isalnum, name.normal))
        assert not set(name.normal) & set("{}()[]\"'\n$\\")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["linear", "map", "field", "proof", "space", "sigma"]), min_size=1, max_size=4))
def test_spaces_hyphens_and_articles_do_not_matter(words: list[str]) -> None:
    forms = {" ".join(words), "-".join(words), "The " + "  ".join(words) + ".", " ".join(words).title()}
    assert len({canonical(form).normal for form in forms}) == 1
