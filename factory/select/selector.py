"""The domain filter: documents that a trained selector scores below the threshold are turned away.

Design: the driver reads the artefact's manifest (selector_artefact.py) and copies the model file into the run's own
store, named by its digest: workers need no access to where it was trained, and a run can be repeated after that
place is gone. The filter itself carries digests and settings only. A folder is named by what decides a score
(model, preparation of texts, threshold), not by the manifest, so a report written anew repeats no work.

Cost: loading once a process 20 ms for a fastText model of 9 MB; scoring: fasttext_scorer.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from factory.config import FactoryConfig
from factory.errors import ConfigError
from factory.select.filters import Candidate, Filter, Judge, Verdict
from factory.select.scoring import Scorer, Scoring, check_here, open_scorer
from factory.select.selector_artefact import check_files, check_model, read_manifest, read_model
from factory.store.base import Store
from factory.store.open import open_root

VERSION = 1
"""Raise when the same model and text give another verdict."""


@dataclass(frozen=True)
class Selector:
    """`trained` is the store that the artefact lies in, at its root: where the model comes from, not what it is;
    `domain` is the pack it was trained for."""

    scoring: Scoring
    model_sha256: str
    manifest_sha256: str
    threshold: float
    trained: Store
    domain: str = ""

    name = "selector"

    def identity(self) -> dict[str, Any]:
        return {
            "model": self.model_sha256,
            "scoring": self.scoring.to_json(),
            "threshold": self.threshold,
            "version": VERSION,
        }

    @property
    def key(self) -> str:
        """Where the model file lies in a run's store."""
        return f"selectors/{self.model_sha256}.bin"

    def prepare(self, store: Store) -> None:
        """Puts the model into the run's store. Raises ConfigError when it is gone, or not what it was."""
        if store.head(self.key) is None:
            manifest = read_manifest(self.trained, sha256=self.manifest_sha256)
            store.put(self.key, read_model(self.trained, "", manifest))

    def open(self, store: Store) -> Judge:
        scorer = self._load(store)

        def judge(documents: Sequence[Candidate]) -> list[Verdict | None]:
            scores = scorer.score([document.text for document in documents])
            for document, score in zip(documents, scores, strict=True):
                document.findings["domain_score"] = score
            return [self._verdict(score) for score in scores]

        return judge

    def _verdict(self, score: float) -> Verdict | None:
        if score >= self.threshold:
            return None
        return Verdict("off_domain", {"score": round(score, 4), "threshold": self.threshold})

    def _load(self, store: Store) -> Scorer:
        if self.model_sha256 not in _SCORERS:
            try:
                data = store.get(self.key)
            except KeyError:
                raise ConfigError(
                    f"the selector's model {self.key} is not in {store.uri}",
                    cause="it was deleted while the run was going on",
                    remedy="start the run again; the model is copied from select.selector.path once more",
                ) from None
            check_model(data, self.model_sha256, f"{store.uri}/{self.key}")
            _SCORERS.clear()
            _SCORERS[self.model_sha256] = open_scorer(self.scoring, data)
        return _SCORERS[self.model_sha256]


_SCORERS: dict[str, Scorer] = {}
"""The scorer of this process, by the digest of its model; one at a time, for embedding models are large."""


def other_domain(filters: Sequence[Filter], pack: str) -> str | None:
    """What to tell a user whose selector was trained for another field than the run's pack; None where they agree, or
    where the pack is general and says nothing of a field."""
    for each in filters:
        if isinstance(each, Selector) and pack not in (each.domain, GENERAL):
            return f"the selector was trained for {each.domain}, this run's domain is {pack}"
    return None


GENERAL = "general"


def selector_filter(config: FactoryConfig) -> Selector | None:
    """The filter that `select.selector` asks for; None where it is off.

    Raises ConfigError when there is no selector at its path, its digest is not the one asked for, or a forest's
    embedding model is not on this machine.
    """
    wanted = config.select.selector
    if wanted.path is None:
        return None
    trained = open_root(wanted.path, config.store.endpoint_url, config.store.region)
    manifest = read_manifest(trained, sha256=wanted.sha256)
    check_files(trained, "", manifest)
    check_here(manifest.scoring)
    threshold = manifest.threshold if wanted.threshold is None else wanted.threshold
    return Selector(manifest.scoring, manifest.model_sha256, manifest.sha256, threshold, trained, manifest.domain)
