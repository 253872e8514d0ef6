"""What every document of a bundle must say, and whether one does, whatever form it says it in.

Design: the facts of the manifest become claims (factory/govern/claims.py) of the same form as those read back from a
document, and both are compared field by field: licences as SPDX expressions, whether they were written as such, as the
hub's ids or as addresses; times as instants, and where a document has only the date, as dates.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from factory.govern.check.findings import Finding, shown
from factory.govern.claims import Claims
from factory.govern.facts import Facts
from factory.licences.expression import combine, terms
from factory.publish.front_matter import HUB_LICENCES
from factory.publish.manifest import MANIFEST

LICENCE_ADDRESSES = ("https://spdx.org/licenses/", "http://spdx.org/licenses/")

SPDX_IDS = {hub: spdx for spdx, hub in HUB_LICENCES.items()}


def claims_of(facts: Facts) -> Claims:
    """Every field, as the manifest has it."""
    return Claims(
        name=facts.name,
        version=facts.version,
        created=facts.created,
        run=facts.run,
        digest=facts.digest,
        rows=facts.rows,
        splits={split.name: split.rows for split in facts.splits},
        bytes=facts.published_bytes,
        files={file.path: file.sha256 for file in (*facts.files, facts.manifest)},
        licenses=frozenset({facts.license}),
        source_licenses=frozenset(facts.sources["licenses"]),
        models=frozenset((model.name, model.revision) for model in facts.models),
        model_licenses=frozenset((model.name, combine([model.license])) for model in facts.models),
        languages=frozenset(facts.languages),
        steps=frozenset(step.folder for step in facts.steps),
        prompts=frozenset(prompt.prompt_id for prompt in facts.prompts),
        gates={gate.name: gate.passed for gate in facts.gates},
        synthetic=True,
        updated=facts.updated,
        erased={each.erasure: each.rows for each in facts.erased},
    )


def against(artefact: str, claims: Claims, expected: Claims) -> Iterator[Finding]:
    """Where a document says something else than `expected`. What either does not say is not compared."""
    for name, said, wanted in _stated(claims, expected):
        if isinstance(wanted, Mapping) and not isinstance(said, Mapping):
            yield Finding(artefact, name, shown(said), "names with values")
        elif name == "files":
            yield from _files(artefact, said, wanted)
        elif isinstance(wanted, Mapping):
            yield from _mappings(artefact, name, said, wanted)
        elif name in LICENCES:
            if not _same_licences(said, wanted):
                yield Finding(artefact, name, shown(said), shown(wanted))
        elif isinstance(wanted, frozenset):
            yield from _sets(artefact, name, said, wanted)
        elif not _same(name, said, wanted):
            yield Finding(artefact, name, shown(said), shown(wanted))


LICENCES = ("licenses", "source_licenses")
TIMES = ("created", "updated")


def among(claims: Mapping[str, Claims]) -> Iterator[Finding]:
    """Where documents differ from each other, for want of the dataset: what most of them say is taken for right, of
    equally many the first."""
    for name in (field.name for field in fields(Claims)):
        said = {artefact: value for artefact, own in claims.items() if (value := getattr(own, name)) is not None}
        if name == "files" and all(
            isinstance(own, Mapping) for own in said.values()
        ):  # each document names those that it has to do with
            for path in sorted({path for own in said.values() for path in own}):
                yield from _odd(name, {who: {path: own[path]} for who, own in said.items() if path in own})
        else:
            yield from _odd(name, said)


def _odd(name: str, said: Mapping[str, Any]) -> Iterator[Finding]:
    """Those that say something else than most do."""
    keys = {artefact: _key(name, value) for artefact, value in said.items()}
    if len(set(keys.values())) <= 1:
        return
    common = Counter(keys.values()).most_common(1)[0][0]
    reference = next(artefact for artefact, key in keys.items() if key == common)
    for artefact, key in keys.items():
        if key != common:
            for found in against(artefact, _only(name, said[artefact]), _only(name, said[reference])):
                yield replace(found, expected=f"{found.expected} ({reference})")


def _only(name: str, value: Any) -> Claims:
    return Claims(**{name: value})


def _stated(claims: Claims, expected: Claims) -> Iterator[tuple[str, Any, Any]]:
    for field in fields(Claims):
        said, wanted = getattr(claims, field.name), getattr(expected, field.name)
        if said is not None and wanted is not None:
            yield field.name, said, wanted


def _files(artefact: str, said: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[Finding]:
    """A document that names a shard names all shards; if it names other files too, it names all, with the manifest or
    without. One that names no shard names some files as evidence."""
    others = {path for path in said if not path.startswith(SHARDS) and path != MANIFEST}
    shards = len(said) > len(others) + (MANIFEST in said)
    due = {
        path: sha256
        for path, sha256 in wanted.items()
        if path in said or (shards and path != MANIFEST and (others or path.startswith(SHARDS)))
    }
    yield from _mappings(artefact, "files", said, due)


SHARDS = "data/"


def _mappings(artefact: str, name: str, said: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[Finding]:
    for key in sorted(said.keys() | wanted.keys()):
        if key not in said:
            yield Finding(artefact, f"{name} {key}", "is not named", shown(wanted[key]))
        elif key not in wanted:
            yield Finding(artefact, f"{name} {key}", shown(said[key]), "none of that name")
        elif said[key] != wanted[key]:
            yield Finding(artefact, f"{name} {key}", shown(said[key]), shown(wanted[key]))


def _sets(artefact: str, name: str, said: frozenset[Any], wanted: frozenset[Any]) -> Iterator[Finding]:
    if said != wanted:
        yield Finding(artefact, name, shown(said - wanted), shown(wanted - said))


def _same(name: str, said: Any, wanted: Any) -> bool:
    return _same_time(str(said), str(wanted)) if name in TIMES else bool(said == wanted)


def _key(name: str, value: Any) -> Any:
    """What is equal for values that mean the same; times by their date, because some documents have no more."""
    if name in LICENCES:
        return _licence_terms(value)
    if isinstance(value, Mapping):
        return repr(sorted(value.items(), key=str))
    return (
        str(value)[:DATE] if name in TIMES else repr(sorted(value, key=str) if isinstance(value, frozenset) else value)
    )


def _same_time(said: str, wanted: str) -> bool:
    """Whether both are one instant, or one of them only the date of the other."""
    try:
        moments = [datetime.datetime.fromisoformat(text) for text in (said, wanted)]
    except ValueError:
        return False
    instants = [moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC) for moment in moments]
    if any(len(text) == DATE for text in (said, wanted)):
        return instants[0].astimezone(datetime.UTC).date() == instants[1].astimezone(datetime.UTC).date()
    return instants[0] == instants[1]


DATE = len("2026-01-01")


def _same_licences(said: frozenset[Any], wanted: frozenset[Any]) -> bool:
    if len(said) == len(wanted) == 1:
        return _spdx(*said) == _spdx(*wanted)
    return _licence_terms(said) == _licence_terms(wanted)


def _licence_terms(licences: frozenset[Any]) -> frozenset[str]:
    """What must be honoured, whether it was written as one expression or as a list."""
    return frozenset(term for licence in licences for term in terms(_spdx(licence)))


def _spdx(stated: Any) -> str:
    licence = str(stated)
    for address in LICENCE_ADDRESSES:
        licence = licence.removeprefix(address)
    return combine([SPDX_IDS.get(licence, licence)])
