"""Presidio's recognisers as an engine for finding personal data (optional extra `presidio`).

Design: only pattern recognisers, on a blank spaCy pipeline, so nothing is downloaded and nothing depends on a
language model: presidio-analyzer 2.2.366. For kinds that Presidio has no recogniser for (secrets, most tokens, some
national ids) our own patterns are asked, so no kind is lost by choosing it. Long texts are read in overlapping
windows, because spaCy refuses more than a million characters.

Cost: 4.1 ms a text of 1,500 characters, 31 times our patterns (200 documents of programming text). On synthetic
documents (tests/select/planted.py) it finds 0.947 of the values, our patterns all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from typing import Any

import spacy
import tldextract
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer import predefined_recognizers as recognisers
from presidio_analyzer.nlp_engine import SpacyNlpEngine

from factory.select.pii_find import Find, Found, PatternFinder, disjoint

ENTITIES = {
    "EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "CREDIT_CARD": "credit_card", "IBAN_CODE": "iban",
    "IP_ADDRESS": "ip_address", "US_SSN": "us_ssn", "UK_NHS": "uk_nhs", "UK_NINO": "uk_nino", "ES_NIF": "es_dni",
    "ES_NIE": "es_nie", "IT_FISCAL_CODE": "it_fiscal_code", "PL_PESEL": "pl_pesel", "DE_TAX_ID": "de_tax_id",
    "FI_PERSONAL_IDENTITY_CODE": "fi_hetu", "SE_PERSONNUMMER": "se_pnr", "IN_AADHAAR": "in_aadhaar",
    "CA_SIN": "ca_sin", "AU_TFN": "au_tfn",
}  # fmt: skip
"""Presidio's entity -> our kind."""

RECOGNISERS = (
    "EmailRecognizer", "PhoneRecognizer", "CreditCardRecognizer", "IbanRecognizer", "IpRecognizer", "UsSsnRecognizer",
    "NhsRecognizer", "UkNinoRecognizer", "EsNifRecognizer", "EsNieRecognizer", "ItFiscalCodeRecognizer",
    "PlPeselRecognizer", "DeTaxIdRecognizer", "FiPersonalIdentityCodeRecognizer", "SePersonnummerRecognizer",
    "InAadhaarRecognizer", "CaSinRecognizer", "AuTfnRecognizer",
)  # fmt: skip

LEAST_SCORE = 0.4
"""Below it Presidio marks bare digit patterns without checksum or context: 0.05 for nine digits as a US number."""

WINDOW, OVERLAP = 50_000, 500


class _BlankEngine(SpacyNlpEngine):
    """A tokenizer and nothing else; context words are compared as they are written."""

    def load(self) -> None:
        self.nlp = {"en": spacy.blank("en")}


@lru_cache(maxsize=1)
def _analyzer() -> Any:
    # Without this it downloads the public suffix list at the first e-mail address.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    registry = RecognizerRegistry(recognizers=[], supported_languages=["en"])
    for name in RECOGNISERS:
        registry.add_recognizer(getattr(recognisers, name)(supported_language="en"))
    engine = _BlankEngine(models=[{"lang_code": "en", "model_name": "blank"}])
    engine.load()
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])


class PresidioFinder:
    """Finds by Presidio, and by our patterns where it has none; pickles as its settings."""

    def __init__(self, kinds: Collection[str], skip: Callable[[str, str], bool] | None = None) -> None:
        self._entities = [entity for entity, kind in ENTITIES.items() if kind in kinds]
        self._others: Find = PatternFinder(set(kinds) - set(ENTITIES.values()), skip)
        self._skip = skip

    def __call__(self, text: str) -> list[Found]:
        found = self._others(text)
        if self._entities:
            found = found + list(self._by_presidio(text))
        return disjoint(text, found)

    def _by_presidio(self, text: str) -> Iterator[Found]:
        for offset in range(0, max(1, len(text)), WINDOW):
            window = text[offset : offset + WINDOW + OVERLAP]
            results = _analyzer().analyze(
                text=window, language="en", entities=self._entities, score_threshold=LEAST_SCORE
            )
            for result in results:
                kind = ENTITIES[result.entity_type]
                if not (self._skip and self._skip(kind, window[result.start : result.end])):
                    yield Found(offset + result.start, offset + result.end, kind)
