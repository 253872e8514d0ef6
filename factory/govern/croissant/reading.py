"""What a Croissant document says, and what the specification requires of it.

Design: mlcroissant 1.1.1 takes a document that has only a name and conformsTo, so every property that Croissant 1.1
marks as required is looked for here, with the references inside the document and the responsible-AI properties that a
synthetic dataset owes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from factory.govern.claims import Claims, sound
from factory.govern.croissant.context import APPENDIX_1, CROISSANT, RESPONSIBLE_AI
from factory.govern.croissant.dataset import ERASED, FOLDER
from factory.govern.croissant.records import ROWS, SPLITS
from factory.govern.croissant.responsible import REQUIRED as RAI_REQUIRED
from factory.govern.json_document import in_our_form, parsed, problems_in
from factory.licences.expression import combine
from factory.publish.manifest import MANIFEST

REQUIRED = ("name", "description", "license", "url", "creator", "datePublished", "distribution")
LICENCES = "https://spdx.org/licenses/"

_SHA256 = re.compile("[0-9a-f]{64}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d.*)?")


def claims(data: bytes) -> Claims:
    """Raises ValueError naming what is missing or is not what it should be."""
    with in_our_form():
        return sound(_claims(parsed(data)))


def _claims(document: Mapping[str, Any]) -> Claims:
    files = {
        node["@id"]: node
        for node in document["distribution"]
        if node["@type"] == "cr:FileObject" and node["@id"] not in (FOLDER, MANIFEST)
    }
    named = {item["name"]: item["value"] for item in (*document["identifier"], *document["additionalProperty"])}
    sets = {item["@id"]: item for item in document["recordSet"]}
    agents = document["prov:wasAttributedTo"]
    return Claims(
        name=document["name"],
        version=document["version"],
        created=document["datePublished"],
        run=named["run"],
        digest=named["manifest digest"],
        rows=sets[ROWS]["annotation"][0]["value"],
        splits={row[f"{SPLITS}/name"]: row[f"{SPLITS}/rows"] for row in sets[SPLITS]["data"]},
        bytes=sum(int(node["contentSize"].removesuffix(" B")) for node in files.values()),
        files={path: node["sha256"] for path, node in files.items()},
        licenses=frozenset([_expression(document["license"])]),
        source_licenses=frozenset(work["name"] for work in document["prov:wasDerivedFrom"][0]["license"]),
        models=frozenset((agent["prov:label"], agent["softwareVersion"]) for agent in agents),
        model_licenses=frozenset((agent["prov:label"], combine([agent["license"]["name"]])) for agent in agents),
        languages=frozenset(document.get("inLanguage", ())),
        steps=frozenset(step["@id"].removeprefix("steps/") for step in document["prov:wasGeneratedBy"]),
        synthetic=named["synthetic"],
        updated=document.get("dateModified", document["datePublished"]),
        erased={name.removeprefix(ERASED): rows for name, rows in named.items() if name.startswith(ERASED)},
    )


def _expression(licence: Any) -> str:
    return licence.removeprefix(LICENCES) if isinstance(licence, str) else str(licence["name"])


def problems(data: bytes) -> list[str]:
    """What Croissant 1.1 and RAI 1.0 require and the document lacks."""
    return problems_in(data, _problems)


def _problems(document: Mapping[str, Any]) -> list[str]:
    return [*_dataset(document), *_files(document), *_sets(document), *_responsible(document)]


def _dataset(document: Mapping[str, Any]) -> Iterator[str]:
    context = document.get("@context")
    if not isinstance(context, dict):
        yield "@context is missing"
    else:
        for name, value in APPENDIX_1.items():
            if context.get(name) != value:
                yield f"@context has another {name} than Croissant 1.1"
    if document.get("@type") not in ("sc:Dataset", "Dataset"):
        yield "@type is not sc:Dataset"
    conforms = document.get("dct:conformsTo", [])
    for version in (CROISSANT, RESPONSIBLE_AI):
        if version not in (conforms if isinstance(conforms, list) else [conforms]):
            yield f"dct:conformsTo does not name {version}"
    for name in REQUIRED:
        if not document.get(name):
            yield f"{name} is missing"
    creator = document.get("creator")
    for each in creator if isinstance(creator, list) else [creator] if creator else []:
        if each.get("@type") not in ("sc:Organization", "sc:Person") or not each.get("name"):
            yield "creator is no organisation or person with a name"
    if document.get("datePublished") and not _DATE.fullmatch(str(document["datePublished"])):
        yield f"datePublished is {document['datePublished']!r}, which is no date"


def _files(document: Mapping[str, Any]) -> Iterator[str]:
    nodes = document.get("distribution") or []
    ids = Counter(node.get("@id") for node in nodes)
    for twice in sorted(str(each) for each, times in ids.items() if times > 1):
        yield f"distribution has {twice} twice"
    for number, node in enumerate(nodes):
        called = node.get("@id") or f"number {number}"
        needed = {
            "cr:FileObject": ("contentUrl", "encodingFormat", "sha256"),
            "cr:FileSet": ("includes", "encodingFormat"),
        }
        if node.get("@type") not in needed:
            yield f"distribution: {called} is neither FileObject nor FileSet"
            continue
        for name in ("@id", "name", *needed[node["@type"]]):
            if not node.get(name):
                yield f"distribution: {called} has no {name}"
        if node.get("sha256") and not _SHA256.fullmatch(str(node["sha256"])):
            yield f"distribution: {called} has a sha256 that is none"
        container = node.get("containedIn")
        if container is not None and container.get("@id") not in ids:
            yield f"distribution: {called} is contained in {container.get('@id')}, which is not there"


def _sets(document: Mapping[str, Any]) -> Iterator[str]:
    sets = document.get("recordSet") or []
    if not sets:
        yield "recordSet is missing"
    files = {node.get("@id") for node in document.get("distribution") or []}
    for item in sets:
        fields = list(_leaves(item.get("field") or []))
        if not item.get("@id") or not fields:
            yield f"recordSet {item.get('@id')} has no id or no field"
        for field in fields:
            if not field.get("@id") or not field.get("dataType"):
                yield f"field {field.get('@id')} has no id or no dataType"
            source = field.get("source", {}).get("fileSet", field.get("source", {}).get("fileObject"))
            if source is None and "data" not in item:
                yield f"field {field.get('@id')} has no source"
            elif source is not None and source.get("@id") not in files:
                yield f"field {field.get('@id')} is read from {source.get('@id')}, which is not there"


def _leaves(fields: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for field in fields:
        inner = field.get("subField")
        if inner:
            yield from _leaves(inner)
        else:
            yield field


def _responsible(document: Mapping[str, Any]) -> Iterator[str]:
    for name in RAI_REQUIRED:
        if not document.get(f"rai:{name}"):
            yield f"rai:{name} is missing"
