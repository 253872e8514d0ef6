"""Retention: what models answered, in the clear, is deleted after some days; what it cost stays.

Design: a request file holds ids, hashes of prompts, token counts and completions. Only the completions go, and the
texts that were turned away of them: costs, ledgers, and the proof that a prompt was the one that was sent, rest on the
others. Done like an erasure, under a record of kind `retention` (erasure/records.py), so verification accepts what
changed and says why. Only units that no unfinished run has: such a run may read them again. The age of a unit is that
of its attempt's receipt, by the store's own clock: a file that was rewritten meanwhile is no younger for it.
Cost: one read of every request and reject file.
"""

from __future__ import annotations

from collections.abc import Callable

from factory.govern.erasure.draft import drafted
from factory.govern.erasure.edit import edit_requests
from factory.govern.erasure.erase import (
    NOTHING_HIDDEN,
    Done,
    Say,
    done_of,
    finish,
    old_versions,
    record_of,
    refuse_beside_work,
)
from factory.govern.erasure.files import StepFile
from factory.govern.erasure.records import (
    Begun,
    Work,
    begun_key,
    erasures,
    put,
    read_record,
    require_finished,
    unfinished,
    work_key,
)
from factory.govern.erasure.switch import clear, stage, switch
from factory.govern.erasure.units import without_completions
from factory.govern.records import require_words
from factory.identity import fingerprint
from factory.run.attempt import receipt_key
from factory.run.record import now, run_ids
from factory.run.record import read_record as read_run
from factory.store.base import Store

DAY_S = 86_400.0
NOTHING = Work(())


def retain(store: Store, days: float, by: str, say: Say) -> Done | None:
    """Removes completions older than `days`; None where there are none. Goes on where an earlier attempt was killed.

    Raises ConfigError where somebody works in the root.
    """
    require_words("name", by)
    refuse_beside_work(store)
    begun = next((each for each in unfinished(store) if each.kind == "retention"), None)
    require_finished(store, begun)
    record = read_record(store, begun.erasure) if begun else None
    if begun is None or record is None:
        name = begun.erasure if begun else _free(store)
        begun = begun or Begun(name, "retention", (), f"raw requests older than {days:g} days", by, now(), days)
        clear(store, name)
        with drafted(store) as (draft, spool):
            edited = edit_requests(draft, name, without_completions(keeping(store, begun.days or 0)))
            record = record_of(store, spool, begun, edited, NOTHING_HIDDEN)
            if not record.changes:
                return None
            put(store, begun_key(name), begun)
            refuse_beside_work(store)
            put(store, work_key(name), NOTHING)
            stage(store, spool, record)
    switch(store, record, say)
    return finish(store, record, NOTHING, say)


def rehearse(store: Store, days: float) -> Done | None:
    """What `retain` would do, without touching the root."""
    refuse_beside_work(store)
    require_finished(store)
    begun = Begun("dry-run", "retention", (), "", "", now(), days)
    with drafted(store) as (draft, spool):
        edited = edit_requests(draft, begun.erasure, without_completions(keeping(store, days)))
        record = record_of(store, spool, begun, edited, NOTHING_HIDDEN)
        return done_of(record, (), (), old_versions(store)) if record.changes else None


def keeping(store: Store, days: float) -> Callable[[StepFile], bool]:
    """Whether a file stays: one of a unit that is younger, of an unfinished run, or of a step that asks no model."""
    at_work = folders_at_work(store)
    before = store.clock() - days * DAY_S
    asking = {info.key.split("/")[1] for info in store.list("steps/") if "/requests/" in info.key}

    def keep(file: StepFile) -> bool:
        if file.folder in at_work or file.folder not in asking:
            return True
        info = store.head(receipt_key(file.folder, file.unit, file.attempt)) or store.head(file.key)
        return info is None or info.modified > before

    return keep


def folders_at_work(store: Store) -> set[str]:
    """Folders of steps that an unfinished run has."""
    found: set[str] = set()
    for run in run_ids(store):
        record = read_run(store, run)
        if record is not None and record.get("state") != "finished":
            found.update((record.get("steps") or {}).values())
    return found


def _free(store: Store) -> str:
    """The id of the next retention: they are numbered, and named like erasures."""
    return fingerprint(["retention", sum(begun.kind == "retention" for begun in erasures(store))])[:16]
