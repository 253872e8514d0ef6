"""Erasing documents from a root: who may, in which order, and what is said at the end.

Design: see records.py for the order of writes and switch.py for the switch. While somebody works in the root nothing
is begun: a run that goes on would write what is being taken out. Cost: finding what derives from them (closure.py),
and the root read twice: to rewrite it, and to look for what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from factory.errors import ConfigError
from factory.govern.erasure.closure import closure
from factory.govern.erasure.draft import Spool, drafted
from factory.govern.erasure.edit import Edited, edit_root
from factory.govern.erasure.known import require_known
from factory.govern.erasure.look import residue
from factory.govern.erasure.matching import Matcher
from factory.govern.erasure.records import (
    ID,
    SALT,
    Begun,
    Hiding,
    Record,
    Work,
    begun_key,
    done_key,
    put,
    read_record,
    read_work,
    require_finished,
    salt_of,
    unfinished,
    work_key,
)
from factory.govern.erasure.switch import changes_in, clear, stage, switch, unstage
from factory.govern.erasure.versioning import kept_versions
from factory.govern.places import require_root
from factory.govern.records import require_words
from factory.identity import fingerprint
from factory.run.outputs import forget_committed
from factory.run.record import now
from factory.select.erased import salted
from factory.store.base import Store
from factory.store.commit_index import fold
from factory.store.lease import holder_of, is_held
from factory.store.objects import names_below

Say = Callable[[str], None]

ELSEWHERE = (
    "copies of the root or of its datasets in other places, and backups",
    "models that were trained on rows of them, and selectors trained on the documents",
    "the corpus itself: remove them there too; until then every run turns them away as `erased`",
)
"""What no erasure of a root reaches."""


@dataclass(frozen=True)
class Done:
    """What an erasure did. `left` are objects that still hold something of it, `alike` documents that nearly repeat an
    erased one and stay, `beyond` what could not be reached."""

    erasure: str
    rows: dict[str, int]
    datasets: tuple[dict[str, object], ...]
    files: dict[str, int]
    left: tuple[str, ...]
    alike: tuple[str, ...]
    unknown: tuple[str, ...]
    beyond: tuple[str, ...]
    at: str


def erase(store: Store, documents: Sequence[str], reason: str, by: str, say: Say) -> Done:
    """Erases documents and all that derives from them; goes on where an earlier attempt at the same was killed.

    Raises ConfigError where somebody works in the root, an id is none, nothing in the root has one of them and it was
    never erased from it, or reason or name say nothing.
    """
    _require_sound(store, documents, reason, by)
    # In a root that nothing was ever erased from, a slip in the id leaves no trace.
    first = _work(store, documents, say) if store.head(SALT) is None else None
    salt = salt_of(store)
    entries = tuple(sorted(salted(salt, each) for each in set(documents)))
    begun = _open(store, entries)
    require_finished(store, begun)
    if begun is None:
        begun = Begun(_free(store, entries), "erasure", entries, reason, by, now())
        work = first or _work(store, documents, say)
        put(store, begun_key(begun.erasure), begun)
        put(store, work_key(begun.erasure), work)
    elif store.head(work_key(begun.erasure)) is None and read_record(store, begun.erasure) is None:
        put(store, work_key(begun.erasure), _work(store, documents, say))
    # Whoever began to work meanwhile did so before the erasure did: from its first object on runs refuse to start.
    refuse_beside_work(store)
    say(f"erasure {begun.erasure}: nothing is lost if this is killed, the same command goes on")
    work = read_work(store, begun.erasure)
    record = read_record(store, begun.erasure)
    if record is None:
        clear(store, begun.erasure)
        with drafted(store) as (draft, spool):
            edited = edit_root(draft, begun.erasure, begun.at, Matcher.of(work))
            record = record_of(store, spool, begun, edited, Hiding(salt, frozenset(work.ids)))
            stage(store, spool, record)
    switch(store, record, say)
    return finish(store, record, work, say)


def rehearse(store: Store, documents: Sequence[str], reason: str, by: str, say: Say) -> Done:
    """What erasing would do, without touching the root. Raises as `erase` does."""
    _require_sound(store, documents, reason, by)
    salt = salt_of(store) if store.head(SALT) is not None else ""
    going_on = _open(store, tuple(sorted(salted(salt, each) for each in set(documents))))
    require_finished(store, going_on)
    resumed = going_on is not None and store.head(work_key(going_on.erasure)) is not None
    work = read_work(store, going_on.erasure) if going_on and resumed else _work(store, documents, say)
    begun = Begun("dry-run", "erasure", (), "", "", now())
    with drafted(store) as (draft, spool):
        edited = edit_root(draft, begun.erasure, begun.at, Matcher.of(work))
        record = record_of(store, spool, begun, edited, NOTHING_HIDDEN)
        left = tuple(residue(draft, work))
    return done_of(record, left, work.alike, (*ELSEWHERE, *old_versions(store)))


NOTHING_HIDDEN = Hiding("", frozenset())


def record_of(store: Store, spool: Spool, begun: Begun, edited: Edited, hiding: Hiding) -> Record:
    return Record(
        erasure=begun.erasure,
        kind=begun.kind,
        documents=begun.documents,
        reason=begun.reason,
        by=begun.by,
        at=begun.at,
        rows=dict(sorted(edited.rows.items())),
        datasets=tuple(edited.datasets),
        changes=changes_in(store, spool, hiding),
        unknown=tuple(map(hiding, edited.unknown)),
        days=begun.days,
    )


def finish(store: Store, record: Record, work: Work, say: Say) -> Done:
    """Folds commits again, looks for what is left, and closes the erasure."""
    forget_committed()
    for folder in sorted({change.key.split("/")[1] for change in record.changes if change.key.startswith("steps/")}):
        fold(store, folder)
    store.discard_unfinished("", 0)
    if work.ids:
        say("looking for what is left")
    left = tuple(residue(store, work)) if work.ids else ()
    elsewhere = ELSEWHERE if record.kind == "erasure" else ()
    found = done_of(record, left, work.alike, (*elsewhere, *old_versions(store)))
    unstage(store, record.erasure)
    hiding = Hiding(salt_of(store), frozenset(work.ids))
    put(store, done_key(record.erasure), replace(found, left=tuple(map(hiding, found.left)), alike=()))
    # The only objects with ids in the clear go last: what was killed before this line is finished by giving it again.
    store.delete(work_key(record.erasure))
    return found


def done_of(record: Record, left: tuple[str, ...], alike: tuple[str, ...], beyond: tuple[str, ...]) -> Done:
    files = {
        "added": sum(change.added for change in record.changes),
        "replaced": sum(not change.added and not change.removed for change in record.changes),
        "removed": sum(change.removed for change in record.changes),
    }
    datasets = tuple({"dataset": each.prefix, "rows": each.rows} for each in record.datasets)
    rows = dict(record.rows)
    return Done(record.erasure, rows, datasets, files, left, alike, record.unknown, beyond, now())


def old_versions(store: Store) -> tuple[str, ...]:
    """What to say of a store that may keep what was replaced; empty where it does not."""
    kept = kept_versions(store)
    return (kept,) if kept else ()


def check_ids(documents: Sequence[str]) -> None:
    for each in documents:
        if not ID.fullmatch(each):
            raise ConfigError(
                f"{each!r} is no id of a document",
                cause="an id is 32 hexadecimal digits",
                remedy="take it from `doc_ids` of a row (`factory show`), or from `factory impact`",
            )


def _require_sound(store: Store, documents: Sequence[str], reason: str, by: str) -> None:
    check_ids(documents)
    require_words("reason", reason)
    require_words("name", by)
    refuse_beside_work(store)


def refuse_beside_work(store: Store) -> None:
    """Raises ConfigError naming who works in the root, and where there is no root at all."""
    require_root(store)
    for name in names_below(store, "leases/"):
        if is_held(store, name):
            found = holder_of(store, name)
            who = f"{name}: {found[0]}" if found else name
            raise ConfigError(
                f"somebody works in {store.uri}: {who}",
                cause="a run is going on, and it would write what is being taken out",
                remedy="wait for it or end it, and give the same command again; ended runs go on later, without what "
                "was erased",
            )


def _work(store: Store, documents: Sequence[str], say: Say) -> Work:
    require_known(store, documents)
    say("looking for what derives from them")
    return closure(store, documents)


def _open(store: Store, entries: tuple[str, ...]) -> Begun | None:
    """The erasure of exactly these documents that was begun and is not finished."""
    return next((begun for begun in unfinished(store) if begun.documents == entries), None)


def _free(store: Store, entries: tuple[str, ...]) -> str:
    name = fingerprint(entries)[:16]
    number = 1
    while store.head(begun_key(name if number == 1 else f"{name}-{number}")) is not None:
        number += 1
    return name if number == 1 else f"{name}-{number}"
