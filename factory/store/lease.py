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


@contextmanager
def held(store: Store, name: str, what: str, say: Callable[[str], None], length_s: float = LENGTH_S) -> Iterator[bool]:
    """Holds the lease `name` while the body runs; yields whether somebody else had it first. Waits as long as they
    live, and tells `say` of them once. `what` says for what, to whoever waits."""
    me = Holder(_machine(), os.getpid(), _born(os.getpid()), what, uuid.uuid4().hex)
    waited = _acquire(store, name, me, say, length_s)
    ended = threading.Event()
    renewal = threading.Thread(target=_renew, args=(store, name, me, ended, length_s / 4), daemon=True)
    renewal.start()
    try:
        yield waited
    finally:
        ended.set()
        renewal.join()
        _replace(store, name, me, b"{}")


def _acquire(store: Store, name: str, me: Holder, say: Callable[[str], None], length_s: float) -> bool:
    key, mine = lease_key(name), _body(me)
    seen, since, told = "", time.monotonic(), False
    while not store.put_if_absent(key, mine):
        try:
            data, tag = store.get_tagged(key)
        except AbsentObjectError:
            continue
        holder = _read(data)
        if tag != seen:
            seen, since = tag, time.monotonic()
        silent = time.monotonic() - since > length_s
        if holder is None or holder.gone or silent:
            if store.put_if_match(key, mine, tag):
                if holder is not None and told:
                    say(f"{holder} has ended; going on")
                return told
            continue
        if not told:
            say(f"waiting for {holder}, which works on this now")
            told = True
        time.sleep(min(LOOK_S, length_s / 4))
    return told


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
