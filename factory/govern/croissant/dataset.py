"""The Croissant document of a dataset: identity, licence, files, record sets, provenance, responsible AI.

Design: addresses are relative, so the document works wherever it and the dataset lie as they did when written; `where`
is the only thing that differs between the one in the bundle and the one to be copied beside the data. All files hang on
one FileObject for the folder: whoever moved the data gives a reader that one place (`mapping={"dataset": FOLDER}`).
mlcroissant 1.1.1 reads a FileSet of a folder only where the folder's format is its "git+https", and looks whether the
folder is there before it would fetch anything.
"""

from __future__ import annotations

import re
from typing import Any

from factory.govern.croissant.context import CONTEXT, CROISSANT, RESPONSIBLE_AI
from factory.govern.croissant.provenance import provenance
from factory.govern.croissant.records import SHARDS, record_sets
from factory.govern.croissant.responsible import NOT_STATED, responsible_ai
from factory.govern.facts import Facts, File
from factory.govern.json_document import document_bytes
from factory.licences.expression import terms
from factory.publish.manifest import CARD, MANIFEST

FOLDER = "dataset"
FORMATS = {".parquet": "application/x-parquet", ".md": "text/markdown", ".json": "application/json"}
ERASED = "rows erased by "
TRAFFIC_LIGHT = "Traffic Light Protocol: "

_SIMPLE = re.compile(r"(?!LicenseRef-|DocumentRef-)[A-Za-z0-9][A-Za-z0-9.+-]*")


def croissant(facts: Facts, where: str) -> bytes:
    """The finished document; `where` is the dataset's folder, relative to the document's own or absolute."""
    document = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "dct:conformsTo": [CROISSANT, RESPONSIBLE_AI],
        "name": facts.name,
        "description": _description(facts),
        "url": facts.governance.homepage or f"{where}/{CARD}",
        "license": _licence(facts.license),
        "creator": _creator(facts),
        "datePublished": facts.created,
        **({"dateModified": facts.updated} if facts.erased else {}),
        "version": facts.version,
        **({"inLanguage": list(facts.languages)} if facts.languages else {}),
        "isLiveDataset": False,
        "keywords": ["synthetic", "machine-generated", "question answering", facts.domain],
        "identifier": [_value("run", facts.run), _value("manifest digest", facts.digest)],
        "additionalProperty": [
            _value("synthetic", True),
            _value("digital source type", facts.digital_source_type),
            *(_value(f"{ERASED}{each.erasure}", each.rows) for each in facts.erased),
        ],
        **_conditions(facts),
        "distribution": [
            _folder(facts, where),
            *(_file(file) for file in (*facts.files, facts.manifest)),
            _shards(facts),
        ],
        "recordSet": record_sets(facts),
        **provenance(facts),
        **responsible_ai(facts),
    }
    return document_bytes(document)


def _value(name: str, value: Any) -> dict[str, Any]:
    return {"@type": "sc:PropertyValue", "name": name, "value": value}


def _description(facts: Facts) -> str:
    models = ", ".join(sorted({model.name for model in facts.models}))
    written = (
        "made by a scripted engine in a dry run, by no language model"
        if facts.dry_run
        else f"all written by language models ({models})"
    )
    return (
        f"{facts.rows:,} synthetic question-answer pairs, {written}, from passages of documents. Each row names the "
        "passages, prompts and requests that it came from."
    )


def _licence(expression: str) -> Any:
    """The address of an SPDX licence, or the expression with the addresses of those that it joins."""
    if _SIMPLE.fullmatch(expression):
        return spdx_url(expression)
    work = {"@type": "sc:CreativeWork", "name": expression}
    known = [
        {"@type": "sc:CreativeWork", "name": term, "url": spdx_url(term)}
        for term in terms(expression)
        if _SIMPLE.fullmatch(term)
    ]
    return {**work, "hasPart": known} if known else work


def spdx_url(licence: str) -> str:
    return f"https://spdx.org/licenses/{licence}"


def _creator(facts: Facts) -> dict[str, Any]:
    """The owner, whom the specification requires; nobody is asked whether that is a person or an organisation."""
    stated = facts.governance
    creator = {"@type": "sc:Organization", "name": stated.owner or NOT_STATED}
    if stated.contact is not None:
        creator["url" if "://" in stated.contact else "email"] = stated.contact
    return creator


def _conditions(facts: Facts) -> dict[str, Any]:
    """What the publisher says of its use, as schema.org's usageInfo with an ODRL offer; else nothing."""
    stated = facts.governance
    found: dict[str, Any] = {}
    if stated.confidentiality is not None:
        found["conditionsOfAccess"] = f"{TRAFFIC_LIGHT}{stated.confidentiality}"
    if stated.intended_uses or stated.prohibited_uses:
        offer: dict[str, Any] = {
            "@type": ["sc:CreativeWork", "odrl:Offer"],
            "name": "Uses as the publisher states them",
        }
        for kind, uses in (("Permission", stated.intended_uses), ("Prohibition", stated.prohibited_uses)):
            if uses:
                offer[f"odrl:{kind.lower()}"] = [_rule(kind, use) for use in uses]
        found["usageInfo"] = offer
    return found


def _rule(kind: str, use: str) -> dict[str, Any]:
    return {"@type": f"odrl:{kind}", "odrl:action": {"name": use}}


def _folder(facts: Facts, where: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": FOLDER,
        "name": FOLDER,
        "description": f"The dataset's folder. The hash is that of {MANIFEST}, which names those of all files.",
        "contentUrl": where,
        "encodingFormat": ["inode/directory", "git+https"],
        "sha256": facts.manifest.sha256,
    }


def _file(file: File) -> dict[str, Any]:
    ending = file.path[file.path.rfind(".") :]
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path.rpartition("/")[2],
        "containedIn": {"@id": FOLDER},
        "contentUrl": file.path,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": FORMATS.get(ending, "application/octet-stream"),
        "sha256": file.sha256,
    }


def _shards(facts: Facts) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": SHARDS,
        "name": SHARDS,
        "description": "All shards; the split is the first word of a file's name.",
        "containedIn": {"@id": FOLDER},
        "encodingFormat": FORMATS[".parquet"],
        "includes": [f"data/{split.name}-*.parquet" for split in facts.splits],
    }
