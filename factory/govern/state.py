"""Whether a published dataset is a draft, approved or withdrawn: read from its records, for the bytes it has now.

Design: a dataset is a draft until somebody approved it; the last record decides, except that a withdrawal stands until
somebody who may approve takes it back, which spends the approvals before it: the dataset is a draft again. An approval
that contradicts the manifest (demands.py) counts for nothing, and is told. A record counts for the manifest it names
and for no other: a dataset that was erased from or put together anew has to be approved again. A mix has no records of
approval of its own: it is as good as the datasets it was made of. Nothing of this is in the dataset, which never
changes.
Cost: one listing and one small read a record; where an approval is of other bytes, one of every manifest of the
root.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from factory.govern.demands import Demands, contradictions, demands_in, may_not
from factory.govern.records import Record, read_records, signoff_prefix
from factory.identity import sha256_hex
from factory.mix.manifest import KIND as MIX
from factory.printable import one_line
from factory.publish.manifest import MANIFEST
from factory.publish.places import dataset_prefix
from factory.store.base import AbsentObjectError, Store
from factory.store.objects import damaged, mapping_in

Name = Literal["draft", "approved", "withdrawn"]


@dataclass(frozen=True)
class State:
    """`record` is what decided, None where there is none; `why` goes on after the name, on one line; `contradictions`
    are those of records to the manifest, `withdrawn_rows` what is known of rows that rest on withdrawn documents."""

    name: Name
    why: str
    record: Record | None = None
    contradictions: tuple[str, ...] = ()
    withdrawn_rows: str = ""

    @property
    def line(self) -> str:
        """For people: `approved by ada on 2026-01-31`, `draft: no approval is recorded`."""
        told = f"{self.name}{' ' if self.why.startswith('by ') else ': '}{self.why}"
        return f"{told}; {self.withdrawn_rows}" if self.withdrawn_rows else told

    def to_json(self) -> dict[str, Any]:
        record = self.record
        told: dict[str, Any] = {"state": self.name, "why": self.line}
        if self.contradictions:
            told["contradictions"] = list(self.contradictions)
        if self.withdrawn_rows:
            told["withdrawn_rows"] = self.withdrawn_rows
        if record is not None:
            told |= {"by": record.by, "role": record.role, "at": record.at, "note": record.note}
        return told


@dataclass(frozen=True)
class Dataset:
    """A published dataset below a root, or a mix, as far as its state asks."""

    name: str
    version: str
    mix: bool
    rows: int
    license: str
    manifest: Mapping[str, Any]
    manifest_sha256: str

    @property
    def prefix(self) -> str:
        return dataset_prefix(self.name, self.version)

    @property
    def title(self) -> str:
        return f"{self.name}@{self.version}"


def read_dataset(root: Store, name: str, version: str) -> Dataset:
    """Raises AbsentObjectError where there is none, StoreError where its manifest is none; that it is intact is for
    `factory verify` to say."""
    key = f"{dataset_prefix(name, version)}/{MANIFEST}"
    return replace(dataset_in(root.get(key), root.uri, key), name=name, version=version)


LISTED = {"path": "shards", "sha256": "inputs", "model": "generators"}
"""What every entry of a list of the manifest must have to be looked at."""


def dataset_in(data: bytes, uri: str, key: str) -> Dataset:
    """What a manifest's bytes say. Raises StoreError where they are none."""
    manifest = mapping_in(data, uri, key, ("kind", "name", "version", "totals", "license", "shards"))
    try:
        for required, listed in LISTED.items():
            for each in manifest.get(listed, ()):
                str(each[required]), each.get("dataset")
        rows, license = int(manifest["totals"]["rows"]), str(manifest["license"]["dataset"])
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise damaged(uri, key, f"totals, license, shards, inputs or generators: {error}") from None
    named = str(manifest["name"]), str(manifest["version"])
    return Dataset(*named, manifest["kind"] == MIX, rows, license, manifest, sha256_hex(data))


def datasets_below(root: Store) -> list[tuple[str, str]]:
    """(name, version) of every dataset and mix below a root, sorted."""
    found = set()
    for info in root.list("datasets/"):
        parts = info.key.split("/")
        if len(parts) == 4 and parts[2] != "records" and parts[3] == MANIFEST:
            found.add((parts[1], parts[2]))
    return sorted(found)


def state_of(root: Store, dataset: Dataset) -> State:
    """Raises StoreError where its records are damaged."""
    records = read_records(root, signoff_prefix(dataset.name, dataset.version))
    own = folded(records, dataset.manifest_sha256, demands_of_dataset(dataset), partial(_other_dataset, root, dataset))
    return own if own.name == "withdrawn" or not dataset.mix else _of_parts(root, dataset)


def _other_dataset(root: Store, dataset: Dataset, subject: str) -> str:
    """Title of another dataset below the root whose manifest has these bytes; "" where there is none."""
    for name, version in datasets_below(root):
        key = f"{dataset_prefix(name, version)}/{MANIFEST}"
        if (name, version) != (dataset.name, dataset.version) and sha256_hex(root.get(key)) == subject:
            return f"{name}@{version}"
    return ""


def demands_of_dataset(dataset: Dataset) -> Demands:
    """What its manifest demands; nothing of a mix, which is never approved by itself."""
    return Demands() if dataset.mix else demands_in(dataset.manifest)


@dataclass
class _Log:
    """What records have come to so far: mutable, because it is folded record by record."""

    approval: Record | None = None
    withdrawal: Record | None = None
    ended: Record | None = None  # what ended the last approval: a revocation, or a reinstatement
    other: Record | None = None  # an approval of other bytes
    contradictions: list[str] = field(default_factory=list)

    def take(self, record: Record, manifest_sha256: str, demands: Demands) -> None:
        if record.kind == "withdrawal":
            self.withdrawal = record  # of whatever bytes: what is withdrawn stays so until somebody says otherwise
        elif record.kind == "reinstatement":
            refused = [*may_not(demands, record.by)]
            if refused and self.withdrawal is not None:
                self.contradictions += [f"record {record.number}, a reinstatement: {each}" for each in refused]
            elif not refused:
                self.withdrawal, self.approval, self.ended = None, None, record
                self.contradictions = []
        elif record.subject != manifest_sha256:
            self.other = record if record.kind == "approval" else self.other
        elif record.kind == "approval":
            self.approval, self.ended = record, None
        else:
            self.approval, self.ended = None, record


def folded(
    records: Sequence[Record],
    manifest_sha256: str,
    demands: Demands,
    other_dataset: Callable[[str], str] = lambda subject: "",
) -> State:
    """What the records of a dataset come to for these bytes of its manifest, and what that demands. `other_dataset`
    says which dataset an approval of other bytes was of, where that can be told."""
    log = _Log()
    for record in records:
        log.take(record, manifest_sha256, demands)
    if log.approval is not None:
        found = contradictions(demands, log.approval)
        log.contradictions += [f"record {log.approval.number}, an approval: {each}" for each in found]
    state = _told(log, other_dataset)
    return replace(state, why=one_line(state.why), contradictions=tuple(map(one_line, log.contradictions)))


def _told(log: _Log, other_dataset: Callable[[str], str]) -> State:
    approval, withdrawal, ended, other = log.approval, log.withdrawal, log.ended, log.other
    if withdrawal is not None:
        return State("withdrawn", f"by {_who(withdrawal)}: {withdrawal.note}", withdrawal)
    if approval is not None and log.contradictions:
        return State("draft", f"the approval by {_who(approval)} does not count: {log.contradictions[-1]}")
    if approval is not None:
        return State("approved", f"by {_who(approval)}", approval)
    if ended is not None and ended.kind == "revocation":
        return State("draft", f"approval revoked by {_who(ended)}: {ended.note}", ended)
    if ended is not None:
        why = f"withdrawal taken back by {_who(ended)}: {ended.note}; it has to be approved again"
        return State("draft", why, ended)
    if other is not None and (title := other_dataset(other.subject)):
        return State("draft", f"what {other.by} approved on {other.at[:10]} is {title}, another dataset")
    if other is not None:
        return State("draft", f"what {other.by} approved on {other.at[:10]} has another manifest than stands there now")
    return State("draft", "no approval is recorded")


def _who(record: Record) -> str:
    return f"{record.by}{f' ({record.role})' if record.role else ''} on {record.at[:10]}"


def _of_parts(root: Store, mix: Dataset) -> State:
    """A mix is approved where every published dataset in it is, and withdrawn where one of them is."""
    states = dict(_part_states(root, mix))
    for name in ("withdrawn", "draft"):
        titles = [title for title, state in states.items() if state == name]
        if titles:
            verb = "is withdrawn" if name == "withdrawn" else "is not approved"
            return State("withdrawn" if name == "withdrawn" else "draft", f"{', '.join(titles)}, in it, {verb}")
    if not states:
        return State("draft", "a mix of files: there is no published dataset in it that could be approved")
    return State("approved", f"every published dataset in it is approved: {', '.join(states)}")


def _part_states(root: Store, mix: Dataset) -> Iterable[tuple[str, Name]]:
    for name, version in mix_inputs(mix.manifest):
        try:
            yield f"{name}@{version}", state_of(root, read_dataset(root, name, version)).name
        except AbsentObjectError:
            yield f"{name}@{version}", "draft"  # made from another root: what is known of it is not here


def mix_inputs(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, version) of the published datasets that a mix was made of."""
    inputs = [each for each in manifest.get("inputs", ()) if isinstance(each, Mapping) and each.get("dataset")]
    return sorted({(str(each["dataset"]), str(each.get("version"))) for each in inputs})
