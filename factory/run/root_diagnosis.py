"""What lies under a root beside its runs, and should not, or not so: datasets without a manifest, folders of a run
whose record is gone, leases and probes that their owners left, files that are nobody's, sweeps that were killed.

Design: as factory/run/diagnosis.py, for what no record of a run leads to. Nothing is changed.
Cost: a listing of datasets/, sweeps/, leases/ and runs/, and one read a dataset, sweep and lease.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from functools import partial
from pathlib import Path

from factory.errors import StoreError
from factory.govern.erasure.records import changed_records, unfinished
from factory.mix.manifest import KIND as MIX
from factory.mix.manifest import MANIFEST_VERSION as MIX_VERSION
from factory.publish.manifest import KIND, MANIFEST, MANIFEST_VERSION, kind_of, unseal
from factory.run.diagnosis import Finding, guarded
from factory.store.base import Store
from factory.store.keys import HIDDEN
from factory.store.lease import SILENT_S, holder_of
from factory.store.local import LocalStore
from factory.sweep.record import is_worked, read_sweep, sweep_ids, sweep_key

FOLDERS = {
    *("runs", "steps", "datasets", "leases", "curate", "select", "selectors", "sweeps", "withdrawals", "erasures"),
    "vocabulary",
}
"""What the factory keeps at the top of a root."""

AHEAD_S = 300.0
"""Seconds that the times of files may lie ahead of their own store's clock before it is said."""

SHOWN = 3


def examine_root(store: Store, runs: Set[str]) -> Iterator[Finding]:
    """`runs`: ids of the runs whose records could be read."""
    for look in (_datasets, _sweeps, _leases, _erasures, _strangers):
        yield from guarded("the root", partial(look, store))
    yield from guarded("the root", partial(_without_records, store, runs))


def _datasets(store: Store) -> Iterator[Finding]:
    versions: dict[str, bool] = {}
    for info in store.list("datasets/"):
        parts = info.key.split("/")
        if len(parts) >= 4 and parts[2] != "records":
            version = "/".join(parts[:3])
            versions[version] = versions.get(version, False) or parts[3:] == [MANIFEST]
    for version, has_manifest in sorted(versions.items()):
        if has_manifest:
            yield from guarded(version, partial(_manifest, store, version))
        else:
            yield Finding(
                version,
                f"there are files of a dataset, and no {MANIFEST}: readers see no dataset there",
                cause="publishing is going on, or was cut short; or the manifest was removed",
                remedy="give the run's command again: it publishes from what is committed, and pays for nothing twice",
            )


def _manifest(store: Store, version: str) -> Iterator[Finding]:
    where = f"{version}/{MANIFEST}"
    data = store.get(where)
    kind, known = (MIX, MIX_VERSION) if kind_of(data) == MIX else (KIND, MANIFEST_VERSION)
    unseal(data, where, kind, known)
    return iter(())


def _sweeps(store: Store) -> Iterator[Finding]:
    for sweep in sweep_ids(store):
        yield from guarded(sweep_key(sweep), partial(_sweep, store, sweep), sweep_key(sweep))


def _sweep(store: Store, sweep: str) -> Iterator[Finding]:
    record = read_sweep(store, sweep)
    if record is not None and record.state == "running" and not is_worked(store, record):
        left = sum(point.state not in ("finished", "failed") for point in record.points)
        yield Finding(
            f"sweep {sweep}",
            f"it was killed: {left} of its {len(record.points)} points were not done, and nobody works it",
            cause="its process or machine was ended without a chance to say so",
            remedy="give the same command again; points that finished are not paid for again",
        )


def _leases(store: Store) -> Iterator[Finding]:
    infos = list(store.list("leases/"))
    if not infos:
        return  # asking the time writes, and where there is nothing it would make the folder
    try:
        now = store.clock()
    except StoreError:
        return  # read-only: leases are nobody's concern there
    for info in infos:
        name = info.key.removeprefix("leases/").removesuffix(".json")
        if info.modified > now + AHEAD_S:
            yield Finding(
                info.key,
                f"it was renewed {info.modified - now:,.0f} s in the future, by the clock of its own store",
                cause="that clock was set back: until it has caught up, a run that was killed looks alive",
                remedy="set the clock (NTP). Runs do not go by it: giving a command again works all the same",
                broken=False,
            )
            continue
        found = holder_of(store, name)
        if found is not None and (found[0].gone or found[1] > SILENT_S):
            yield Finding(
                info.key,
                f"{found[0]} left it behind, {found[1]:,.0f} s ago",
                cause="that process was killed",
                remedy="nothing: whoever wants it next takes it over by themselves",
                broken=False,
            )


def _erasures(store: Store) -> Iterator[Finding]:
    changed = changed_records(store)
    for key, why in changed.items():
        yield Finding(
            key,
            why,
            cause="somebody edited the record of an erasure, or it was cut short",
            remedy="restore it from a copy of the root; `factory verify` fails until then",
        )
    for begun in () if changed else unfinished(store):
        yield Finding(
            f"{begun.kind} {begun.erasure}",
            f"it was begun at {begun.at} and is not finished: runs refuse to start",
            cause="its command was killed",
            remedy="give the same command again, with the same documents or days",
        )


def _strangers(store: Store) -> Iterator[Finding]:
    probes = [info.key for info in store.list("probe-")]
    if probes:
        yield Finding(
            "the root",
            f"{len(probes)} objects of a trial of the store are left: {_some(probes)}",
            cause="a command was killed in the second in which it tried out whether the store keeps its promises",
            remedy="delete them; nothing reads them",
            broken=False,
        )
    if isinstance(store, LocalStore) and Path(store.root).is_dir():
        others = sorted(
            place.name
            for place in Path(store.root).iterdir()
            if place.name not in FOLDERS and not place.name.startswith((HIDDEN, "probe-"))
        )
        if others:
            yield Finding(
                "the root",
                f"{len(others)} names at its top are none of the factory's: {_some(others)}",
                cause="other files are kept in the same folder, or part of a root was copied to another place",
                remedy="nothing reads them; a folder of its own keeps a root easy to copy and to delete",
                broken=False,
            )


def _without_records(store: Store, runs: Set[str]) -> Iterator[Finding]:
    keys = [info.key for info in store.list("runs/")]
    recorded = {key.split("/")[1].removesuffix(".json") for key in keys if key.count("/") == 1} | set(runs)
    lone = sorted({key.split("/")[1] for key in keys if key.count("/") > 1} - recorded)
    if lone:
        yield Finding(
            "the root",
            f"{len(lone)} runs have a folder and no record: {_some([f'runs/{run}.json' for run in lone])}",
            cause="the record was removed, or only a part of the root was copied here",
            remedy="give the run's command again: the record is written anew from what the steps have committed",
        )
    if not recorded and not lone and next(iter(store.list("steps/")), None) is not None:
        yield Finding(
            "the root",
            "there are steps, and no run that names them",
            cause="runs/ was removed, or only a part of the root was copied here",
            remedy="give the run's command again: the record is written anew, and what is committed is not paid again",
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (" …" if names[SHOWN:] else "")
