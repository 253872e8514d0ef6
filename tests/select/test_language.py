from __future__ import annotations

import pickle
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.errors import ConfigError
from factory.select.config import LanguageConfig
from factory.select.filters import Candidate, Judge, Verdict
from factory.select.language import (
    PREDICTED_CHARACTERS,
    Language,
    Segment,
    language_filter,
    prose,
    segments,
    shares,
)
from factory.select.lid import find_lid, lid_of, load_lid
from factory.store.base import Store

ENGLISH = (
    "A balanced tree keeps its height small, so that every search takes few steps. When a new key arrives, the "
    "tree looks for its place from the root downwards and repairs what has become too deep on the way back. "
    "Most of these repairs are rotations, which change three links and leave the order of the keys as it was. "
    "Deleting is harder than inserting, since the gap that remains has to be closed by a key from further down, "
    "and more than one rotation may be needed before the tree is balanced again."
)
GERMAN = (
    "Ein ausgeglichener Baum hält seine Höhe klein, damit jede Suche nur wenige Schritte braucht. Kommt ein neuer "
    "Schlüssel hinzu, sucht der Baum von der Wurzel abwärts seinen Platz und bessert auf dem Rückweg aus, was zu "
    "tief geworden ist. Meistens sind das Drehungen, die drei Verweise ändern und die Ordnung der Schlüssel "
    "lassen, wie sie war. Löschen ist schwieriger als Einfügen, weil die Lücke von einem Schlüssel weiter unten "
    "geschlossen werden muss."
)
FRENCH = (
    "Un arbre équilibré garde une faible hauteur, de sorte que chaque recherche demande peu d'étapes. Lorsqu'une "
    "nouvelle clé arrive, l'arbre cherche sa place depuis la racine et répare au retour ce qui est devenu trop "
    "profond. La plupart de ces réparations sont des rotations, qui changent trois liens et laissent l'ordre des "
    "clés tel qu'il était. La suppression est plus difficile, car le vide doit être comblé par une clé située "
    "plus bas dans l'arbre."
)
CHINESE = "平衡树保持较小的高度，因此每次查找只需要很少的步骤。当新的键到来时，树从根开始向下寻找它的位置。" * 6
ARABIC = "تحافظ الشجرة المتوازنة على ارتفاع صغير بحيث لا يحتاج كل بحث إلا إلى خطوات قليلة. " * 6
HEBREW = "עץ מאוזן שומר על גובה קטן כדי שכל חיפוש ידרוש מעט צעדים. כאשר מגיע מפתח חדש העץ מחפש את מקומו. " * 6
HINDI = "संतुलित वृक्ष अपनी ऊँचाई कम रखता है ताकि हर खोज में थोड़े ही कदम लगें। नई कुंजी आने पर वृक्ष उसका स्थान खोजता है। " * 6

CODE = (
    "```python\nfor schluessel, wert in eintraege.items():\n    baum.einfuegen(schluessel, wert)  # noch nicht "
    "ausgeglichen\nprint('der Baum ist jetzt so tief wie', baum.tiefe())\n```"
)


@pytest.fixture(scope="module")
def english() -> Language:
    return language_filter(LanguageConfig(languages=("en",)))


def verdicts_of(which: Language, *texts: str) -> list[Verdict | None]:
    return which.judge(lid_of(load_lid()), [Candidate(text, "s", "MIT", "") for text in texts])


def reason_of(which: Language, text: str) -> str | None:
    (verdict,) = verdicts_of(which, text)
    return verdict and verdict.reason


def findings_of(which: Language, text: str) -> dict[str, object]:
    document = Candidate(text, "s", "MIT", "")
    assert which.judge(lid_of(load_lid()), [document]) == [None]
    return document.findings


@pytest.mark.parametrize("text", [GERMAN, FRENCH, CHINESE, ARABIC, HEBREW, HINDI])
def test_only_the_asked_language_passes(english: Language, text: str) -> None:
    assert verdicts_of(english, ENGLISH) == [None]
    (verdict,) = verdicts_of(english, text)
    assert verdict is not None
    assert verdict.reason == "language"
    assert verdict.evidence["probability"] < 0.1
    assert verdict.evidence["share"] == 0
    assert "en" not in dict(list(verdict.evidence["languages"].items())[:1])


@pytest.mark.parametrize(
    ("code", "text"),
    [("de", GERMAN), ("fr", FRENCH), ("zh", CHINESE), ("ar", ARABIC), ("he", HEBREW), ("hi", HINDI)],
)
def test_any_language_can_be_asked_for(code: str, text: str) -> None:
    which = language_filter(LanguageConfig(languages=(code,)))
    found = findings_of(which, text)
    assert found["lang"] == code
    assert isinstance(found["lang_prob"], float)
    assert found["lang_prob"] > 0.8
    assert reason_of(which, ENGLISH) == "language"


def test_asked_languages_count_together() -> None:
    both = language_filter(LanguageConfig(languages=("en", "de")))
    found = findings_of(both, "\n\n".join([ENGLISH, GERMAN, GERMAN]))
    assert found["lang"] == "de"
    assert isinstance(found["lang_prob"], float)
    assert found["lang_prob"] > 0.9
    assert reason_of(both, FRENCH) == "language"


def test_a_half_translated_page_is_mixed_and_says_with_what(english: Language) -> None:
    (verdict,) = verdicts_of(english, "\n\n".join([ENGLISH, GERMAN, ENGLISH, FRENCH]))
    assert verdict is not None
    assert verdict.reason == "mixed_language"
    assert 0.4 < verdict.evidence["share"] < 0.65
    assert verdict.evidence["minimum"] == 0.8
    assert set(verdict.evidence["foreign"]) == {"de", "fr"}
    assert sum(verdict.evidence["foreign"].values()) + verdict.evidence["share"] == pytest.approx(1, abs=0.001)


def test_lines_are_told_apart_where_no_blank_line_divides_them(english: Language) -> None:
    assert reason_of(english, "\n".join([ENGLISH, GERMAN] * 4)) == "mixed_language"


def test_a_short_passage_in_another_language_does_no_harm(english: Language) -> None:
    assert reason_of(english, "\n\n".join([ENGLISH] * 6 + [GERMAN])) is None


def test_bounds_are_those_of_the_configuration() -> None:
    text = "\n\n".join([ENGLISH, GERMAN])
    strict, lax = (
        language_filter(LanguageConfig(languages=("en",), min_share=share, min_probability=0.1)) for share in (0.8, 0.3)
    )
    assert reason_of(strict, text) == "mixed_language"
    assert reason_of(lax, text) is None
    certain = language_filter(LanguageConfig(languages=("en",), min_probability=1.0))
    (verdict,) = verdicts_of(certain, ENGLISH)
    assert verdict is not None
    assert verdict.reason == "language"
    assert verdict.evidence["share"] == 1
    assert verdict.evidence["probability"] < verdict.evidence["minimum"] == 1


@pytest.mark.parametrize(
    "technical",
    [
        CODE,
        "$$\\int_{\\Omega} \\nabla u \\cdot \\nabla v \\, d\\mu = \\langle f, v \\rangle_{L^2(\\Omega)}$$ " * 20,
        '\\begin{tikzcd}\nA \\arrow[r, "\\phi"] & B \\arrow[d] \\\\\n& C\n\\end{tikzcd}\n' * 10,
        "https://beispiel.example/der/lange/weg/zum/ziel?und=noch&viel=mehr\n" * 10,
        "PyObject_CallFunctionObjArgs sys.setrecursionlimit os.path.expanduser getElementsByTagName\n" * 12,
        "0x7ffee4 12.5 1e-9 3/4 +49-30 2026-11-21T08:00:00Z\n" * 20,
        '<div class="spalte"><a href="/weiter">&nbsp;</a></div>\n' * 15,
    ],
    ids=["code", "formulas", "latex", "urls", "identifiers", "numbers", "html"],
)
def test_what_is_no_prose_does_not_decide(english: Language, technical: str) -> None:
    assert reason_of(english, f"{ENGLISH}\n\n{technical}") is None
    assert reason_of(english, f"{GERMAN}\n\n{technical}") == "language"


def test_english_in_code_does_not_make_a_german_page_english(english: Language) -> None:
    comments = "```\n# walk down from the root until there is no child and put the new key there\n```\n\n" * 20
    assert reason_of(english, f"{GERMAN}\n\n{comments}") == "language"


@pytest.mark.parametrize(
    "text", ["😀🎉🚀 " * 200, "12 345 6.7\n" * 100, "--- *** === \n\n" * 50, "\x00\x00\x00", "", "→ … ─ │ ┼ " * 40]
)
def test_without_letters_there_is_no_language(english: Language, text: str) -> None:
    (verdict,) = verdicts_of(english, text)
    assert verdict is not None
    assert verdict.reason == "no_language"
    assert verdict.evidence == {"characters": len(text), "letters": 0}


def test_null_bytes_and_capitals_hide_nothing(english: Language) -> None:
    assert reason_of(english, "\x00" + ENGLISH.replace(" and ", "\x00 and \x00")) is None
    assert reason_of(english, ENGLISH.upper()) is None
    assert reason_of(english, GERMAN.upper()) == "language"


@pytest.mark.parametrize(
    ("line", "reason"),
    [(ENGLISH + " ", None), (GERMAN + " ", "language"), (CHINESE, "language"), (ARABIC, "language")],
)
def test_one_line_of_millions_of_characters_costs_little(english: Language, line: str, reason: str | None) -> None:
    text = line * (2_400_000 // len(line) + 1)
    started = time.process_time()
    assert reason_of(english, text) == reason
    assert time.process_time() - started < 5
    assert all(len(segment.text) < PREDICTED_CHARACTERS + 10 for segment in segments(text, 500))


def test_a_batch_is_judged_like_its_documents_alone(english: Language) -> None:
    texts = [ENGLISH, "", GERMAN, "\n\n".join([ENGLISH, FRENCH]), "😀", ENGLISH + "\n\n" + CODE, ARABIC]
    together = verdicts_of(english, *texts)
    assert together == [verdict for text in texts for verdict in verdicts_of(english, text)]
    assert [verdict and verdict.reason for verdict in together] == [
        None, "no_language", "language", "mixed_language", "no_language", None, "language"
    ]  # fmt: skip


def test_it_works_from_the_store_in_another_process(english: Language, local_store: Store, tmp_path: Path) -> None:
    copy = tmp_path / "own.ftz"
    shutil.copy(find_lid().path, copy)
    which = language_filter(LanguageConfig(languages=("en",), model=str(copy)))
    which.prepare(local_store)
    copy.unlink()
    judge: Judge = pickle.loads(pickle.dumps(which)).open(local_store)
    documents = [Candidate(ENGLISH, "s", "MIT", ""), Candidate(GERMAN, "s", "MIT", "")]
    assert [verdict and verdict.reason for verdict in judge(documents)] == [None, "language"]
    assert documents[0].findings["lang"] == "en"
    assert documents[1].findings == {}
    # The file's place is no part of what it is.
    assert which.identity() == english.identity()


def test_identity_follows_settings_and_model(english: Language, tmp_path: Path) -> None:
    identities = [
        language_filter(LanguageConfig(languages=("en",), **other)).identity()
        for other in ({}, {"min_share": 0.7}, {"min_probability": 0.6}, {"segment_characters": 900})
    ]
    assert identities[0] == english.identity()
    assert len({str(identity) for identity in identities}) == 4


def test_an_unknown_language_is_named_with_those_like_it() -> None:
    with pytest.raises(ConfigError, match=r"the model does not know `eng`(.|\n)*give one of: .*\ben\b"):
        language_filter(LanguageConfig(languages=("en", "eng")))


@given(st.text(), st.integers(50, 400))
@settings(max_examples=200)
def test_segments_hold_prose_of_about_the_asked_length(noise: str, characters: int) -> None:
    text = "\n\n".join([ENGLISH, noise, GERMAN, noise, FRENCH])
    found = segments(text, characters)
    assert all("\n" not in segment.text for segment in found)
    assert all(segment.characters >= characters for segment in found[:-1])
    assert found[-1].characters >= min(characters / 2, sum(segment.characters for segment in found))
    kept = " ".join(segment.text for segment in found)
    if all(len(segment.text) == segment.characters for segment in found) and "`" not in noise:
        assert kept.split() == prose(text).split()


@given(st.text())
@settings(max_examples=200)
def test_any_text_has_segments_if_it_has_a_letter(text: str) -> None:
    if any(map(str.isalpha, text)):
        assert segments(text, 100)
    elif not any(map(str.isalnum, text)):
        assert not segments(text, 100)


def test_shares_weigh_by_characters() -> None:
    split = [Segment("a", 300), Segment("b", 100)]
    found = shares(split, [{"en": 0.9, "de": 0.1}, {"fr": 0.8, "en": 0.2}], ["en"])
    assert found.asked == 0.75
    assert dict(found.foreign) == {"fr": 0.25}
    assert found.probabilities["en"] == pytest.approx(0.725)
    assert found.probabilities["fr"] == pytest.approx(0.2)


def test_an_unsure_prediction_counts_for_the_likeliest_language() -> None:
    found = shares([Segment("a", 10)], [{"en": 0.35, "de": 0.2, "nl": 0.2, "da": 0.2}], ["en"])
    assert found.asked == 1
    together = shares([Segment("a", 10)], [{"nl": 0.3, "en": 0.2, "de": 0.2}], ["en", "de"])
    assert together.asked == 1
