"""What a document says against what the facts say, field by field."""

from __future__ import annotations

from typing import Any

from factory.govern.claims import Claims
from factory.govern.facts import Facts


def disagreements(claims: Claims, facts: Facts) -> list[str]:
    """Fields that a document says and says otherwise than the facts."""
    files = {file.path: file.sha256 for file in (*facts.files, facts.manifest)}
    told: dict[str, Any] = {
        "name": facts.name,
        "version": facts.version,
        "run": facts.run,
        "digest": facts.digest,
        "rows": facts.rows,
        "splits": {split.name: split.rows for split in facts.splits},
        "bytes": facts.published_bytes,
        "licenses": {facts.license},
        "source_licenses": set(facts.sources["licenses"]),
        "models": {(model.name, model.revision) for model in facts.models},
        "languages": set(facts.languages),
        "steps": {step.folder for step in facts.steps},
        "prompts": {prompt.prompt_id for prompt in facts.prompts},
        "gates": {gate.name: gate.passed for gate in facts.gates},
        "synthetic": True,
    }
    wrong = [name for name, value in told.items() if getattr(claims, name) not in (None, value)]
    if claims.files is not None and not claims.files.items() <= files.items():
        wrong.append("files")
    if claims.created is None or claims.created.replace("Z", "+00:00") != facts.created:
        wrong.append("created")
    return wrong
