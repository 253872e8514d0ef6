"""SPDX 3.0.1 as JSON-LD: the dataset, its sources, the models that wrote it and the run, as one bill of materials.

Design: profiles core, software, dataset, build and simpleLicensing are always met. The AI profile asks who supplied a
model, when it was released and where it lies; only the publisher knows, so conformance to it is claimed where
`governance.models` says so of every model, and nothing is made up where it does not. SPDX has no word for "synthetic":
`dataset_dataCollectionProcess` says it, and an annotation holds the figures that the model has no property for.
Declared is the licence that the publisher gives, concluded the one that the sources' licences come to together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from factory.govern.bom.spdx_check import spdx_problems
from factory.govern.bom.spdx_claims import spdx_claims
from factory.govern.claims import Claims
from factory.govern.facts import Facts, File, Model
from factory.govern.json_document import NOT_STATED, document_bytes, document_uuid, in_our_form, in_words, zulu
from factory.identity import fingerprint, sha256_hex
from factory.licences.expression import combine

PATH = "spdx.json"
CONTEXT, SPEC_VERSION = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "3.0.1"
BUILD_TYPE = "urn:corpus-factory:run:1"
ALWAYS_MET = ("core", "software", "dataset", "build", "simpleLicensing")
CREATION = "_:creation"
MEDIA_TYPES = {".parquet": "application/vnd.apache.parquet", ".md": "text/markdown", ".json": "application/json"}

Element = dict[str, Any]


def render(facts: Facts) -> bytes:
    graph = _Graph(f"urn:uuid:{document_uuid(facts.digest, 'spdx')}#", facts)
    elements = [*_parties(graph), *_dataset(graph), *_files(graph), *_sources(graph), *_models(graph), *_run(graph)]
    elements += [_annotation(graph), *graph.licences.values()]
    creation = {
        "@id": CREATION,
        "type": "CreationInfo",
        "specVersion": SPEC_VERSION,
        "created": zulu(facts.created),
        "createdBy": [graph.id("factory")],
        "createdUsing": [graph.id("tool/factory")],
    }
    return document_bytes({"@context": CONTEXT, "@graph": [creation, *_collections(graph, elements), *elements]})


class _Graph:
    """The ids of one document and the licence elements it has used so far."""

    def __init__(self, base: str, facts: Facts) -> None:
        self.base, self.facts = base, facts
        self.licences: dict[str, Element] = {}

    def id(self, name: str) -> str:
        return self.base + name

    def element(self, kind: str, name: str, /, **properties: Any) -> Element:
        """An element of its own; properties that are None are left out."""
        given = {key: value for key, value in properties.items() if value is not None}
        return {"type": kind, "spdxId": self.id(name), "creationInfo": CREATION, **given}

    def relation(self, kind: str, source: str, targets: Sequence[str], comment: str | None = None) -> list[Element]:
        """`source` and `targets` by name; nothing where there are no targets."""
        if not targets:
            return []
        relation = {"from": self.id(source), "to": [self.id(target) for target in targets]}
        return [self.element("Relationship", f"{kind}/{source}", relationshipType=kind, comment=comment, **relation)]

    def licence(self, stated: str) -> str:
        """Name of the element of a licence as stated; its words stay in a comment where they are no expression."""
        expression = combine([stated])
        name = f"license/{sha256_hex(expression.encode())[:12]}"
        words = f"stated as: {stated}" if stated != expression else None
        self.licences[name] = self.element(
            "simplelicensing_LicenseExpression", name, simplelicensing_licenseExpression=expression, comment=words
        )
        return name


def _collections(graph: _Graph, elements: Iterable[Element]) -> Iterator[Element]:
    facts = graph.facts
    profiles = [*ALWAYS_MET, *(["ai"] if all(map(_is_described, facts.models)) else [])]
    title = f"{facts.name} {facts.version}"
    yield graph.element(
        "SpdxDocument", "document", name=title, rootElement=[graph.id("bom")], profileConformance=profiles
    )
    yield graph.element(
        "software_Sbom",
        "bom",
        name=f"bill of materials of {title}",
        rootElement=[graph.id("dataset")],
        element=[element["spdxId"] for element in elements],
        software_sbomType=["build"],
        profileConformance=profiles,
    )


def _is_described(model: Model) -> bool:
    """Whether all that the AI profile requires is known of a model."""
    stated = model.stated
    return stated is not None and None not in (stated.supplier, stated.released, stated.location)


def _parties(graph: _Graph) -> Iterator[Element]:
    facts, governance = graph.facts, graph.facts.governance
    yield graph.element("SoftwareAgent", "factory", name=f"factory {facts.software.get('factory', NOT_STATED)}")
    for name, title in _tools(facts).items():
        yield graph.element("Tool", name, name=title)
    contact = f"contact: {governance.contact}" if governance.contact else None
    nobody = "governance.owner names nobody" if governance.owner is None else None
    yield graph.element("Agent", "owner", name=governance.owner or NOT_STATED, comment=nobody or contact)
    for supplier in sorted({model.stated.supplier for model in facts.models if model.stated and model.stated.supplier}):
        yield graph.element("Organization", _supplier(supplier), name=supplier)


def _tools(facts: Facts) -> dict[str, str]:
    """Software of the run by the name of its element: packages by name and version, engines' own among them."""
    twice = Counter(name for name, _ in facts.packages)
    return {
        f"tool/{name}" if twice[name] == 1 or version == facts.software.get(name) else f"tool/{name}/{version}": (
            f"{name} {version}"
        )
        for name, version in facts.packages
    }


def _supplier(name: str) -> str:
    return f"supplier/{sha256_hex(name.encode())[:12]}"


def _dataset(graph: _Graph) -> Iterator[Element]:
    facts, governance = graph.facts, graph.facts.governance
    writers = ", ".join(sorted({f"{model.name} at revision {model.revision}" for model in facts.models}))
    made = (
        "the output of a dry run: made by the scripted engine, which is no language model"
        if facts.dry_run
        else f"synthetic: every question and answer was written by language models ({writers})"
    )
    uses = [f"intended: {use}" for use in governance.intended_uses]
    uses += [f"prohibited: {use}" for use in governance.prohibited_uses]
    personal = {"yes": "yes", "no": "no", "unknown": "noAssertion"}[governance.personal_data]
    unchecked = facts.rows - facts.verified.get("yes", 0) - facts.verified.get("no", 0)
    yield graph.element(
        "dataset_DatasetPackage",
        "dataset",
        name=facts.name,
        software_packageVersion=facts.version,
        software_primaryPurpose="data",
        software_downloadLocation=governance.homepage or f"{facts.prefix}/",
        dataset_datasetType=["text"],
        dataset_dataCollectionProcess=f"{made}, from passages of real documents; {facts.digital_source_type}",
        dataset_dataPreprocessing=[_processing(step.name, step.counts, step.reasons) for step in facts.steps],
        dataset_datasetSize=facts.published_bytes,
        dataset_datasetNoise=f"{unchecked} of {facts.rows} answers were not verified by any checker",
        dataset_hasSensitivePersonalInformation=personal,
        dataset_confidentialityLevel=governance.confidentiality,
        dataset_intendedUse="; ".join(uses) or None,
        dataset_knownBias=list(governance.known_bias) or None,
        dataset_datasetUpdateMechanism=governance.maintenance,
        builtTime=zulu(facts.created),
        releaseTime=zulu(facts.created),
        originatedBy=[graph.id("owner")],
        suppliedBy=graph.id("owner"),
        verifiedUsing=[_hash(facts.manifest.sha256, "of manifest.json, which names the hash of every other file")],
    )
    yield from graph.relation("hasDeclaredLicense", "dataset", [graph.licence(facts.license)])
    yield from graph.relation(
        "hasConcludedLicense",
        "dataset",
        [graph.licence(facts.source_license)],
        "what the licences of its sources come to together",
    )


def _processing(name: str, counts: Mapping[str, int], reasons: Mapping[str, Mapping[str, int]]) -> str:
    turned = sorted((reason, count) for side in reasons.values() for reason, count in side.items())
    why = "".join(f", {reason} {count}" for reason, count in turned)
    return f"{name}: {counts['inputs']} read, {counts['accepted']} accepted{why}"


def _hash(value: str, comment: str | None = None) -> Element:
    said = {"comment": comment} if comment else {}
    return {"type": "Hash", "algorithm": "sha256", "hashValue": value, **said}


def _files(graph: _Graph) -> Iterator[Element]:
    facts = graph.facts
    shards = [file for file in facts.files if file.rows is not None]
    beside = {file.path: file for file in (*facts.files, facts.manifest) if file.rows is None}
    documents = [path for path in sorted(beside) if path.endswith(".md")]
    yield from (_file(graph, file, "data") for file in shards)
    for path, file in beside.items():
        yield _file(graph, file, "documentation" if path in documents else "manifest")
    yield from graph.relation("hasDataFile", "dataset", [f"file/{file.path}" for file in shards])
    yield from graph.relation("hasDocumentation", "dataset", [f"file/{path}" for path in documents])
    metadata = [f"file/{path}" for path in sorted(beside) if path not in documents]
    yield from graph.relation("hasMetadata", "dataset", metadata)
    yield from graph.relation("hasEvidence", "dataset", [f"file/{facts.manifest.path}"], "gates and counts of the run")


def _file(graph: _Graph, file: File, purpose: str) -> Element:
    ending = file.path[file.path.rfind(".") :]
    return graph.element(
        "software_File",
        f"file/{file.path}",
        name=file.path,
        software_primaryPurpose=purpose,
        contentType=MEDIA_TYPES.get(ending),
        verifiedUsing=[_hash(file.sha256)],
    )


def _sources(graph: _Graph) -> Iterator[Element]:
    """One package for the sources of each licence: how many they are is known, who wrote each says ATTRIBUTION.md."""
    facts = graph.facts
    names: list[str] = []
    for number, (licence, places) in enumerate(sorted(facts.sources["licenses"].items())):
        name = f"source/{number}"
        names.append(name)
        yield graph.element(
            "software_Package",
            name,
            name=f"source documents under {licence}",
            software_primaryPurpose="data",
            software_sourceInfo=f"{places} places; ATTRIBUTION.md lists each with its source and url",
            summary=facts.governance.collection,
        )
        yield from graph.relation("hasDeclaredLicense", name, [graph.licence(licence)])
    yield from graph.relation("hasInput", "run", names)


def _models(graph: _Graph) -> Iterator[Element]:
    for number, (name, models) in enumerate(graph.facts.roles.items()):
        first, element = models[0], f"model/{number}"
        roles = "; ".join(f"{model.role}: steps {', '.join(model.steps) or NOT_STATED}" for model in models)
        stated = first.stated
        supplier = stated.supplier if stated else None
        released = stated.released if stated else None
        hashes = [
            {"type": "ExternalIdentifier", "externalIdentifierType": "other", "identifier": f"{part} {value}"}
            for part, value in sorted(first.hashes.items())
        ]
        yield graph.element(
            "ai_AIPackage",
            element,
            name=name[0],
            software_packageVersion=name[1],
            software_primaryPurpose="model",
            software_downloadLocation=stated.location if stated else None,
            suppliedBy=graph.id(_supplier(supplier)) if supplier else None,
            releaseTime=f"{released}T00:00:00Z" if released else None,
            ai_informationAboutApplication=roles,
            externalIdentifier=hashes or None,
            comment=f"on outputs its licence says: {first.output_terms}",
        )
        yield from graph.relation("hasDeclaredLicense", element, [graph.licence(first.license)])
        if any(model.role in ("question", "answer") for model in models):
            yield from graph.relation("generates", element, ["dataset"])
    worked = [f"model/{number}" for number in range(len(graph.facts.roles))]
    yield from graph.relation("usesTool", "run", [*_tools(graph.facts), *worked])


def _run(graph: _Graph) -> Iterator[Element]:
    facts = graph.facts
    yield graph.element(
        "build_Build",
        "run",
        name=f"run {facts.run}",
        build_buildType=BUILD_TYPE,
        build_buildId=facts.run,
        build_buildStartTime=zulu(facts.worked_since) if facts.worked_since else None,
        comment="; ".join(f"{step.name}: {step.reuse_in_words}" for step in facts.steps if step.reused) or None,
        build_buildEndTime=zulu(facts.created),
        build_configSourceDigest=[_hash(fingerprint(facts.recipe), "of the recipe as canonical JSON")],
        build_configSourceEntrypoint=["jobs.run"],
        build_configSourceUri=[f"{facts.prefix}/{facts.manifest.path}#/recipe"],
        build_parameter=[_entry(key, value) for key, value in sorted(_flat(facts.recipe))],
        build_environment=[_entry(key, value) for key, value in sorted(facts.software.items())],
    )
    yield from graph.relation("hasOutput", "run", ["dataset"])


def _entry(key: str, value: Any) -> Element:
    return {"type": "DictionaryEntry", "key": key, "value": in_words(value)}


def _flat(section: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Keys of nested sections as `answer.sampling.temperature`."""
    for key, value in section.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _annotation(graph: _Graph) -> Element:
    facts = graph.facts
    figures = {
        "synthetic": True,
        "digital_source_type": facts.digital_source_type,
        "digest": facts.digest,
        "rows": facts.rows,
        "splits": {split.name: split.rows for split in facts.splits},
        "languages": list(facts.languages),
        "steps": [step.folder for step in facts.steps],
        "prompts": [prompt.prompt_id for prompt in facts.prompts],
        "gates": {gate.name: gate.passed for gate in facts.gates},
        "erased": {each.erasure: each.rows for each in facts.erased},
        "updated": facts.updated,
    }
    return graph.element(
        "Annotation",
        "figures",
        annotationType="other",
        subject=graph.id("dataset"),
        contentType="application/json",
        statement=in_words(figures),
    )


def claims(data: bytes) -> Claims:
    """Raises ValueError naming what is missing."""
    with in_our_form():
        return spdx_claims(data)


def problems(data: bytes) -> list[str]:
    return spdx_problems(data)
