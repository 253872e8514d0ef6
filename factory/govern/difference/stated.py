"""What two manifests say differently: settings, models, sampling, steps, filters, counts, gates, sources, software.

Design: each side becomes a flat mapping from a name to a value, and two mappings are compared key by key, so a section
is one function that says which names there are. A step that only one of them has is named once, as a step. Nothing but
the facts of the manifests is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from factory.govern.difference.found import Change, Section
from factory.govern.facts import Facts

Said = Mapping[str, Any]
Steps = frozenset[str]
"""Names of the steps that both datasets were made by."""


def sections(before: Facts, now: Facts) -> tuple[Section, ...]:
    """Every section, those without a change too."""
    steps = frozenset(step.name for step in before.steps) & {step.name for step in now.steps}
    return tuple(
        _section(name, title, said(before, steps), said(now, steps), 0 if name in COUNTS else None)
        for name, title, said in SECTIONS
    )


def _section(name: str, title: str, before: Said, now: Said, missing: int | None) -> Section:
    keys = [*before, *(key for key in now if key not in before)]
    pairs = [(key, before.get(key, missing), now.get(key, missing)) for key in keys]
    changes = tuple(Change(*pair) for pair in pairs if pair[1] != pair[2])
    return Section(name, title, changes, len(keys) - len(changes))


def flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names of all leaves; lists and empty mappings are leaves."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _dataset(facts: Facts, steps: Steps) -> Said:
    return {
        "name": facts.name,
        "version": facts.version,
        "created": facts.created,
        "run": facts.run,
        "digest": facts.digest,
        "dry run": facts.dry_run,
        "shards": sum(file.rows is not None for file in facts.files),
        "bytes": facts.published_bytes,
    }


def _config(facts: Facts, steps: Steps) -> Said:
    return dict(flat(facts.recipe))


def _governance(facts: Facts, steps: Steps) -> Said:
    return dict(flat(facts.governance.model_dump(mode="json")))


def _models(facts: Facts, steps: Steps) -> Said:
    said: dict[str, Any] = {}
    for model in facts.models:
        said |= {
            f"{model.role} model": f"{model.name}@{model.revision}",
            f"{model.role} model licence": model.license,
            f"{model.role} terms of output": model.output_terms,
        }
        said |= {f"{model.role} {key}": value for key, value in flat(model.identity) if key != "revision"}
        for number, engine in enumerate(model.engines):
            said |= {f"{model.role} engine {number + 1} {key}": value for key, value in flat(engine)}
    return said


def _sampling(facts: Facts, steps: Steps) -> Said:
    return {
        f"{step.name} {key}": value
        for step in facts.steps
        if step.sampling is not None and step.name in steps
        for key, value in flat(step.sampling)
    }


def _pipeline(facts: Facts, steps: Steps) -> Said:
    return {step.name: f"version {step.version}" for step in facts.steps}


def _own(facts: Facts, steps: Steps) -> Said:
    """What a step's identity holds that settings do not show: hashes of lists, rubrics, prompts."""
    return {
        f"{step.name} {key}": value
        for step in facts.steps
        if step.name in steps
        for key, value in flat(step.own)
        if key and not key.startswith(TOLD_ELSEWHERE)
    }


TOLD_ELSEWHERE = ("run", "folders", "config.")
"""Of a step's identity: names of this very run, and the gates' settings, which are configuration."""


def _filters(facts: Facts, steps: Steps) -> Said:
    return {
        f"{step.name}: {reason}": count
        for step in facts.steps
        for reasons in step.reasons.values()
        for reason, count in reasons.items()
    }


def _rows(facts: Facts, steps: Steps) -> Said:
    said: dict[str, Any] = {"rows": facts.rows}
    said |= {f"split {split.name}": split.rows for split in facts.splits}
    for name, counts in (
        ("level", facts.levels),
        ("verified", facts.verified),
        ("licence", facts.license_rows),
        ("duty", facts.duties),
        ("tokens of", facts.tokens),
    ):
        said |= {f"{name} {group or '(none)'}": count for group, count in sorted(counts.items())}
    return said


def _steps(facts: Facts, steps: Steps) -> Said:
    shown = ("inputs", "rejected", "quarantined", "accepted", "output_rejected")
    return {
        f"{step.name} {key}": step.counts.get(key, 0) for step in facts.steps if step.name in steps for key in shown
    }


def _gates(facts: Facts, steps: Steps) -> Said:
    return {
        gate.name: {
            "measured": gate.measured,
            gate.bound: gate.threshold,
            "severity": gate.severity,
            "passed": gate.passed,
        }
        for gate in facts.gates
    }


def _software(facts: Facts, steps: Steps) -> Said:
    return facts.software


def _sources(facts: Facts, steps: Steps) -> Said:
    found = facts.sources
    return {
        "places": found["places"],
        "without a URL": found["without_url"],
        "hosts": found["hosts"],
        **{f"licence {name}": count for name, count in found["licenses"].items()},
        **{f"host {name}": count for name, count in found["top_hosts"]},
    }


def _form(facts: Facts, steps: Steps) -> Said:
    """How the dataset is given out."""
    return {
        "licence": facts.license,
        "licence of the sources": facts.source_license,
        "domain": facts.domain,
        "languages": list(facts.languages),
        "digital source type": facts.digital_source_type,
        "tokenizer": facts.tokenizer,
        **{f"column {name}": kind for name, kind in facts.columns},
    }


SECTIONS: tuple[tuple[str, str, Callable[[Facts, Steps], Said]], ...] = (
    ("dataset", "Dataset", _dataset),
    ("config", "Configuration that can change rows", _config),
    ("models", "Models, revisions and terms", _models),
    ("sampling", "Sampling", _sampling),
    ("pipeline", "Steps and the versions of their code", _pipeline),
    ("identity", "What else names a step's output", _own),
    ("filters", "Rows turned away, by reason", _filters),
    ("rows", "Rows published", _rows),
    ("steps", "Rows in and out of steps that both have", _steps),
    ("gates", "Gates", _gates),
    ("sources", "Sources", _sources),
    ("form", "Licence and form", _form),
    ("governance", "Governance", _governance),
    ("software", "Software", _software),
)

COUNTS = ("filters", "rows", "steps", "sources")
"""Sections of counts: what one side does not name, it has none of."""
