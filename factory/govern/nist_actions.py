"""NIST AI 600-1 (Generative AI Profile, July 2024): the suggested actions that a dataset's records speak to.

Design: an id stands here when its text was read in the publication and something in the dataset is evidence for it;
what it asks is told in our words. An action names a place in a file and a rule that reads the facts: True, False,
"partly" where the evidence carries a part of what is asked, or None where nobody stated it or the gate that would
measure it is off. Figures that a result rests on are told with it. A pass says that the evidence is there and holds,
not that the organisation has done all that the action asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from factory.govern.facts import Facts

Result = bool | Literal["partly"] | None
Rule = Callable[[Facts], Result]


@dataclass(frozen=True)
class Action:
    """`evidence` is a path below the dataset and a JSON pointer into it, "" for the whole file; `measured` words the
    figures that the result rests on."""

    id: str
    asks: str
    evidence: tuple[tuple[str, str], ...]
    rule: Rule
    means: str
    measured: Callable[[Facts], str] | None = None


def stated(*fields: str) -> Rule:
    """All of these keys of `governance` say something."""

    def rule(facts: Facts) -> bool | None:
        return True if all(getattr(facts.governance, field) not in (None, ()) for field in fields) else None

    return rule


def gates(*names: str) -> Rule:
    """The gates of these names have passed; None where all of them are off or not there."""

    def rule(facts: Facts) -> bool | None:
        found = [gate.passed for gate in facts.gates if gate.name in names and gate.threshold is not None]
        return all(found) if found else None

    return rule


def _go_or_not(facts: Facts) -> bool | None:
    stopping = [gate.passed for gate in facts.gates if gate.severity == "error" and gate.threshold is not None]
    return all(stopping) if stopping else None


def _sources_known(facts: Facts) -> bool | None:
    return bool(facts.sources["places"])


def _licences_known(facts: Facts) -> bool | None:
    return not facts.duties.get("unknown")


def _revisions_known(facts: Facts) -> bool | None:
    return bool(facts.models) and all(model.revision for model in facts.models)


def _conserved(facts: Facts) -> bool | None:
    """Of every step: what was read is what was used, rejected or quarantined, and outputs are accepted or rejected."""
    return all(
        step.counts["inputs"] == step.counts["used"] + step.counts["rejected"] + step.counts["quarantined"]
        and step.counts["produced"] == step.counts["accepted"] + step.counts["output_rejected"]
        for step in facts.steps
    )


def _verified(facts: Facts) -> Result:
    """Whether a checker found answers right: of all rows, of some, of none."""
    right = facts.verified.get("yes", 0)
    return right == facts.rows or "partly" if right else False


def _how_verified(facts: Facts) -> str:
    verdicts = ", ".join(f"{verdict} {facts.verified.get(verdict, 0):,}" for verdict in ("yes", "no", "unchecked"))
    return f"of {facts.rows:,} rows verified: {verdicts}"


def _accurate(facts: Facts) -> Result:
    """Yield and completeness say nothing of accuracy: that is what checkers found."""
    bounds = gates("min_yield", "schema")(facts)
    return (True if _verified(facts) is True else "partly") if bounds else bounds


def _grounded(facts: Facts) -> Result:
    """That rows name their documents is the gate on their schema; that answers rest on these, one on groundedness."""
    named = gates("schema")(facts)
    held = gates(*_grounding(facts))(facts)
    if not named:
        return named
    return False if held is False else held or "partly"


def _how_grounded(facts: Facts) -> str:
    found = [f"{gate.name} {gate.measured:.6g}" for gate in facts.gates if gate.name in _grounding(facts)]
    return "; ".join(found) or "no gate of the run measured groundedness; each row has its grounded_share"


def _grounding(facts: Facts) -> list[str]:
    """Gates on groundedness, which packs bring."""
    return [gate.name for gate in facts.gates if "ground" in gate.name and gate.threshold is not None]


def _retention_partly(facts: Facts) -> Result:
    """What is stated is when raw requests go; how long records of tests are kept, nobody is asked."""
    return "partly" if facts.governance.retention_days is not None else None


def _how_retained(facts: Facts) -> str:
    days = facts.governance.retention_days
    requests = "not stated" if days is None else f"removed after {days} days"
    return f"raw requests: {requests}; results of gates: in the manifest, as long as the dataset"


def _personal_data_handled(facts: Facts) -> bool | None:
    action = facts.recipe.get("select", {}).get("pii", {}).get("action")
    return None if action is None else action in ("mask", "reject")


def _curated(facts: Facts) -> bool | None:
    return True if "select" in facts.recipe and "curate" in facts.recipe else None


def _prompts_kept(facts: Facts) -> bool | None:
    asked = {step.prompt for step in facts.steps if step.prompt}
    return asked <= {prompt.prompt_id for prompt in facts.prompts} if asked else None


def _summaries(facts: Facts) -> bool | None:
    links = [model.stated is not None and model.stated.summary is not None for model in facts.models]
    return True if links and all(links) else None


def _sealed(facts: Facts) -> bool | None:
    return len(facts.digest) == 64 and all(len(file.sha256) == 64 for file in facts.files)


def _marked(facts: Facts) -> bool | None:
    return "trainedAlgorithmic" in facts.digital_source_type


MANIFEST, CARD, LIST, PROMPTS = "manifest.json", "README.md", "ATTRIBUTION.md", "prompts.json"
LEAKS = ("max_verbatim_share", "max_copied_share")
HOMOGENEITY = ("max_shared_template", "max_duplicate_start", "max_shared_start", "max_near_duplicates")

ACTIONS: tuple[Action, ...] = (
    Action("GV-1.1-001", "keep to laws on data privacy, copyright and intellectual property",
           ((MANIFEST, "/governance/legal_basis"), (MANIFEST, "/license")), stated("legal_basis", "licence_policy"),
           "governance.legal_basis and governance.licence_policy say something"),
    Action("GV-1.2-001", "document origin and history of training data and generated data",
           ((MANIFEST, "/sources"), (MANIFEST, "/steps"), (LIST, "")), _sources_known, "places of sources are counted"),
    Action("GV-1.3-002", "set thresholds and review them before release",
           ((MANIFEST, "/gates"),), _go_or_not, "every gate that stops has passed"),
    Action("GV-1.5-003", "keep a policy on retaining records of tests and of content transparency",
           ((MANIFEST, "/governance/retention_days"),), _retention_partly,
           "partly where governance.retention_days is set: that is of raw requests, not of records of tests",
           _how_retained),
    Action("GV-1.6-003", "list provenance, rights, oversight and the versions of underlying models in the inventory",
           ((MANIFEST, "/generators"), (MANIFEST, "/license")), _revisions_known, "every model has a revision"),
    Action("GV-6.1-001", "sort content by the rights of third parties in it",
           ((MANIFEST, "/license/rows"), (MANIFEST, "/license/duties"), (LIST, "")), _licences_known,
           "no row rests on a source of unknown licence"),
    Action("MP-1.1-002", "document the context of use that is expected and acceptable, and its limits",
           ((MANIFEST, "/governance/intended_uses"), (MANIFEST, "/governance/limitations")),
           stated("intended_uses", "limitations"), "governance.intended_uses and governance.limitations say something"),
    Action("MP-1.1-004", "document foreseeable uses that are illegal or beyond tolerance",
           ((MANIFEST, "/governance/prohibited_uses"),), stated("prohibited_uses"),
           "governance.prohibited_uses says something"),
    Action("MP-2.1-001", "establish how data origin and content lineage are determined",
           ((MANIFEST, "/steps"), (MANIFEST, "/shards")), gates("schema"), "no row lacks its documents or licence"),
    Action("MP-2.1-002", "test data and content flows, from sources through transformations to decisions",
           ((MANIFEST, "/steps"),), _conserved, "what every step read and made adds up"),
    Action("MP-2.2-001", "document reliance on upstream data sources",
           ((MANIFEST, "/sources"), (LIST, "")), _sources_known, "places of sources are counted"),
    Action("MP-2.3-002", "review accuracy, relevance and suitability of data in use",
           ((MANIFEST, "/gates"), (MANIFEST, "/totals/verified")), _accurate,
           "yield and completeness are within their bounds, and a checker found every answer right; else partly",
           _how_verified),
    Action("MP-2.3-003", "use fact-checking techniques and document them",
           ((MANIFEST, "/totals/verified"),), _verified,
           "a checker found every answer right; partly: some of them", _how_verified),
    Action("MP-4.1-001", "watch generated content for personal and sensitive data",
           ((MANIFEST, "/gates"),), gates("max_personal_data"), "the gate on personal data has passed"),
    Action("MP-4.1-004", "document how training data is curated",
           ((MANIFEST, "/recipe/select"), (MANIFEST, "/recipe/curate")), _curated,
           "filters and deduplication are recorded"),
    Action("MP-4.1-005", "have policies on collection, retention and least quality of data",
           ((MANIFEST, "/governance/collection"), (MANIFEST, "/governance/retention_days")),
           stated("collection", "retention_days"), "governance.collection and governance.retention_days are set"),
    Action("MP-4.1-006", "define how intellectual property of others is used and protected",
           ((MANIFEST, "/governance/licence_policy"),), stated("licence_policy"),
           "governance.licence_policy says something"),
    Action("MP-4.1-009", "detect personal or sensitive data in generated text",
           ((MANIFEST, "/gates"),), gates("max_personal_data"), "the gate on personal data has passed"),
    Action("MP-5.1-003", "consider disclosing that content is generated",
           ((MANIFEST, "/digital_source_type"), (CARD, "")), _marked, "rows, files and card say so"),
    Action("MS-1.1-001", "trace origin and modifications of content",
           ((MANIFEST, "/shards"), (MANIFEST, "/steps")), gates("schema"), "no row lacks its documents or licence"),
    Action("MS-2.2-002", "document how provenance interacts with privacy, and remove personal data",
           ((MANIFEST, "/recipe/select/pii"),), _personal_data_handled,
           "personal data found in sources is masked or turned away"),
    Action("MS-2.3-003", "share results of tests before release with those who approve it",
           ((MANIFEST, "/gates"), (CARD, "")), _go_or_not, "every gate that stops has passed, and the card tells them"),
    Action("MS-2.5-005", "verify provenance of training data, and that it is grounded",
           ((MANIFEST, "/gates"), (MANIFEST, "/sources")), _grounded,
           "no row lacks its documents or licence, and gates on groundedness have passed; partly without such a gate",
           _how_grounded),
    Action("MS-2.8-002", "document the instructions given to annotators",
           ((PROMPTS, "/prompts"),), _prompts_kept, "the text of every prompt that a step used is there"),
    Action("MS-2.8-003", "keep a tamper-evident history of content",
           ((MANIFEST, "/digest"), (MANIFEST, "/files")), _sealed, "the manifest holds its digest and every hash"),
    Action("MS-2.10-003", "verify deduplication of training data, above all of synthetic data",
           ((MANIFEST, "/gates"),), gates("max_exact_duplicates", "max_near_duplicates"),
           "gates on exact and near duplicates have passed"),
    Action("MS-2.11-004", "document sources of bias, and how much of the data is generated",
           ((MANIFEST, "/governance/known_bias"), (MANIFEST, "/synthetic")), stated("known_bias"),
           "governance.known_bias says something; all rows are generated"),
    Action("MS-2.11-005", "assess the share of synthetic data, and that it is not overly homogenous",
           ((MANIFEST, "/totals"), (MANIFEST, "/gates")), gates(*HOMOGENEITY),
           "all rows are synthetic; gates on shared wording have passed"),
    Action("MG-2.2-002", "document sources to trace the origin of generated content",
           ((LIST, ""), (MANIFEST, "/sources")), _sources_known, "places of sources are counted"),
    Action("MG-3.1-004", "act on outputs that reproduce the data they rest on",
           ((MANIFEST, "/gates"),), gates(*LEAKS), "gates on copied and verbatim text have passed"),
    Action("MG-3.1-005", "review transparency artefacts of models of third parties",
           ((MANIFEST, "/governance/models"),), _summaries, "every model has a link to its summary"),
    Action("MG-3.2-007", "take up what boards or committees recommend on pre-trained models",
           ((MANIFEST, "/governance/review_board"),), stated("review_board"),
           "governance.review_board names a decision"),
)  # fmt: skip
