from __future__ import annotations

import pickle
import re
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.select.config import QualityConfig
from factory.select.filters import Candidate, Verdict
from factory.select.measures import MEASURES
from factory.select.quality import MEASURED_CHARACTERS, Quality, measure, rules_of
from factory.store.base import Store

SENTENCE = "The tree keeps its height small, and every search that begins at the root takes few steps."
PROSE = (
    "A balanced tree keeps its height small, so that every search takes few steps. When a new key arrives, the\n"
    "tree looks for its place from the root downwards and repairs what has become too deep on the way back.\n\n"
    "Most of these repairs are rotations. They change three links, and leave the order of the keys as it was.\n"
    "Deleting is harder than inserting, since the gap has to be closed by a key from further down."
)
CODE = (
    "Sort a list in place with the function below; it takes time proportional to n log n.\n\n"
    "```python\ndef heap_sort(items):\n    heap = []\n    for item in items:\n        heappush(heap, item)\n"
    "    return [heappop(heap) for _ in range(len(heap))]\n```\n\n"
    "The heap holds the smallest item at index 0. Both operations move one item along a path from a leaf to the "
    "root, so each of them takes at most log n steps.\n"
)
FORMULAS = (
    "\\begin{lemma}\nLet $f : X \\to Y$ be a morphism of schemes. If $f$ is flat and of finite type, then $f$ is "
    "open.\n\\end{lemma}\n\n\\begin{proof}\nThe question is local, so we may assume $X = \\Spec(B)$ and "
    "$Y = \\Spec(A)$. Then\n$$\n\\dim(B_\\mathfrak q) = \\dim(A_\\mathfrak p) + \\dim(B_\\mathfrak q/\\mathfrak p)\n"
    "$$\nfor every prime $\\mathfrak q$ of $B$ over $\\mathfrak p$.\n\\end{proof}\n"
)

RECOMMENDED = QualityConfig(
    min_words=30,
    max_words=100_000,
    min_mean_word_length=3,
    max_mean_word_length=12,
    max_hashes_per_word=0.2,
    max_ellipses_per_word=0.1,
    min_letter_word_share=0.4,
    min_stop_words=1,
    max_digit_share=0.25,
    max_non_alphanumeric_share=0.5,
    min_sentences=1,
    max_lorem_ipsum=0,
    max_javascript_line_share=0.5,
    max_bullet_line_share=0.9,
    max_ellipsis_line_share=0.3,
    max_short_line_share=0.97,
    max_duplicate_line_share=0.7,
    max_duplicate_line_character_share=0.5,
    max_duplicate_paragraph_share=0.5,
    max_duplicate_paragraph_character_share=0.4,
    max_top_2gram_share=0.3,
    max_top_3gram_share=0.3,
    max_top_4gram_share=0.3,
    max_duplicate_5gram_share=0.6,
    max_duplicate_10gram_share=0.5,
)
EVERYTHING = QualityConfig(
    **{
        name: int(name in {"max_words", "max_mean_word_length"})
        for name in QualityConfig.model_fields
        if name != "stop_words"
    }
)


def judged(config: QualityConfig, store: Store, *texts: str) -> tuple[list[Verdict | None], list[Candidate]]:
    documents = [Candidate(text, "s", "MIT", "") for text in texts]
    return list(Quality(config).open(store)(documents)), documents


def value(name: str, text: str) -> float:
    """The measure `name` of one text."""
    key = next(key for key in (f"max_{name}", f"min_{name}") if key in QualityConfig.model_fields)
    config = QualityConfig(**{key: 1})
    return float(measure([text], rules_of(config), config.stop_words)[name][0])


def test_every_key_of_the_configuration_is_a_rule() -> None:
    rules = rules_of(EVERYTHING)
    assert {rule.measure for rule in rules} == set(MEASURES)
    assert [rule.key for rule in rules] == [name for name in QualityConfig.model_fields if name != "stop_words"]
    assert rules_of(QualityConfig()) == ()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("words", "one two\n\tthree  four\n\nfive", 5),
        ("words", "", 0),
        ("mean_word_length", "ab abcd", 3),
        ("mean_word_length", "", 0),
        ("hashes_per_word", "# a #b c", 2 / 4),
        ("ellipses_per_word", "one... two… three four", 2 / 4),
        ("letter_word_share", "x = 3 + y1 (z)", 3 / 6),
        ("letter_word_share", "été 漢字 １２ ---", 2 / 4),
        ("stop_words", "The the of that", 3),
        ("stop_words", "other theme office", 0),
        ("digit_share", "a1 b2 ٣", 3 / 5),
        ("non_alphanumeric_share", "ab, c!", 2 / 5),
        ("non_alphanumeric_share", "हिन्दी", 0),
        ("sentences", 'One. "Two?" Three! (Four.) v1.2 ...', 5),
        ("sentences", "一。二！三", 2),
        ("lorem_ipsum", "Lorem ipsum dolor, and LOREM IPSUM", 2),
        ("curly_brackets_per_word", "{a} {b c}", 2 / 3),
        ("javascript_line_share", "Enable JavaScript\n\nwelcome\nhere", 1 / 3),
        ("bullet_line_share", "- a\n  * b\n\n• c\n-d\nplain - e", 3 / 5),
        ("ellipsis_line_share", "more ...\nmore…\n\nend.\n..", 2 / 4),
        ("short_line_share", "short\n\n" + "long " * 10, 1 / 2),
        ("short_line_share", " " * 30 + "x" * 30 + "\n" + "y" * 31, 1 / 2),
        ("punctuated_line_share", 'One.\ntwo\n"three"\nfour,', 2 / 4),
        ("duplicate_line_share", "a\n  b\na\n\nb\nc", 2 / 5),
        ("duplicate_line_character_share", "aaa\nb\naaa", 3 / 7),
        ("duplicate_paragraph_share", "a b\nc\n\na b\nc\n\n\n\nd\n\nc", 1 / 4),
        ("duplicate_paragraph_character_share", "ab\n\nab\n\ncde", 2 / 7),
        ("top_2gram_share", "a b c a b d a b e", 6 / 9),
        ("top_2gram_share", "aa b cc d", 0),
        ("top_2gram_share", "ha ha ha ha ha ha", 1),
        ("top_3gram_share", "a b c x a b c y", 6 / 8),
        ("top_4gram_share", "", 0),
        ("duplicate_5gram_share", "a b c d e x a b c d e", 5 / 11),
        ("duplicate_5gram_share", "a a a a a a a", 6 / 7),
        ("duplicate_10gram_share", "a b c d e x a b c d e", 0),
    ],
)
def test_measures_are_what_their_names_say(name: str, text: str, expected: float) -> None:
    assert value(name, text) == pytest.approx(expected, abs=1e-6)
    # Neighbours in a batch are none of its business.
    config = EVERYTHING
    batch = measure([PROSE, text, "", CODE, text, text], rules_of(config), config.stop_words)[name]
    assert batch[[1, 4, 5]].tolist() == pytest.approx([expected] * 3, abs=1e-6)


def test_ties_for_the_commonest_ngram_go_to_the_longest() -> None:
    assert value("top_2gram_share", "a b a b long word long word") == pytest.approx(16 / 20)


def test_the_bounds_tried_here_are_those_that_the_configuration_recommends() -> None:
    for name, field in QualityConfig.model_fields.items():
        if found := re.search(r"recommended (off|[\d.,]*\d)", field.description or ""):
            bound = None if found[1] == "off" else float(found[1].replace(",", ""))
            assert getattr(RECOMMENDED, name) == bound, name
        else:
            assert name == "stop_words"


@pytest.mark.parametrize("text", [PROSE, CODE, FORMULAS], ids=["prose", "code", "formulas"])
def test_the_recommended_rules_keep_prose_code_and_mathematics(local_store: Store, text: str) -> None:
    assert judged(RECOMMENDED, local_store, text)[0] == [None]


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("min_words", "The word is too little."),
        ("min_mean_word_length", "a b the c d e. " * 20),
        ("max_mean_word_length", "The " + "pneumonoultramicroscopic " * 40),
        ("max_hashes_per_word", " ".join(f"the #{word}" for word in PROSE.split())),
        ("min_letter_word_share", "The table: " + " ".join(f"{n}.{n:03}" for n in range(100))),
        ("min_stop_words", "Home About Products Contact Login Cart News Jobs Privacy Imprint. " * 4),
        ("min_sentences", " ".join(f"the casino bonus number {n:c}" for n in range(97, 123))),
        ("max_lorem_ipsum", f"{PROSE} Lorem ipsum dolor sit amet."),
        ("max_javascript_line_share", "To see the page you have to turn JavaScript on in the browser.\n" * 3),
        ("max_bullet_line_share", "".join(f"- the item number {n} stands below number {n - 1}.\n" for n in range(20))),
        ("max_ellipsis_line_share", "".join(f"The story about {n} and how it ends goes on ...\n" for n in range(23))),
        ("max_duplicate_line_share", f"{SENTENCE}\n" * 12),
        ("max_duplicate_5gram_share", f"{SENTENCE} " * 12),
        ("max_digit_share", " ".join(f"the x{n:06}." for n in range(60))),
        ("max_non_alphanumeric_share", " ".join(f"the ~~{chr(n)}~~~~. +++++" for n in range(97, 123)) + PROSE[:90]),
    ],
)  # fmt: skip
def test_the_recommended_rules_reject_what_teaches_nothing(local_store: Store, reason: str, text: str) -> None:
    (verdict,), (document,) = judged(RECOMMENDED, local_store, text)
    assert verdict is not None
    assert verdict.reason == reason
    assert document.findings == {}


def test_a_verdict_names_value_bound_and_the_other_broken_rules(local_store: Store) -> None:
    config = QualityConfig(min_words=10, max_digit_share=0.5, min_sentences=1)
    (verdict,), _ = judged(config, local_store, "1 2 3 4 5")
    assert verdict == Verdict(
        "min_words", {"words": 5.0, "minimum": 10, "also": {"max_digit_share": 1.0, "min_sentences": 0.0}}
    )
    (alone,), _ = judged(QualityConfig(max_words=3), local_store, "1 2 3 4 5")
    assert alone == Verdict("max_words", {"words": 5.0, "maximum": 3})


def test_bounds_themselves_are_kept(local_store: Store) -> None:
    config = QualityConfig(min_words=4, max_words=4, max_digit_share=0.5)
    reasons = [verdict and verdict.reason for verdict in judged(config, local_store, "1 2 a b", "1 2 3 b")[0]]
    assert reasons == [None, "max_digit_share"]


def test_findings_hold_the_measures_of_rules_that_are_on(local_store: Store) -> None:
    config = QualityConfig(min_words=1, max_words=99, max_digit_share=0.9)
    _, (document,) = judged(config, local_store, "a b 1")
    assert document.findings == {"quality": {"words": 3.0, "digit_share": pytest.approx(1 / 3, abs=1e-6)}}
    assert all(type(found) is float for found in document.findings["quality"].values())


def test_stop_words_of_another_language_can_be_given(local_store: Store) -> None:
    german = QualityConfig(min_stop_words=2, stop_words=("der", "die", "das", "und"))
    texts = ("Der Baum und die Wurzel", "The tree and the root")
    assert [verdict and verdict.reason for verdict in judged(german, local_store, *texts)[0]] == [
        None,
        "min_stop_words",
    ]


def test_identity_follows_the_rules_that_are_on() -> None:
    def identity(**keys: Any) -> dict[str, Any]:
        return Quality(QualityConfig(**keys)).identity()

    assert identity() == identity(stop_words=("und",))
    assert identity(min_words=3) != identity(min_words=4) != identity()
    assert identity(min_stop_words=1) != identity(min_stop_words=1, stop_words=("und",))


def test_batches_of_any_size_give_the_same(local_store: Store) -> None:
    texts = [PROSE, "", CODE, FORMULAS, "a " * 300_000, SENTENCE * 9, "😀" * 40, "\n", *[PROSE[:n] for n in range(40)]]
    together, documents = judged(RECOMMENDED, local_store, *texts)
    for text, verdict, document in zip(texts, together, documents, strict=True):
        (alone,), (single,) = judged(RECOMMENDED, local_store, text)
        assert (alone, single.findings) == (verdict, document.findings)


def test_it_travels_to_workers(local_store: Store) -> None:
    assert pickle.loads(pickle.dumps(Quality(RECOMMENDED))) == Quality(RECOMMENDED)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("the word is here and. " * 110_000, "max_words"),
        ("a" * 2_400_000, "min_words"),
        ("漢字。" * 800_000, "min_words"),
        ("😀" * 2_400_000, "min_words"),
        ("the \x00 and \x00 of. " * 20, "max_top_2gram_share"),
        ("السلام عليكم ورحمة الله. " * 20, "min_stop_words"),
    ],
)
def test_bad_input_ends_in_a_named_reject(local_store: Store, text: str, reason: str) -> None:
    started = time.process_time()
    (verdict,), _ = judged(RECOMMENDED, local_store, text)
    assert verdict is not None
    assert reason in {verdict.reason, *verdict.evidence.get("also", ())}
    assert time.process_time() - started < 10


def test_a_text_too_long_to_be_measured_whole_is_measured_in_windows() -> None:
    line = "the words of this line are ten and end here. "
    text = line * (MEASURED_CHARACTERS // len(line) + 50_000)
    config = QualityConfig(max_words=1, max_digit_share=1)
    columns = measure([text, "one two"], rules_of(config), config.stop_words)
    assert columns["words"][0] == pytest.approx(len(text.split()), rel=0.001)
    assert columns["words"][1] == 2


WORDS = st.lists(st.sampled_from(["a", "b", "cc", "ddd"]), max_size=60)


@given(st.lists(WORDS, min_size=1, max_size=6))
@settings(max_examples=150)
def test_ngram_measures_agree_with_their_definition(documents: list[list[str]]) -> None:
    texts = [" ".join(words) for words in documents]
    columns = measure(texts, rules_of(EVERYTHING), ["the"])
    for index, words in enumerate(documents):
        total = sum(map(len, words))
        for size in range(2, 11):
            grams = [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]
            if size < 5:
                counts = Counter(grams)
                most = max(counts.values(), default=0)
                longest = max((len("".join(gram)) for gram, count in counts.items() if count == most), default=0)
                expected = min(1.0, most * longest / total) if most > 1 else 0.0
                name = f"top_{size}gram_share"
            else:
                covered: set[int] = set()
                seen = set()
                for at, gram in enumerate(grams):
                    if gram in seen:
                        covered.update(range(at, at + size))
                    seen.add(gram)
                expected = sum(len(words[at]) for at in covered) / total if total else 0.0
                name = f"duplicate_{size}gram_share"
            assert columns[name][index] == pytest.approx(expected, abs=1e-6), (name, words)


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from(" \n\ta1.-#")), min_size=1, max_size=5))
@settings(max_examples=200)
def test_simple_measures_agree_with_their_definition(texts: list[str]) -> None:
    columns = measure(texts, rules_of(EVERYTHING), ["the"])
    for index, text in enumerate(texts):
        words = text.split()
        solid = "".join(words)
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        paragraphs = [part.strip() for part in re.split(r"\n(?:[^\S\n]*\n)+", text) if part.strip()]
        expected = {
            "duplicate_paragraph_share": 1 - len(set(paragraphs)) / len(paragraphs) if paragraphs else 0,
            "words": len(words),
            "mean_word_length": len(solid) / len(words) if words else 0,
            "letter_word_share": sum(any(map(str.isalpha, word)) for word in words) / len(words) if words else 0,
            "digit_share": sum(map(str.isdecimal, solid)) / len(solid) if solid else 0,
            "short_line_share": sum(len(line) <= 30 for line in lines) / len(lines) if lines else 0,
            "duplicate_line_share": 1 - len(set(lines)) / len(lines) if lines else 0,
        }
        for name, wanted in expected.items():
            assert columns[name][index] == pytest.approx(wanted, abs=1e-6), (name, text)


@given(st.lists(st.text(alphabet="ab \n.{#1", max_size=300), min_size=1, max_size=4))
@settings(max_examples=150)
def test_shares_lie_between_none_and_all(texts: list[str]) -> None:
    for name, column in measure(texts, rules_of(EVERYTHING), ["a"]).items():
        assert len(column) == len(texts)
        assert (column >= 0).all()
        if name.endswith("share"):
            assert (column <= 1).all(), name
