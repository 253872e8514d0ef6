"""Leases: who works on something now, so that two do not pay for the same; a lock on the store, without a server.

Design: a lease is one small object that its holder replaces every few seconds (compare-and-swap, so its entity tag
changes). Whoever wants it looks: a tag that does not change for the lease's length, by the observer's own clock, is
a holder that lives no more, and the observer takes the object over, again by compare-and-swap. No two clocks are ever
compared. On the machine of the holder nobody has to wait: the lease says which process it is, and the kernel knows
whether that is gone. Leases only save work. What is right is decided by commits alone: a holder that was suspended and
lost its lease goes on, and whoever commits first wins.

Cost: a put every `RENEW_S` while it is held; a put and a read to take it.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from factory.errors import StoreError
from factory.identity import canonical_json
from factory.store.base import AbsentObjectError, Store, in_a_hurry
from factory.store.objects import typed

LENGTH_S = 20.0
"""How long a holder may be silent: four renewals, so a store that fails for a moment costs nobody their lease."""

SILENT_S = 2 * LENGTH_S
"""Without a sign of life for so long, by the store's clock, a holder is dead to whoever only looks: twice what makes
another one take over."""

RENEW_S = LENGTH_S / 4
LOOK_S = 1.0

LARGEST_PID = 1 << 31
"""Linux gives numbers up to 2^22; what does not fit pid_t makes psutil raise."""

HURRY_S = 5.0
"""How long a renewal or the giving back of a lease is tried. A run whose store is gone has waited its 90 s already: it
should say so now, and not after as long again for each of its leases, which others take over anyway."""


@dataclass(frozen=True)
class Holder:
    """What a lease says of the process that holds it. `machine` differs between hosts, boots and process namespaces."""

    machine: str
    pid: int
    born: float
    what: str
    nonce: str

    @property
    def gone(self) -> bool:
        """Whether this machine knows that the process has ended; False where it cannot know."""
        return self.machine == _machine() and _born(self.pid) != self.born

    def __str__(self) -> str:
        return f"{self.what} (process {self.pid} on {self.machine.split('/')[0]})"


def lease_key(name: str) -> str:
    return f"leases/{name}.json"


def holder_of(store: Store, name: str) -> tuple[Holder, float] | None:
    """Who holds a lease, and how many seconds ago it was renewed by the store's clock; None where nobody does."""
    key = lease_key(name)
    info = store.head(key)
    if info is None:
        return None
    with suppress(AbsentObjectError):
        if (holder := _read(store.get(key))) is not None:
            return holder, max(0.0, store.clock() - info.modified)
    return None


def is_held(store: Store, name: str) -> bool:
    """Whether somebody holds the lease and gave a sign of life lately."""
    found = holder_of(store, name)
    return found is not None and not found[0].gone and found[1] <= SILENT_S


@contextmanager
def held(
    store: Store,
    name: str,
    what: str,
    say: Callable[[str], None],
    length_s: float = LENGTH_S,
    meanwhile: Callable[[], bool] | None = None,
) -> Iterator[bool]:
    """Holds the lease `name` while the body runs; yields whether somebody else had it first. Waits as long as they
    live, and tells `say` of them once. `what` says for what, to whoever waits. `meanwhile` is called between two looks
    and may take as long as it likes; where it says that it did something, the next look follows at once."""
    wanted = Wanted(store, name, what, length_s)
    told = False
    while (lease := wanted.take()) is None:
        if wanted.holder is None:
            continue
        if not told:
            say(f"waiting for {wanted.holder}, which works on this now")
            told = True
        if meanwhile is None or not meanwhile():
            time.sleep(min(LOOK_S, length_s / 4))
    if wanted.holder is not None and told:
        say(f"{wanted.holder} has ended; going on")
    try:
        yield told
    finally:
        lease.give_back()


class Wanted:
    """A lease that somebody looks at now and then, and takes when it is free. `holder` is who had it at the last look:
    who lives, where it was not taken, or who has ended, where it was taken over."""

    def __init__(self, store: Store, name: str, what: str, length_s: float = LENGTH_S) -> None:
        self.holder: Holder | None = None
        self._store, self._name, self._length_s = store, name, length_s
        self._me = Holder(_machine(), os.getpid(), _born(os.getpid()), what, uuid.uuid4().hex)
        self._tag, self._since = "", time.monotonic()
        self._absent = True

    def take(self) -> Lease | None:
        """The lease, held from now on; None where somebody has it (`holder`), or it changed hands just now."""
        store, key, mine = self._store, lease_key(self._name), _body(self._me)
        self.holder = None
        if self._absent and store.put_if_absent(key, mine):
            return Lease(store, self._name, self._me, self._length_s)
        try:
            data, tag = store.get_tagged(key)
        except AbsentObjectError:
            self._absent = True
            return None
        self._absent = False
        self.saw(tag)
        holder = _read(data)
        if holder is not None and not holder.gone and not self.silent:
            self.holder = holder
            return None
        if not store.put_if_match(key, mine, tag):
            return None
        self.holder = holder
        return Lease(store, self._name, self._me, self._length_s)

    def saw(self, tag: str) -> None:
        """Notes the entity tag that a look (here, or in a listing) has shown."""
        if tag != self._tag:
            self._tag, self._since = tag, time.monotonic()

    @property
    def silent(self) -> bool:
        """Whether the lease has not changed for its length, as far as this observer has looked."""
        return time.monotonic() - self._since > self._length_s


class Lease:
    """A lease that is held, and renewed until it is given back."""

    def __init__(self, store: Store, name: str, me: Holder, length_s: float) -> None:
        self._store, self._name, self._me = store, name, me
        self._ended = threading.Event()
        self._renewal = threading.Thread(
            target=_renew, args=(store, name, me, self._ended, length_s / 4), name="lease", daemon=True
        )
        self._renewal.start()

    def give_back(self) -> None:
        self._ended.set()
        self._renewal.join()
        _replace(self._store, self._name, self._me, GIVEN_BACK)


GIVEN_BACK = b"{}"


def _renew(store: Store, name: str, me: Holder, ended: threading.Event, every_s: float) -> None:
    while not ended.wait(every_s):
        # A store that fails now is asked again; if it fails for long, the lease is lost, and no more than that.
        with suppress(StoreError):
            _replace(store, name, me, _body(me))


def _replace(store: Store, name: str, me: Holder, body: bytes) -> None:
    """Puts `body` where the lease is still mine, if the store lets it within `HURRY_S`."""
    store = in_a_hurry(store, HURRY_S)
    with suppress(AbsentObjectError, StoreError):
        data, tag = store.get_tagged(lease_key(name))
        holder = _read(data)
        if holder is not None and holder.nonce == me.nonce:
            store.put_if_match(lease_key(name), body, tag)


def _body(holder: Holder) -> bytes:
    # The moment makes every body, and so on stores that tag by content every tag, another one.
    return canonical_json({**holder.__dict__, "written": time.time_ns()})


def _read(data: bytes) -> Holder | None:
    """None for a lease that was given back, and for what cannot be read."""
    with suppress(ValueError):
        holder = typed(Holder, orjson.loads(data))
        # Whoever asks the kernel about a process has to name one that can be.
        return holder if 0 < holder.pid < LARGEST_PID else None
    return None


def _machine() -> str:
    """Host name, boot and process namespace: two containers of one machine may share all but the last."""
    boot = namespace = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with suppress(OSError):
        namespace = str(Path("/proc/self/ns/pid").readlink())
    return f"{socket.gethostname()}/{boot}/{namespace}"


def _born(pid: int) -> float:
    """When a process of this machine began; 0 where there is none, or only its remains."""
    import psutil  # type: ignore[import-untyped]

    with suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return float(process.create_time())
    return 0.0
