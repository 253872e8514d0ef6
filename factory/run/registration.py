"""The index of published questions as a run meets it: pinned, looked at again, and added to.

Design: a run is compared with the published questions that were on the list when it first planned `match`; that view
is pinned (curate/index/pin.py). Before gates and shards its samples are compared with what came onto the list since
(`recheck`). What it publishes is put on the list by compare-and-swap before the manifest is, because the swap is the
one moment at which two runs that finish together can see each other: if the list holds anything this run was not
compared with, it is not changed, and recheck, gates, shards and segment are done again with the newer view. Killed in
between, the same command finds its questions on the list, or puts them there. A registered dataset without a manifest
is one whose run has not finished: its questions are taken, `factory index remove` frees them.

Cost: a few small reads and one conditional put; the segment's bytes are copied once, by workers.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from factory.config import FactoryConfig
from factory.curate.index.build import copies, copy, finish, from_outputs
from factory.curate.index.listing import Entry, Listed, change_list, read_list, with_segment
from factory.curate.index.pin import (
    View,
    check_comparable,
    check_names,
    current_view,
    newer_key,
    pin_key,
    read_view,
    view_bytes,
    wanted_members,
)
from factory.curate.index.segment import Segment, lsh_identity
from factory.curate.minhash import LshParameters
from factory.curate.sketch import lsh_parameters
from factory.identity import fingerprint
from factory.run.outputs import outputs_key, read_outputs
from factory.run.record import Record, write_record
from factory.store.base import AbsentObjectError, Store
from factory.store.objects import read_mapping

if TYPE_CHECKING:
    from factory.run.chain import Chain
    from factory.run.stage import Dones, Session


def parameters_of(config: FactoryConfig) -> LshParameters:
    return lsh_parameters(config.curate)


def check_index(store: Store, config: FactoryConfig, run: str) -> None:
    """Raises ConfigError where the run cannot be compared with what it is to be compared with: to be asked before
    anything is paid for. A run that has pinned its view goes by that."""
    if config.curate.index.use is None or store.head(pin_key(run)) is not None:
        return
    listed, own = read_list(store), config.publish.name
    check_names(listed, store.uri, own, config.curate.index)
    members = frozenset(wanted_members(listed, own, config.curate.index))
    check_comparable(listed, store.uri, members, lsh_identity(parameters_of(config)))


def pinned(store: Store, config: FactoryConfig, run: str) -> View:
    """The view that the run is compared with: the one it pinned, or what it would pin now."""
    if config.curate.index.use is None:
        return View()
    try:
        return read_view(store, pin_key(run))
    except AbsentObjectError:
        return _now(store, config)


def newer(store: Store, config: FactoryConfig, run: str, samples: Record) -> View:
    """What came onto the list after the pin: as the run noted it for these samples, or as it is now."""
    try:
        noted = read_mapping(store, newer_key(run), ("samples",))["samples"]
    except AbsentObjectError:
        noted = None
    if noted == _samples(samples):
        return read_view(store, newer_key(run))
    return _now(store, config, pinned(store, config, run))


def _now(store: Store, config: FactoryConfig, seen: View | None = None) -> View:
    without = frozenset(seen.members) if seen else frozenset()
    lsh = lsh_identity(parameters_of(config))
    return current_view(store, config.publish.name, config.curate.index, lsh, without)


def _samples(done: Record) -> str:
    return fingerprint([done["folder"], done["accepted_digest"]])


def pin(session: Session, chain: Chain) -> None:
    """Pins the view, once a run."""
    store, config = session.store, chain.settings.config
    if config.curate.index.use is None:
        return
    view = pinned(store, config, chain.run)
    store.put_if_absent(pin_key(chain.run), view_bytes(view))
    view = read_view(store, pin_key(chain.run))  # another driver of this run may have been first
    named = {"pin": pin_key(chain.run), "digest": view.digest, "compared_with": compared_with(view)}
    session.record["index"] = {**session.record.get("index", {}), **named}
    write_record(store, session.record)
    if view.parts:
        session.progress.say(f"compared with {view.rows:,} published questions: {names_of(view)}")


def note_newer(session: Session, chain: Chain, dones: Dones, *, again: bool = False) -> None:
    """Writes down what came onto the list after the pin; `again`: as it is now, whatever was noted."""
    store, config = session.store, chain.settings.config
    samples = dones["samples"]
    seen = pinned(store, config, chain.run)
    view = _now(store, config, seen) if again else newer(store, config, chain.run, samples)
    store.put(newer_key(chain.run), view_bytes(view, samples=_samples(samples)))
    session.record.setdefault("index", {})["newer"] = compared_with(view)
    if view.parts:
        session.progress.say(f"registered meanwhile, {view.rows:,} questions: {names_of(view)}")


def compared_with(view: View) -> list[dict[str, Any]]:
    return [{"dataset": dataset, "version": version, "questions": n} for (dataset, version), n in view.members.items()]


def names_of(view: View) -> str:
    return ", ".join("@".join(member) for member in view.members)


def register(session: Session, chain: Chain, dones: Dones, version: str) -> bool:
    """Puts what the run publishes on the list. False where the list holds what the run was not compared with; then
    nothing was changed. True without more where there is nothing to publish."""
    from factory.run.execute import each_on_worker

    store, config = session.store, chain.settings.config
    own, index = config.publish.name, config.curate.index
    seen = {*pinned(store, config, chain.run).members}
    if index.use is not None:
        seen |= {*newer(store, config, chain.run, dones["samples"]).members}
    listed = read_list(store)
    if (own, version) not in listed.members and set(wanted_members(listed, own, index)) - seen:
        return False  # before anything is copied
    made = segment_of(store, config, chain.run, version)
    if not made.parts:
        return True
    wanted = copies(made, read_outputs(store, outputs_key(chain.run, "segment")))
    made = finish(store, replace(made, parts=tuple(each_on_worker(partial(copy, store), wanted))))
    unseen = False

    def change(listed: Listed) -> tuple[Entry, ...] | None:
        nonlocal unseen
        unseen = False
        if (own, version) in listed.members:
            return None
        unseen = bool(set(wanted_members(listed, own, index)) - seen)
        return None if unseen else with_segment(listed, made)

    change_list(store, change)
    if not unseen:
        session.record.setdefault("index", {})["segment"] = made.segment_id
        write_record(store, session.record)
    return not unseen


def segment_of(store: Store, config: FactoryConfig, run: str, version: str) -> Segment:
    """The segment that a run's `segment` step made, whether it is in its place yet or not."""
    outputs = read_outputs(store, outputs_key(run, "segment"))
    return from_outputs(outputs, config.publish.name, version, parameters_of(config))


def index_facts(store: Store, config: FactoryConfig, run: str, dones: Dones, version: str) -> dict[str, Any] | None:
    """What the manifest says of the index; None where the run neither reads it nor adds to it."""
    index = config.curate.index
    if index.use is None and not index.register:
        return None
    facts: dict[str, Any] = {"segment": None, "segments": [], "compared_with": [], "rechecked_with": []}
    if index.register:
        facts["segment"] = segment_of(store, config, run, version).segment_id
    if index.use is not None:
        first, second = pinned(store, config, run), newer(store, config, run, dones["samples"])
        facts["segments"] = sorted({*first.segments, *second.segments})
        facts |= {"compared_with": compared_with(first), "rechecked_with": compared_with(second)}
    return facts
