"""Where a dataset came from, in the terms of W3C PROV-O: sources, steps with their parameters, models.

Design: one activity a step, with the folder, counts and parameters that the manifest names, so that nothing has to be
looked up elsewhere; parameters are JSON text, because each step has its own.
"""

from __future__ import annotations

from typing import Any

from factory.govern.facts import Facts, Model, Step
from factory.govern.json_document import in_words
from factory.publish.manifest import ATTRIBUTION


def provenance(facts: Facts) -> dict[str, Any]:
    """prov:wasDerivedFrom, prov:wasGeneratedBy and prov:wasAttributedTo of the dataset."""
    return {
        "prov:wasDerivedFrom": _sources(facts),
        "prov:wasGeneratedBy": [_activity(facts, step) for step in facts.steps],
        "prov:wasAttributedTo": [_agent(model) for model in facts.models],
    }


def _sources(facts: Facts) -> list[dict[str, Any]]:
    sources = facts.sources
    corpus = {
        "@type": "prov:Entity",
        "@id": "sources",
        "prov:label": f"{sources['places']:,} places of source documents at {sources['hosts']:,} hosts",
        "description": f"Every place with its licence and URL is listed in {ATTRIBUTION}.",
        "license": [_licence(expression, rows) for expression, rows in sorted(sources["licenses"].items())],
        "isBasedOn": {"@id": ATTRIBUTION},
    }
    hosts = [
        {"@type": "prov:Entity", "@id": f"sources/{host}", "prov:label": host, "size": f"{places} places"}
        for host, places in sources["top_hosts"]
    ]
    return [corpus, *hosts]


def _licence(expression: str, places: int) -> dict[str, Any]:
    return {"@type": "sc:CreativeWork", "name": expression, "size": f"{places} places"}


def agent_id(model: Model) -> str:
    return f"agents/{model.role}"


def _agent(model: Model) -> dict[str, Any]:
    agent: dict[str, Any] = {
        "@type": "prov:SoftwareAgent",
        "@id": agent_id(model),
        "prov:label": model.name,
        "softwareVersion": model.revision,
        "roleName": model.role,
        "license": {"@type": "sc:CreativeWork", "name": model.license, "description": model.output_terms},
    }
    stated = model.stated
    if stated is not None and stated.location is not None:
        agent["url"] = stated.location
    if stated is not None and stated.supplier is not None:
        agent["prov:actedOnBehalfOf"] = {"@type": "prov:Organization", "prov:label": stated.supplier}
    return agent


def _activity(facts: Facts, step: Step) -> dict[str, Any]:
    agents = [{"@id": agent_id(model)} for model in facts.models if step.name in model.steps]
    activity: dict[str, Any] = {
        "@type": "prov:Activity",
        "@id": f"steps/{step.folder}",
        "prov:label": step.name,
        "softwareVersion": str(step.version),
        "description": f"Read {step.counts['inputs']:,} rows, gave {step.counts['accepted']:,}{_reused(step)}.",
    }
    parameters = [
        {"@type": "sc:PropertyValue", "name": name, "value": in_words(value)}
        for name, value in (("parameters", step.own), ("sampling", step.sampling), ("reasons", step.reasons))
        if value
    ]
    if parameters:
        activity["additionalProperty"] = parameters
    if step.reads:
        folders = {other.name: other.folder for other in facts.steps}
        activity["prov:wasInformedBy"] = [{"@id": f"steps/{folders[name]}"} for name in step.reads if name in folders]
    if step.began is not None and not step.reused:
        activity["prov:startedAtTime"] = step.began
    if step.ended is not None and not step.reused:
        activity["prov:endedAtTime"] = step.ended
    if agents:
        activity["prov:wasAssociatedWith"] = agents
    return activity


def _reused(step: Step) -> str:
    """Its times would be those at which the run took it up, and not those of the work: so the words stand for them."""
    return f"; {step.reuse_in_words}" if step.reused else ""
