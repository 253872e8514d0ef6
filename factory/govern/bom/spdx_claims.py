"""What an SPDX 3.0.1 document of ours says of a dataset, read back from its bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from factory.govern.claims import Claims
from factory.govern.json_document import need, parsed

Element = dict[str, Any]


def spdx_claims(data: bytes) -> Claims:
    """Raises ValueError naming what is missing."""
    elements = need(parsed(data), "@graph")
    dataset = _only(elements, "dataset_DatasetPackage")
    figures = parsed(str(need(_only(elements, "Annotation"), "statement")).encode())
    licences = _licences_of(elements)
    return Claims(
        name=need(dataset, "name"),
        version=need(dataset, "software_packageVersion"),
        created=need(dataset, "builtTime"),
        run=need(_only(elements, "build_Build"), "build_buildId"),
        digest=need(figures, "digest"),
        rows=need(figures, "rows"),
        splits=need(figures, "splits"),
        bytes=need(dataset, "dataset_datasetSize"),
        files={
            need(file, "name"): need(file, "verifiedUsing", 0, "hashValue") for file in _all(elements, "software_File")
        },
        licenses=frozenset(licences.get(dataset["spdxId"], ())),
        source_licenses=frozenset(
            found for source in _all(elements, "software_Package") for found in licences.get(source["spdxId"], ())
        ),
        models=frozenset(
            (need(model, "name"), need(model, "software_packageVersion")) for model in _all(elements, "ai_AIPackage")
        ),
        model_licenses=frozenset(
            (need(model, "name"), found)
            for model in _all(elements, "ai_AIPackage")
            for found in licences.get(model["spdxId"], ())
        ),
        languages=frozenset(need(figures, "languages")),
        steps=frozenset(need(figures, "steps")),
        prompts=frozenset(need(figures, "prompts")),
        gates=need(figures, "gates"),
        synthetic=need(figures, "synthetic"),
        updated=need(figures, "updated"),
        erased=need(figures, "erased"),
    )


def _all(elements: Sequence[Element], kind: str) -> list[Element]:
    return [element for element in elements if element.get("type") == kind]


def _only(elements: Sequence[Element], kind: str) -> Element:
    found = _all(elements, kind)
    if len(found) != 1:
        raise ValueError(f"{len(found)} elements of type {kind}, where there must be one")
    return found[0]


def _licences_of(elements: Sequence[Element]) -> dict[str, list[str]]:
    """Declared licences by the id of what they are declared for."""
    expressions = {
        element["spdxId"]: need(element, "simplelicensing_licenseExpression")
        for element in _all(elements, "simplelicensing_LicenseExpression")
    }
    found: dict[str, list[str]] = {}
    for relation in _all(elements, "Relationship"):
        if relation.get("relationshipType") == "hasDeclaredLicense":
            targets = [expressions[target] for target in need(relation, "to") if target in expressions]
            found.setdefault(need(relation, "from"), []).extend(targets)
    return found
