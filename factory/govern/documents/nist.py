"""NIST AI 600-1: which suggested actions this dataset gives evidence for, where it lies, and whether it holds.

Design: evidence lies in files of the dataset, by path, hash and JSON pointer, so that a reader checks it without us;
the rules are in factory/govern/nist_actions.py. Other documents of the bundle are no evidence: they are written from
the same manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from factory.govern.claims import Claims
from factory.govern.facts import Facts
from factory.govern.json_document import document_bytes, in_our_form, need, parsed, problems_in
from factory.govern.nist_actions import ACTIONS, Action, Result

PATH = "nist-ai-600-1.json"
KIND = "nist-ai-600-1-evidence"
PUBLICATION = "NIST AI 600-1, Artificial Intelligence Risk Management Framework: Generative AI Profile, July 2024"
PUBLICATION_URL = "https://doi.org/10.6028/NIST.AI.600-1"
SCOPE = (
    "A pass says that the evidence named is there and holds, not that the organisation has done all that the action "
    "asks. Actions on which a dataset's records say nothing are left out."
)
RESULTS: Mapping[Result, str] = {True: "pass", "partly": "partly", False: "fail", None: "not-stated"}
REQUIRED = ("id", "asks", "evidence", "result", "means")


def render(facts: Facts) -> bytes:
    body = {
        "kind": KIND,
        "publication": {"title": PUBLICATION, "url": PUBLICATION_URL},
        "scope": SCOPE,
        "dataset": {
            "name": facts.name,
            "version": facts.version,
            "created": facts.created,
            "run": facts.run,
            "digest": facts.digest,
            "rows": facts.rows,
            "synthetic": True,
            "license": facts.license,
            "models": sorted({(model.name, model.revision) for model in facts.models}),
        },
        "gates": {gate.name: gate.passed for gate in facts.gates},
        "actions": [_told(action, facts) for action in ACTIONS],
    }
    return document_bytes(body)


def _told(action: Action, facts: Facts) -> dict[str, Any]:
    hashes = {file.path: file.sha256 for file in (*facts.files, facts.manifest)}
    return {
        "id": action.id,
        "asks": action.asks,
        "means": action.means,
        "result": RESULTS[action.rule(facts)],
        **({"measured": action.measured(facts)} if action.measured is not None else {}),
        "evidence": [{"path": path, "sha256": hashes[path], "pointer": pointer} for path, pointer in action.evidence],
    }


def claims(data: bytes) -> Claims:
    """Raises ValueError naming what is missing."""
    with in_our_form():
        return _claims(parsed(data))


def _claims(body: Mapping[str, Any]) -> Claims:
    return Claims(
        name=need(body, "dataset", "name"),
        version=need(body, "dataset", "version"),
        created=need(body, "dataset", "created"),
        run=need(body, "dataset", "run"),
        digest=need(body, "dataset", "digest"),
        rows=need(body, "dataset", "rows"),
        files={
            need(place, "path"): need(place, "sha256")
            for action in need(body, "actions")
            for place in need(action, "evidence")
            if need(place, "pointer") is not None
        },
        licenses=frozenset({need(body, "dataset", "license")}),
        models=frozenset((need(model, 0), need(model, 1)) for model in need(body, "dataset", "models")),
        gates=need(body, "gates"),
        synthetic=need(body, "dataset", "synthetic"),
    )


def problems(data: bytes) -> list[str]:
    return problems_in(data, _problems)


def _problems(body: Mapping[str, Any]) -> list[str]:
    _claims(body)
    found = [f"kind is {body.get('kind')!r}, not {KIND!r}"] if body.get("kind") != KIND else []
    asked = {action.id for action in ACTIONS}
    for number, action in enumerate(body["actions"]):
        where = str(action.get("id") or f"actions.{number}")
        found += [f"{where}: {key} is missing" for key in REQUIRED if not action.get(key)]
        if action.get("result") not in RESULTS.values():
            found.append(f"{where}: the result is {action.get('result')!r}, not one of {', '.join(RESULTS.values())}")
        if where not in asked:
            found.append(f"{where}: no action of the publication that is mapped")
    lost = asked - {action.get("id") for action in body["actions"]}
    return [*found, *(f"{name}: the action is missing" for name in sorted(lost))]
