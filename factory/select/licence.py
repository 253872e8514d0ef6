"""Whether the licence of a document lets it in, and which duties it brings along.

Design: the stated licence is parsed into an SPDX expression (factory/licences), and the policy is asked for every
simple licence of it: denied, allowed, not allowed, or unknown, which has a policy of its own. Every part that AND
joins must pass; of parts that OR joins one is enough, and where none passes the mildest refusal stands, because
that is the one to lift. Duties do not depend on the policy: they are those of the expression that is published.

Cost: one dictionary look-up a document, 0.2 to 0.9 microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from factory.licences.duties import duties_of
from factory.licences.expression import Node, parse, write
from factory.licences.patterns import matches, may_match
from factory.licences.stated import SPDX_LIST_VERSION, is_known
from factory.select.config import LicenceConfig
from factory.select.filters import Candidate, Judge, Verdict
from factory.store.base import Store

LICENCE_VERSION = 2
"""Raise when some licence is judged otherwise under the same policy."""

STATED_CHARACTERS = 300
"""Of what was stated, kept as evidence: some corpora put a licence's whole wording there."""


@dataclass(frozen=True)
class Licence:
    config: LicenceConfig

    name = "licence"

    def identity(self) -> dict[str, Any]:
        return {**self.config.model_dump(mode="json"), "version": LICENCE_VERSION, "spdx_list": SPDX_LIST_VERSION}

    def prepare(self, store: Store) -> None:
        """Nothing to prepare."""

    def open(self, store: Store) -> Judge:
        decide = lru_cache(maxsize=65536)(self._decide)

        def judge(documents: Sequence[Candidate]) -> list[Verdict | None]:
            verdicts = []
            for document in documents:
                verdict, duties = decide(document.license or "")
                document.findings["duties"] = list(duties)
                verdicts.append(verdict)
            return verdicts

        return judge

    def _decide(self, stated: str) -> tuple[Verdict | None, tuple[str, ...]]:
        node = parse(stated)
        refusal = _refusal(node, self.config)
        if refusal is None:
            return None, duties_of(stated)
        evidence = {
            "stated": stated[:STATED_CHARACTERS],
            "spdx": write(node),
            "part": refusal.part,
            "pattern": refusal.pattern,
        }
        quarantined = refusal.reason == "licence_unknown" and self.config.unknown == "quarantine"
        return Verdict(refusal.reason, evidence, "quarantine" if quarantined else "input"), duties_of(stated)


class Refusal(NamedTuple):
    """Why a part may not pass; `pattern` is the deny pattern that met it, None where no pattern did."""

    severity: int
    reason: str
    part: str
    pattern: str | None


def _refusal(node: Node, config: LicenceConfig) -> Refusal | None:
    if not node.operator:
        return _simple_refusal(node.text, config)
    refusals = [_refusal(part, config) for part in node.parts]
    refused = [refusal for refusal in refusals if refusal is not None]
    if node.operator == "AND":
        return max(refused, key=lambda refusal: refusal.severity) if refused else None
    return min(refused, key=lambda refusal: refusal.severity) if len(refused) == len(refusals) else None


def _simple_refusal(part: str, config: LicenceConfig) -> Refusal | None:
    for pattern in config.deny:
        if may_match(part, pattern):
            return Refusal(3, "licence_denied", part, pattern)
    allowed = config.allow is not None and any(matches(part, pattern) for pattern in config.allow)
    if allowed:
        return None
    if not is_known(part):
        return None if config.unknown == "keep" else Refusal(1, "licence_unknown", part, None)
    return None if config.allow is None else Refusal(2, "licence_not_allowed", part, None)
