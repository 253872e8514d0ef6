"""Personal data and secrets: masked, or the document turned away.

Design: what is found becomes a typed placeholder such as `<EMAIL>`, and the document goes on with the masked text;
where every placeholder stands is noted in its findings. Neither findings nor evidence hold a value. A rejected
document shows its masked text only, and `masked_excerpt` serves the rejects of filters that were asked earlier.
By default patterns with checksums and context decide (pii_find.py); Presidio's recognisers are an optional engine.

Cost: 120 to 230 microseconds a document of 1,500 characters with all kinds (4,400 to 8,300 documents/s on one core,
the fewest for code full of numbers).
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from factory.errors import ConfigError
from factory.select.config import PiiConfig
from factory.select.filters import Candidate, Filter, Judge, Verdict
from factory.select.pii_find import Find, Masked, PatternFinder, counts, mask
from factory.select.pii_kinds import KINDS
from factory.store.base import Store

PII_VERSION = 2
"""Raise when some text is masked otherwise under the same settings."""

EXCERPT_MARGIN = 4096
"""Characters read beyond an excerpt's end, so that a value that straddles it is seen whole."""


@dataclass(frozen=True)
class Pii:
    config: PiiConfig

    name = "pii"

    def identity(self) -> dict[str, Any]:
        identity: dict[str, Any] = {**self.config.model_dump(mode="json"), "version": PII_VERSION}
        if self.config.engine == "presidio":
            identity["presidio"] = _presidio_version()
        return identity

    def prepare(self, store: Store) -> None:
        """Checks that the engine is there. Raises ConfigError."""
        finder_of(self.config)

    def open(self, store: Store) -> Judge:
        judge_one = self._judged if self.config.action == "mask" else self._refused
        find = finder_of(self.config)

        def judge(documents: Sequence[Candidate]) -> list[Verdict | None]:
            return [judge_one(document, find) for document in documents]

        return judge

    def _judged(self, document: Candidate, find: Find) -> Verdict | None:
        masked = mask(document.text, find)
        document.findings["masked"] = [
            {"kind": each.kind, "start": each.start, "end": each.end} for each in masked.spans
        ]
        document.text = masked.text
        share = masked_share(masked)
        bound = self.config.max_masked_share
        if bound is None or share <= bound:
            return None
        evidence = {"kinds": counts(masked.spans), "masked_share": round(share, 4), "max_masked_share": bound}
        return Verdict("pii_heavy", evidence)

    def _refused(self, document: Candidate, find: Find) -> Verdict | None:
        document.findings["masked"] = []
        found = find(document.text)
        if not found:
            return None
        masked = mask(document.text, find)
        document.excerpt = masked.text
        return Verdict("pii", {"kinds": counts(masked.spans)})

    def masked_excerpt(self, text: str, characters: int) -> str:
        """The beginning of a text that another filter turned away, with what this one would find masked."""
        return mask(text[: characters + EXCERPT_MARGIN], finder_of(self.config)).text[:characters]

    def treated(self, text: str) -> tuple[str, Verdict | None]:
        """One text as the filter leaves it, and the verdict against it."""
        document = Candidate(text, "", "", "")
        judge_one = self._judged if self.config.action == "mask" else self._refused
        verdict = judge_one(document, finder_of(self.config))
        return document.text, verdict

    def masked(self, text: str) -> str:
        """A text that is no document (a name, a reason) with what is found in it masked, whatever `action` is."""
        return mask(text, finder_of(self.config)).text

    def masked_evidence(self, evidence: Mapping[str, Any]) -> dict[str, Any]:
        """Evidence with every string masked but the shard's name, without which nobody finds the row again."""
        return {key: value if key == "shard" else self._masked_value(value) for key, value in evidence.items()}

    def _masked_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.masked(value)
        if isinstance(value, Mapping):
            return {key: self._masked_value(each) for key, each in value.items()}
        return [self._masked_value(each) for each in value] if isinstance(value, list | tuple) else value


def pii_among(filters: Iterable[Filter]) -> Pii | None:
    """The filter of this module, where the configuration asks for it."""
    return next((each for each in filters if isinstance(each, Pii)), None)


def masked_share(masked: Masked) -> float:
    """Share of a masked text's characters, white space apart, that placeholders are."""
    visible = sum(map(len, masked.text.split()))
    return sum(each.end - each.start for each in masked.spans) / visible if visible else 0.0


@lru_cache(maxsize=8)
def finder_of(config: PiiConfig) -> Find:
    """Raises ConfigError where the engine is not installed."""
    kinds = tuple(KINDS) if config.kinds is None else config.kinds
    skip = _skipped(config)
    if config.engine == "patterns":
        return PatternFinder(kinds, skip)
    try:
        from factory.select.pii_presidio import PresidioFinder
    except ImportError as error:
        raise _not_installed(error) from None
    return PresidioFinder(kinds, skip)


def _presidio_version() -> str:
    try:
        return importlib.metadata.version("presidio-analyzer")
    except importlib.metadata.PackageNotFoundError as error:
        raise _not_installed(error) from None


def _not_installed(error: ImportError) -> ConfigError:
    return ConfigError(
        f"select.pii.engine=presidio needs a package that is not here: {error.name}",
        cause="Presidio is an optional extra",
        remedy='pip install "corpus-factory[presidio]", or set select.pii.engine=patterns',
    )


def _skipped(config: PiiConfig) -> Callable[[str, str], bool] | None:
    """Whether a value is one that the configuration lets stand."""
    values = {_bare(value) for value in config.allow_values}
    domains = tuple(domain.lower().removeprefix("@").removeprefix(".") for domain in config.allow_domains)
    if not values and not domains:
        return None

    def skip(kind: str, value: str) -> bool:
        if _bare(value) in values:
            return True
        if kind != "email" or not domains:
            return False
        domain = value.rpartition("@")[2].lower()
        return any(domain == allowed or domain.endswith(f".{allowed}") for allowed in domains)

    return skip


def _bare(value: str) -> str:
    """Without case and separators, so that a number may be listed as it is best read."""
    return "".join(character for character in value.casefold() if character.isalnum() or character in "@.:+_")
