"""What a dataset contributes to the public summary of training content of the EU's AI Act, Article 53(1)(d).

Design: the summary is the duty of whoever provides a general-purpose model; this is the part of it that a dataset's
publisher can answer, in the sections and the order of the Commission's template (annex to C(2025) 5235, 24 July 2025).
One list of answers is written as JSON and as Markdown (documents/ai_act.py, ai_act_markdown.py). An answer comes from
the manifest or from `governance.*`; what nobody stated says so and is marked `stated: false`. Hosts are ranked by the
number of places at them, because the manifest counts places and not bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from factory.govern.facts import Facts, Gate
from factory.govern.json_document import NOT_STATED
from factory.identity import canonical_json
from factory.publish.sources import HOSTS_LISTED

TEMPLATE = "Template for the Public Summary of Training Content, annex to C(2025) 5235 final of 24 July 2025"
SCOPE = (
    "This is no summary of a model. It holds what the publisher of one dataset can contribute to it; the provider of a "
    "model that is trained on this dataset takes it over and answers for the whole."
)
BILLION = 1_000_000_000
HOST_SHARE = 0.10
"""Of all domain names, how many the template asks for: the top tenth (small providers: the top 5 %, or 1,000)."""

SECTIONS: Mapping[str, str] = {
    "0": "About this contribution",
    "1.1": "Provider identification",
    "1.2": "Model identification",
    "1.3": "Modalities, overall training data size and other characteristics",
    "2.1": "Publicly available datasets",
    "2.2": "Private non-publicly available datasets obtained from third parties",
    "2.3": "Data crawled and scraped from online sources",
    "2.4": "User data",
    "2.5": "Synthetic data",
    "2.6": "Other sources of data",
    "3.1": "Respect of reservation of rights from text and data mining exception or limitation",
    "3.2": "Removal of illegal content",
    "3.3": "Other information",
}
FIELDS: tuple[tuple[str, str], ...] = (
    *(("0", key) for key in ("dataset", "version", "published", "last_update", "erased", "run", "digest", "scope")),
    *(("1.1", key) for key in ("publisher", "provider")),
    ("1.2", "models"),
    *(("1.3", key) for key in ("modality", "size", "tokens", "rows", "content", "collected", "languages")),
    *(("2.1", key) for key in ("public_datasets", "source_licenses", "source_list")),
    *(("2.2", key) for key in ("licensed", "licence_policy", "legal_basis")),
    *(("2.3", key) for key in ("crawled", "crawlers", "behaviour", "period", "places", "host_rule", "hosts")),
    ("2.4", "user_data"),
    *(
        ("2.5", key)
        for key in ("used", "modality", "gpai_models", "other_models", "engines", "terms", "marking", "prompts")
    ),
    ("2.5", "license"),
    ("2.6", "other"),
    *(("3.1", key) for key in ("signatory", "measures", "licence_filter")),
    *(("3.2", key) for key in ("measures", "personal_data")),
    *(("3.3", key) for key in ("turned_away", "gates")),
)
"""(section, key) of every answer: a document lacks what is not there, and says "not stated" where nobody said it."""

PROVIDER = "for the provider of the model to answer"


@dataclass(frozen=True)
class Answer:
    """One field of the template: `key` names it for programs, `label` for people; `value` is None where nobody stated
    it."""

    section: str
    key: str
    label: str
    value: str | tuple[str, ...] | None

    def to_json(self) -> dict[str, Any]:
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        return {
            "key": self.key,
            "label": self.label,
            "value": NOT_STATED if value is None else value,
            "stated": value is not None,
        }


def answers(facts: Facts) -> list[Answer]:
    """Every field of the template, in its order."""
    return [*_about(facts), *_general(facts), *_sources(facts), *_synthetic(facts), *_processing(facts)]


def _about(facts: Facts) -> Iterator[Answer]:
    yield Answer("0", "dataset", "Dataset", facts.name)
    yield Answer("0", "version", "Version", facts.version)
    yield Answer("0", "published", "Published", facts.created)
    yield Answer("0", "last_update", "Last update", facts.updated)
    erased = tuple(f"{each.rows} rows on {each.at} by erasure {each.erasure}" for each in facts.erased)
    yield Answer("0", "erased", "Erased since publication", erased or ("nothing",))
    yield Answer("0", "run", "Run", facts.run)
    yield Answer("0", "digest", "Digest of the manifest", facts.digest)
    yield Answer("0", "scope", "What this is", SCOPE)


def _general(facts: Facts) -> Iterator[Answer]:
    governance = facts.governance
    tokens = sum(facts.tokens.values())
    owner = ", ".join(part for part in (governance.owner, governance.contact) if part)
    yield Answer("1.1", "publisher", "Publisher of the dataset and contact details", owner or None)
    yield Answer("1.1", "provider", "Provider of the model", PROVIDER)
    yield Answer("1.2", "models", "Versioned model names and dependencies", PROVIDER)
    yield Answer("1.3", "modality", "Modality", "text")
    yield Answer("1.3", "size", "Training data size", _size(tokens))
    yield Answer("1.3", "tokens", "Tokens of questions and answers", f"{tokens}, counted by {facts.tokenizer}")
    yield Answer("1.3", "rows", "Rows", str(facts.rows))
    yield Answer("1.3", "content", "Types of content", f"questions with answers; domain {facts.domain}")
    yield Answer("1.3", "collected", "Latest date of data acquisition", governance.collection)
    languages = tuple(facts.languages) or None
    yield Answer("1.3", "languages", "Linguistic characteristics", languages)


def _size(tokens: int) -> str:
    if tokens < BILLION:
        return "less than 1 billion tokens"
    return "1 billion to 10 trillion tokens" if tokens <= 10_000 * BILLION else "more than 10 trillion tokens"


def _sources(facts: Facts) -> Iterator[Answer]:
    """Sections 2.1 to 2.4 are of the documents that the synthetic rows rest on."""
    governance, sources = facts.governance, facts.sources
    licences = tuple(f"{licence}: {places} places" for licence, places in sorted(sources["licenses"].items()))
    yield Answer(
        "2.1", "public_datasets", "Publicly available datasets among the sources", governance.public_datasets or None
    )
    yield Answer("2.1", "source_licenses", "Licences of the source documents", licences or None)
    listed = facts.file("ATTRIBUTION.md")
    yield Answer("2.1", "source_list", "List of all source documents", f"ATTRIBUTION.md, SHA-256 {listed.sha256}")
    yield Answer("2.2", "licensed", "Commercial licensing agreements", None)
    yield Answer("2.2", "licence_policy", "Which licences of sources are accepted", governance.licence_policy)
    yield Answer("2.2", "legal_basis", "Legal basis of processing", governance.legal_basis)
    crawled = {True: "yes", False: "no", None: None}[governance.crawled]
    yield Answer("2.3", "crawled", "Were crawlers used by the publisher or on their behalf", crawled)
    yield Answer("2.3", "crawlers", "Crawler names", governance.crawlers or None)
    yield Answer(
        "2.3", "behaviour", "Behaviour of the crawlers and reservations honoured", governance.rights_reservation
    )
    yield Answer("2.3", "period", "Period and manner of collection", governance.collection)
    found = f"{sources['places']} places on {sources['hosts']} hosts, {sources['without_url']} without an address"
    yield Answer("2.3", "places", "Where the source documents were found", found)
    yield Answer(
        "2.3",
        "host_rule",
        "How hosts are ranked",
        f"the top 10 % of all hosts, at most {HOSTS_LISTED:,}, by number of places, not of bytes",
    )
    yield Answer("2.3", "hosts", "Most relevant domain names", _hosts(sources) or None)
    used = {True: "yes", False: "no", None: None}[governance.user_data]
    yield Answer("2.4", "user_data", "Was data from users of the publisher's services used", used)


def _hosts(sources: Mapping[str, Any]) -> tuple[str, ...]:
    """The top tenth of all hosts, as far as the manifest names them."""
    return tuple(f"{host}: {places}" for host, places in sources["top_hosts"][: ceil(sources["hosts"] * HOST_SHARE)])


def _synthetic(facts: Facts) -> Iterator[Answer]:
    told: list[str] = []
    untold: list[str] = []
    for (name, revision), roles in sorted(models(facts).items()):
        summary = next((model.stated.summary for model in facts.models if model.name == name and model.stated), None)
        line = f"{name}, revision {revision} ({', '.join(roles)})"
        (told if summary else untold).append(f"{line}, {summary}" if summary else line)
    scripted: list[str] = []
    if facts.dry_run:
        scripted, told, untold = sorted([*told, *untold]), [], []
        yield Answer(
            "2.5", "used", "Was synthetic data used", "no: a dry run of the scripted engine, which is no AI model"
        )
    else:
        yield Answer("2.5", "used", "Was synthetic data used", "yes: every question and answer of this dataset")
    yield Answer("2.5", "modality", "Modality of the synthetic data", "text")
    yield Answer(
        "2.5", "gpai_models", "General-purpose AI models that generated it, with their summaries", tuple(told) or None
    )
    yield Answer(
        "2.5",
        "other_models",
        "Other AI models, or such whose summary nobody stated a link to",
        tuple(untold) or ("none",),
    )
    yield Answer("2.5", "engines", "Written by, where that is no AI model", tuple(scripted) or ("none",))
    terms = tuple(sorted({f"{m.name}: {m.license}; on outputs: {m.output_terms}" for m in facts.models}))
    yield Answer("2.5", "terms", "Licences of these models or engines", terms)
    dry = "; the mark of every dataset of the factory, also of a dry run that no AI model wrote"
    marking = f"{facts.digital_source_type}{dry if facts.dry_run else ''}"
    yield Answer("2.5", "marking", "Digital source type that every row is marked with", marking)
    prompts = tuple(f"{prompt.name}: {prompt.prompt_id}" for prompt in facts.prompts)
    yield Answer("2.5", "prompts", "Prompts, by the hash of their text (prompts.json)", prompts or None)
    yield Answer("2.5", "license", "Licence of the dataset", facts.license)
    yield Answer("2.6", "other", "Other sources", None)


def models(facts: Facts) -> dict[tuple[str, str], list[str]]:
    """Roles by (name, revision)."""
    found: dict[tuple[str, str], list[str]] = {}
    for model in facts.models:
        found.setdefault((model.name, model.revision), []).append(model.role)
    return found


def _processing(facts: Facts) -> Iterator[Answer]:
    select, governance = facts.recipe.get("select", {}), facts.governance
    yield Answer("3.1", "signatory", "Signatory to the Code of Practice", PROVIDER)
    yield Answer("3.1", "measures", "Measures to respect reservations of rights", governance.rights_reservation)
    licence = select.get("licence")
    yield Answer("3.1", "licence_filter", "Filter by licence (select.licence)", _settings(licence) if licence else None)
    yield Answer("3.2", "measures", "Measures against illegal content", governance.illegal_content)
    pii = select.get("pii")
    yield Answer("3.2", "personal_data", "Personal data in sources (select.pii)", _settings(pii) if pii else None)
    turned = tuple(
        f"{step.name}: {reason} {count}"
        for step in facts.steps
        for side in step.reasons.values()
        for reason, count in sorted(side.items())
    )
    yield Answer("3.3", "turned_away", "What was turned away, by step and reason", turned or ("nothing",))
    gates = tuple(f"{gate.name}: {_verdict(gate)}, measured {gate.measured:.6g}" for gate in facts.gates)
    yield Answer("3.3", "gates", "Gates before publication", gates or None)


def _verdict(gate: Gate) -> str:
    if gate.threshold is None:
        return "off"
    return "passed" if gate.passed else "failed"


def _settings(section: Mapping[str, Any]) -> tuple[str, ...]:
    told = {key: value for key, value in sorted(section.items()) if value not in (None, [], {})}
    return tuple(f"{key}: {canonical_json(value).decode()}" for key, value in told.items())
