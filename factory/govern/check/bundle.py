"""A bundle checked: every document read back, held against the dataset where that is at hand, and else against the
others.

Design: a document is held against the facts of the manifest, so two that agree with them agree with each other; only a
bundle that was carried away from its dataset is compared among its own. Hashes alone would find any change to a file,
but not a document that was changed and hashed again, or written wrong: so finished bytes are read, never the code that
wrote them. What a bundle says of itself switches nothing off: one that names another version of factory as its writer
cannot be compared word by word, and is never called checked without somebody who accepts that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from factory import __version__
from factory.errors import FactoryError
from factory.govern.bundle import INDEX, index_of, rendered
from factory.govern.check.erasures import erasure_findings
from factory.govern.check.fields import against, among, claims_of
from factory.govern.check.findings import Finding
from factory.govern.check.index import index_against, index_claims, index_findings, parsed_index
from factory.govern.check.rendered import rendered_findings
from factory.govern.check.shards import shard_findings
from factory.govern.claims import Claims
from factory.govern.documents import card, documents
from factory.govern.facts import Facts, facts_of
from factory.identity import canonical_json, sha256_hex
from factory.licences.lighter import lighter_note
from factory.publish.manifest import CARD, MANIFEST, Manifest
from factory.publish.wording import PROMPTS, faults
from factory.store.base import Store


class Readable(Protocol):
    """What can be read back: a document of the bundle, or the card."""

    PATH: str

    def claims(self, data: bytes) -> Claims: ...

    def problems(self, data: bytes) -> list[str]: ...


@dataclass(frozen=True)
class Checked:
    """`bundles` are the addresses that were looked at, `documents` how many files were read back; `unchecked` is what
    could not be compared, `notes` what is worth knowing and no fault."""

    bundles: tuple[str, ...]
    documents: int
    findings: tuple[Finding, ...]
    unchecked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.findings and not self.unchecked


@dataclass(frozen=True)
class Whole:
    """A dataset as bundles are held against it; `root` holds its records, None where it was copied away from them."""

    store: Store
    manifest: Manifest
    facts: Facts
    prompts: bytes
    root: Store | None = None


def whole_dataset(store: Store, manifest: Manifest, root: Store | None = None) -> Whole:
    """Raises AbsentObjectError where prompts.json is gone."""
    return Whole(store, manifest, facts_of(manifest), store.get(PROMPTS), root)


def check(dataset: Whole | None, bundles: Sequence[tuple[Store, str]], accept_other_version: bool = False) -> Checked:
    """`bundles` are (store, prefix of the bundle below it); `accept_other_version`: what cannot be compared word by
    word, because another version wrote it, is a note. Raises FactoryError where a store cannot be read."""
    findings: list[Finding] = []
    uncompared: list[str] = []
    read = 0
    lighter = None
    if dataset is not None:
        findings += dataset_findings(dataset)
        lighter = lighter_note(dataset.facts.license, dataset.facts.duties)
    for store, prefix in bundles:
        files = _files(store, prefix)
        read += len(files)
        where = f"{store.uri.rstrip('/')}/{prefix}".rstrip("/")
        own = list(bundle_findings(files, where.rpartition("/")[2], dataset))
        findings += own
        if INDEX in files and not written_here(files[INDEX]):
            uncompared.append(
                f"{where} names another version of factory than {__version__} as its writer: compared in what its "
                "documents claim, not in each word"
            )
    addresses = tuple(f"{store.uri.rstrip('/')}/{prefix}".rstrip("/") for store, prefix in bundles)
    notes = [*(uncompared if accept_other_version else ()), *([lighter] if lighter is not None else ())]
    unchecked = () if accept_other_version else tuple(uncompared)
    return Checked(addresses, read, tuple(findings), unchecked, tuple(notes))


def _files(store: Store, prefix: str) -> dict[str, bytes]:
    start = f"{prefix}/" if prefix else ""
    keys = sorted(info.key for info in store.list(start))
    return {key.removeprefix(start): store.get(key) for key in keys}


def written_here(index: bytes) -> bool:
    """Whether this version of factory wrote a bundle, by the bytes of its index."""
    try:
        found = orjson.loads(index)
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, dict) and found.get("written_by") == __version__


def dataset_findings(dataset: Whole) -> Iterator[Finding]:
    """What the dataset's own files say against the manifest: shards, card, prompts."""
    yield from shard_findings(dataset.store, dataset.facts)
    yield from _card(dataset)
    yield from (Finding(PROMPTS, "texts", fault) for fault in _wording_faults(dataset))
    if dataset.root is not None:
        yield from erasure_findings(dataset.root, dataset.facts)


def _card(dataset: Whole) -> Iterator[Finding]:
    try:
        data = dataset.store.get(CARD)
    except KeyError:
        return  # named with the files
    yield from document_findings(card, data, claims_in(card, data), claims_of(dataset.facts))


def _wording_faults(dataset: Whole) -> Iterator[str]:
    try:
        body = orjson.loads(dataset.prompts)
        if body:
            yield from faults(body, dataset.manifest["steps"])
            held = {prompt["prompt_id"] for prompt in body["prompts"]}
            yield from (
                f"prompt {prompt.name} ({prompt.prompt_id[:12]}) of {MANIFEST} is not there"
                for prompt in dataset.facts.prompts
                if prompt.prompt_id not in held
            )
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError) as error:
        yield f"it is not built as prompts.json: {error}"


def bundle_findings(files: Mapping[str, bytes], folder: str, dataset: Whole | None) -> Iterator[Finding]:
    """`files` are those of the bundle, its index among them; `folder` is the name of the folder that it lies in."""
    try:
        index = parsed_index(files[INDEX])
    except KeyError:
        yield Finding(INDEX, "file", "is missing")
        return
    except ValueError as error:
        yield Finding(INDEX, "required fields", str(error))
        return
    others = {path: data for path, data in files.items() if path != INDEX}
    own = list(index_findings(index, others, folder))
    if dataset is not None:
        own += index_against(index, dataset.facts, dataset.prompts)
        own += against(INDEX, index_claims(index), claims_of(dataset.facts))
        if index["written_by"] == __version__ and not own:
            wanted = index_of(dataset.facts, others, index["prompts"]["content"], sha256_hex(dataset.prompts))
            own += rendered_findings(INDEX, canonical_json(index), canonical_json(wanted))
    yield from own
    yield from _documents(index, others, dataset)


def _documents(index: Mapping[str, Any], files: Mapping[str, bytes], dataset: Whole | None) -> Iterator[Finding]:
    known = {document.PATH: document for document in documents()}
    read = {path: claims_in(known[path], files[path]) for path in sorted(files.keys() & known.keys())}
    claims = {INDEX: index_claims(index), **{path: said for path, said in read.items() if isinstance(said, Claims)}}
    yield from _strangers(known, files)
    if dataset is None:
        for path, said in read.items():
            yield from document_findings(known[path], files[path], said, None)
        yield from among(claims)
        return
    expected = claims_of(dataset.facts)
    written = rendered(dataset.facts) if index["written_by"] == __version__ else {}
    for path, said in read.items():
        found = list(document_findings(known[path], files[path], said, expected))
        yield from found or rendered_findings(path, files[path], written.get(path, files[path]))


def _strangers(known: Mapping[str, Readable], files: Mapping[str, bytes]) -> Iterator[Finding]:
    """What a bundle lacks, or cannot have."""
    for path in sorted(known.keys() - files.keys()):
        yield Finding(path, "file", "is not in the bundle", "the document that every bundle has")
    for path in sorted(files.keys() - known.keys()):
        yield Finding(path, "kind", "no document that this version of factory knows")


def document_findings(
    document: Readable, data: bytes, said: Claims | str, expected: Claims | None
) -> Iterator[Finding]:
    """Of one document: what its kind requires, and where `expected` is known what it says. `said` is `claims_in`."""
    lacking = [*document.problems(data), *([said] if isinstance(said, str) else [])]
    yield from (Finding(document.PATH, "required", problem) for problem in dict.fromkeys(lacking))
    if isinstance(said, Claims) and expected is not None:
        yield from against(document.PATH, said, expected)


def claims_in(document: Readable, data: bytes) -> Claims | str:
    """What a document says; where it cannot be read, why."""
    try:
        return document.claims(data)
    except FactoryError as error:
        return error.what
    except ValueError as error:
        return str(error)
    except (LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        return f"it is not built as a document of its kind: {type(error).__name__}: {error}"
