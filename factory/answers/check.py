"""The `check` step: what can be said of each committed answer without asking a model again.

Design: row-wise over answer files and a step of its own, so that another verifier, tolerance or threshold never pays
for new answers. One row an answer, in its order: the verdict of the verifiers (verify/decide.py) with its evidence,
and how far the answer rests on its sources (grounding.py).
Nothing is turned away here; `answer.require` decides in the samples step what an unverified row is worth.

Cost: recompute.py's (0.2 ms a worked answer of GSM8K) and grounding.py's; a row of code costs what its tests take.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from factory.answers.config import AnswerConfig
from factory.answers.evidence_by_embedding import SentenceEvidence, embedded_evidence, sentence_evidence
from factory.answers.grounding import Grounding, grounding
from factory.answers.step import passages_of
from factory.answers.verify.config import VerifyConfig
from factory.answers.verify.decide import PACK_KINDS, VERIFIERS, verify_answer
from factory.answers.verify.pack import ERROR, pack_verdict
from factory.answers.verify.verdict import Verdict
from factory.domains.checks import Terms
from factory.domains.pack import Pack
from factory.domains.pack_code import PackCode
from factory.errors import ConfigError
from factory.identity import canonical_json, ids_digest
from factory.run.outputs import fetch_texts
from factory.run.step import Row, Texts
from factory.run.units import Unit, UnitResult
from factory.store.base import Store
from factory.store.parquet import read_parquet
from factory.tables import CHECK, TASK_COLUMNS
from factory.tasks.task import TaskType
from factory.tasks.verify import stratum_of, task_facts, verify_task
from factory.vocabulary.given import Vocabulary

STEP_VERSION = 4

COLUMNS = ["answer_id", "level", "text", "answer", "final_answer", "sources"]
PACK_COLUMNS = ["edu_level", "subject", "concepts", "votes"]
"""What a pack's verifier is told besides."""
OF_TASKS = [field.name for field in TASK_COLUMNS]


@dataclass(frozen=True)
class CheckStep:
    """Work step: ANSWER rows -> CHECK rows. `pack` is the domain pack's code where it verifies answers,
    `tasks` are the types beside open questions, each checked in its way, `vocabulary` what the pack's code may ask."""

    config: VerifyConfig
    embedding: SentenceEvidence | None = None
    pack: PackCode | None = None
    tasks: tuple[TaskType, ...] = ()
    vocabulary: Vocabulary | None = None

    name = "check"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        own: dict[str, Any] = {"verify": self.config.model_dump(mode="json"), "verifiers": VERIFIERS}
        own |= {"embedding": self.embedding.identity()} if self.embedding else {}
        own |= {"pack": self.pack.identity()} if self.pack else {}
        own |= {"vocabulary": self.vocabulary.index_identity()} if self.vocabulary else {}
        return own | ({"tasks": {task.name: task.check_identity() for task in self.tasks}} if self.tasks else {})

    def work(self, store: Store, unit: Unit) -> UnitResult:
        if unit.file is None:
            raise ValueError(f"unit {unit.unit_id} of the check step has no answer file")
        of_task = OF_TASKS if self.tasks and not unit.file.name.startswith("answer-") else ()
        answers = read_parquet(store, unit.file.key, [*COLUMNS, *(PACK_COLUMNS if self.pack else ()), *of_task])
        if unit.picks is not None:
            answers = answers.take(pa.array(unit.picks, pa.int64()))
        rows = answers.to_pylist()
        texts = fetch_texts(store, [source for row in rows for source in row["sources"] or ()])
        grounded = [grounding(row["answer"] or "", passages_of(row, texts)) for row in rows]
        terms = self.vocabulary.load(store) if self.vocabulary else None
        verdicts = [self.verdict(row, texts, found, terms) for row, found in zip(rows, grounded, strict=True)]
        embedded = [_embedded_share(row, texts, self.embedding) for row in rows]
        ids = [row["answer_id"] for row in rows]
        table = pa.table(
            {
                "answer_id": ids,
                "verified": [verdict.verified for verdict in verdicts],
                "verified_by": [verdict.by for verdict in verdicts],
                "check_evidence": [canonical_json(dict(verdict.evidence)).decode() for verdict in verdicts],
                **{name: [getattr(found, name) for found in grounded] for name in SHARES},
                "embedded_share": embedded,
                "evidence_spans": [[asdict(span) for span in found.spans] for found in grounded],
            },
            schema=CHECK,
        )
        return UnitResult(
            inputs=len(ids),
            used=len(ids),
            tables=(table,) if ids else (),
            id_column="answer_id",
            input_ids_digest=ids_digest(ids),
            facts=check_facts(rows, verdicts) | task_facts(rows),
        )

    def verdict(self, row: Row, texts: Texts, grounded: Grounding, terms: Terms | None = None) -> Verdict:
        """Of one ANSWER row; `texts` are its passages by id, `grounded` how it stands on them."""
        if (name := row.get("task")) is not None:
            task = next(task for task in self.tasks if task.name == name)
            checked = self.config.kind != "none"
            return verify_task(task, row, grounded) if checked else Verdict()
        code = self.pack
        passages = passages_of(row, texts)
        own = (lambda: pack_verdict(code.load(), row, passages, terms)) if code is not None else None
        return verify_answer(row["text"], row["answer"], row["final_answer"], self.config, own)


def check_step(
    config: AnswerConfig, pack: Pack, tasks: tuple[TaskType, ...] = (), vocabulary: Vocabulary | None = None
) -> CheckStep:
    """The step that a configuration describes. Raises ConfigError where the pack's code cannot be used, or is asked for
    and has no verifier."""
    verifies = config.verify.kind in PACK_KINDS and pack.checks is not None and pack.checks.load().verify is not None
    if config.verify.kind == "pack" and not verifies:
        raise ConfigError(
            f"answer.verify.kind=pack: the domain pack {pack.name} has no verifier",
            cause="its folder has no checks.py, or that defines no function `verify`",
            remedy="use answer.verify.kind=auto, or add one (factory/domains/checks.py has an example)",
        )
    code = pack.checks if verifies else None
    asked = vocabulary if verifies else None
    return CheckStep(config.verify, sentence_evidence(config.grounding.embedding), code, tasks, asked)


def _embedded_share(row: Row, texts: Texts, rule: SentenceEvidence | None) -> float | None:
    return embedded_evidence(row["answer"] or "", passages_of(row, texts), rule).share if rule else None


SHARES = ("grounded_share", "extracted_share", "longest_copied_words", "evidence_position")


def check_facts(rows: Sequence[Mapping[str, Any]], verdicts: Sequence[Verdict]) -> dict[str, int]:
    """Rows of each verdict by level or task type and by verifier, as factory/select/findings.py reads them."""
    facts: Counter[str] = Counter()
    for row, verdict in zip(rows, verdicts, strict=True):
        stratum = stratum_of(row)
        facts[f"verified={stratum}: {verdict.verified}"] += 1
        failed = "the pack's checks.py failed" if ERROR in verdict.evidence else "nothing could check it"
        facts[f"verified_by={verdict.by or failed}: {verdict.verified}"] += 1
    return dict(facts)
