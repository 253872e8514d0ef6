from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.licences.expression import combine, parse
from factory.licences.restrictions import forbidden_by_name, restrictions
from factory.licences.stated import OWN_TERMS, SPDX_IDS
from factory.licences.wording import folded, is_balanced, normalised

RESERVED = [
    "UNLICENSED", "All rights reserved (c) A. Author", "All rights reserved (c) Author Inc. 2020",
    "Copyright 2020, Author Inc., all rights reserved", "\u00a9 MIT", "(c) Python Software Foundation",
    "Tous droits réservés", "TOUS DROITS RESERVES", "Tous droits de reproduction réservés", "Alle Rechte vorbehalten.",
    "Todos los derechos reservados", "Todos os direitos reservados", "Tutti i diritti sono riservati",
    "Alle rechten voorbehouden", "Alla rättigheter förbehållna", "Alle rettigheder forbeholdes",
    "Wszelkie prawa zastrzeżone", "Všechna práva vyhrazena", "Minden jog fenntartva", "Toate drepturile rezervate",
    "Kaikki oikeudet pidätetään", "Tüm hakları saklıdır", "Все права защищены", "Всі права захищені",
    "版权所有", "保留所有权利", "無断転載を禁ず", "모든 권리 보유", "جميع الحقوق محفوظة", "כל הזכויות שמורות",
    "confidential", "Author Inc. Confidential", "internal use only", "do not distribute", "Not for redistribution",
    "Custom; not licensed for redistribution", "Redistribution is strictly prohibited", "our proprietary licence",
    "MIT, images: all rights reserved", "Public domain. All rights reserved",
]  # fmt: skip

NON_COMMERCIAL = [
    "free for personal use", "Free for non-profit use", "free for private, non-public use", "personal use",
    "nicht-kommerziell", "Nur für nichtkommerzielle Nutzung", "Für den privaten Gebrauch", "uso no comercial",
    "Pas d\u2019utilisation commerciale", "usage non commercial", "uso não comercial", "uso non commerciale",
    "niet-commercieel", "ikke-kommersiell bruk", "użytek niekomercyjny", "nekomerční", "ticari olmayan kullanım",
    "некоммерческое использование", "非商业用途", "仅供个人使用", "商用利用不可", "비영리", "غير تجاري",
    "CCBYNC", "CC-BYNC-4.0", "CC BY 4.0, parts NC", "not for personal or commercial use",
]  # fmt: skip

RESTRICTED = ["evaluation only", "for evaluation", "trial version only", "source-available", "OpenRAIL-M",
              "may not be sold", "No AI training", "not for use in machine learning"]  # fmt: skip


@pytest.mark.parametrize(
    ("stated", "term"),
    [(stated, "LicenseRef-all-rights-reserved") for stated in RESERVED]
    + [(stated, "LicenseRef-NC") for stated in NON_COMMERCIAL]
    + [(stated, "LicenseRef-restricted-use") for stated in RESTRICTED]
    + [("MIT w/ Commons Clause", "LicenseRef-Commons-Clause")],
)
def test_what_is_forbidden_in_words_is_understood(stated: str, term: str) -> None:
    assert combine([stated]) == term


@pytest.mark.parametrize(
    "stated",
    [
        "free for commercial and non-commercial use", "free for personal, academic and commercial use",
        "commercial or personal use allowed", "für kommerzielle und nicht-kommerzielle Nutzung",
        "à des fins commerciales ou non commerciales", "not limited to non-commercial use",
        "use is not restricted to personal use", "not only for personal use", "no restriction on non-commercial use",
        "no restriction on commercial use", "non-proprietary", "not confidential", "no longer confidential",
        "redistribution permitted for any purpose", "Freely redistributable", "House rules", "Common terms",
        "Common Public Attribution", "Non-Profit Open Software License 3.0", "Educational Community License",
        "some rights reserved", "Commons", "no-common-terms",
        "All rights reserved. Redistribution and use in source and binary forms are permitted",
        "Copyright 2014 A. Author. All rights reserved. Permission to use and copy is granted to everybody",
        "(This alternative is allowed only for noncommercial distribution and only if you received the program so.)",
        "A program that contains no derivative of any portion of the Library",
    ],
)  # fmt: skip
def test_what_is_not_forbidden_is_not_read_into_the_words(stated: str) -> None:
    assert restrictions(stated) is None


def test_clauses_of_a_long_text_do_not_make_it_confidential() -> None:
    text = "You may combine the Library with proprietary programs under these terms. " * 10
    assert restrictions(text) is None
    assert restrictions(text + "Only for non-commercial use, without exception.") == "LicenseRef-NC"


@pytest.mark.parametrize(
    ("stated", "licence"),
    [
        ("MIT. Copyright (c) 2020 A. Author. All rights reserved.", "MIT"),
        ("BSD-3-Clause; All rights reserved", "BSD-3-Clause"),
        ("Copyright 2003 Author Inc. All rights reserved. Licensed under the MIT License.", "MIT"),
        ("All rights reserved, licensed under CC BY 4.0", "CC-BY-4.0"),
        ("Copyright 2020 Author, MIT License", "MIT"),
        ("\u00a9 2020 A. Author. CC BY 4.0", "CC-BY-4.0"),
        ("\u00a9 2020 A. Author. CC BY-NC 4.0", "CC-BY-NC-4.0"),
    ],
)
def test_a_licence_beside_a_copyright_notice_decides(stated: str, licence: str) -> None:
    assert combine([stated]) == licence


def test_a_reference_forbids_by_its_name_and_never_permits() -> None:
    assert forbidden_by_name("LicenseRef-Proprietary") == "LicenseRef-all-rights-reserved"
    assert forbidden_by_name("LicenseRef-house-NonCommercial") == "LicenseRef-NC"
    assert forbidden_by_name("LicenseRef-house") is None
    assert forbidden_by_name("LicenseRef-MIT") is None
    assert combine(["LicenseRef-Proprietary"]) == "LicenseRef-Proprietary"


def test_no_known_licence_forbids_by_its_name() -> None:
    assert [name for name in (*SPDX_IDS, *OWN_TERMS) if forbidden_by_name(name)] == []


@given(st.text(max_size=60))
def test_normalising_twice_changes_nothing(stated: str) -> None:
    assert normalised(normalised(stated)) == normalised(stated)


def test_words_are_compared_without_case_and_accents() -> None:
    assert folded("Tous\u00a0Droits RÉSERVÉS\u200b") == "tous droits reserves"
    assert folded("ZASTRZEŻONE, SŁOWO, Straße") == "zastrzezone, slowo, strasse"


@given(st.sampled_from(["CC-BY-NC-4.0", "UNLICENSED", "Tous droits réservés"]), st.data())
def test_invisible_characters_change_no_reading(stated: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(stated)))
    unseen = data.draw(st.sampled_from("\u200b\u200c\u200d\u2060\ufeff\u00ad\u202e\u034f\ufe0f\u3164\0"))
    assert parse(stated[:place] + unseen + stated[place:]) == parse(stated)


@pytest.mark.parametrize(("stated", "whole"), [("(MIT)", True), ("MIT", True), ("(MIT", False), (")(", False)])
def test_parentheses_without_their_other_half_are_seen(stated: str, whole: bool) -> None:
    assert is_balanced(stated) is whole
