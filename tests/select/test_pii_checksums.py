from __future__ import annotations

from collections.abc import Callable

import pytest

from factory.select import pii_checksums as sums

PUBLISHED: list[tuple[Callable[[str], bool], str]] = [
    (sums.luhn, "4111111111111111"),
    (sums.luhn, "79927398713"),
    (sums.iban, "DE89370400440532013000"),
    (sums.iban, "GB82WEST12345698765432"),
    (sums.iban, "FR1420041010050500013M02606"),
    (sums.german_tax_id, "86095742719"),
    (sums.german_tax_id, "47036892816"),
    (sums.french_nir, "255081416802538"),
    (sums.italian_fiscal_code, "RSSMRA85T10A562S"),
    (sums.dutch_bsn, "111222333"),
    (sums.belgian_number, "85073003328"),
    (sums.belgian_number, "17073003384"),
    (sums.polish_pesel, "44051401359"),
    (sums.finnish_code, "131052-308T"),
    (sums.swiss_number, "7569217076985"),
    (sums.brazilian_cpf, "52998224725"),
    (sums.nhs_number, "9434765919"),
    (sums.chinese_id, "11010519491231002X"),
    (sums.australian_tfn, "123456782"),
    (sums.verhoeff, "2363"),
    (lambda value: sums.spanish_letter(value[:8], value[8]), "12345678Z"),
    (lambda value: sums.spanish_letter(value[:8], value[8]), "01234567L"),
]
"""Examples that the authorities, standards or encyclopaedias print."""


@pytest.mark.parametrize(("valid", "example"), PUBLISHED)
def test_published_examples_pass(valid: Callable[[str], bool], example: str) -> None:
    assert valid(example)


@pytest.mark.parametrize(("valid", "example"), [pair for pair in PUBLISHED if pair[0] is not sums.brazilian_cpf])
def test_no_changed_check_digit_passes(valid: Callable[[str], bool], example: str) -> None:
    last = example[-1]
    others = set("0123456789" if last.isdigit() else "ABCDEFGHIJKLMNOPQRSTUVWXYZ") - {last}
    assert not any(valid(example[:-1] + other) for other in others)


@pytest.mark.parametrize(
    ("valid", "example"), [pair for pair in PUBLISHED if pair[0] in (sums.luhn, sums.iban, sums.verhoeff)]
)
def test_no_single_wrong_digit_passes(valid: Callable[[str], bool], example: str) -> None:
    for place, digit in enumerate(example):
        if digit.isdigit():
            for other in set("0123456789") - {digit}:
                assert not valid(example[:place] + other + example[place + 1 :])


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("4000000000000000", True),
        ("400000000000000", False),
        ("340000000000000", True),
        ("3400000000000000", False),
        ("5100000000000000", True),
        ("5900000000000000", False),
        ("2221000000000000", True),
        ("2220000000000000", False),
        ("6011000000000000", True),
        ("30000000000000", True),
        ("3528000000000000", True),
        ("1000000000000000", False),
    ],
)
def test_issuers_have_their_ranges_and_lengths(number: str, expected: bool) -> None:
    assert sums.card_issuer(number) is expected


def test_an_iban_of_the_wrong_length_or_an_unknown_country_fails() -> None:
    assert not sums.iban("DE8937040044053201300")
    assert not sums.iban("ZZ89370400440532013000")


def test_days_that_no_calendar_has_are_no_dates() -> None:
    assert sums.is_date("240229")
    assert not sums.is_date("240230")
    assert not sums.is_date("241301")
