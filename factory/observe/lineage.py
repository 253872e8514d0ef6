"""OpenLineage events of a run while it works: what the bundle's document says, step by step (docs/lineage.md).

Design: told by the driver of a step's begin and end, builds the very events of factory/govern/lineage and hands them
to a delivery that nobody waits for. What was begun and not ended is kept beside the run, so that a run that was killed
ends its STARTs when it is given again: with COMPLETE what was done, with ABORT what is worked anew. A step that is
taken up again after it was complete (a run that draws more) tells what it knows now as OTHER.
Cost: two small objects a step are written to the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from factory.errors import StoreError
from factory.govern.facts import Gate, Step, facts_of, gate_of, step_of
from factory.govern.lineage.events import (
    Event,
    Whole,
    line,
    published,
    run_completed,
    run_ended,
    run_started,
    step_completed,
    step_ended,
    step_started,
)
from factory.govern.lineage.names import run_id
from factory.identity import canonical_json
from factory.observe.delivery import Delivery
from factory.observe.events import Began, Listener
from factory.publish.finalise import standing
from factory.publish.manifest import Manifest, step_record
from factory.run.publication import gate_results
from factory.run.record import now, read_record
from factory.store.base import Store, in_a_hurry
from factory.store.lease import HURRY_S
from factory.store.objects import read_mapping

FLUSH_S = 5.0
"""At the end, for what still waits. A server that does not answer costs no more."""

KILLED = "the execution that worked it was ended before it could say how"


def open_key(run: str) -> str:
    return f"runs/{run}/openlineage.json"


def read_open(store: Store, run: str) -> dict[str, dict[str, str]]:
    """What earlier executions began and did not end, by run id; nothing where the object says nothing that can be
    used."""
    try:
        found = read_mapping(store, open_key(run), ("open",))["open"]
    except (KeyError, StoreError):
        return {}
    return {
        own: noted
        for own, noted in (found.items() if isinstance(found, dict) else ())
        if isinstance(noted, dict) and all(isinstance(noted.get(key), str) for key in ("step", "folder", "began"))
    }


class LineageEvents(Listener):
    """The events of one execution. `_open` holds, by run id, what was begun and is not ended: the run around all under
    an empty name, steps with folder and begin."""

    def __init__(self, store: Store, whole: Whole, delivery: Delivery, say: Callable[[str], None]) -> None:
        self._store, self._delivery, self._say = in_a_hurry(store, HURRY_S), delivery, say
        self._whole, self._run = whole, whole.run
        self._folders: dict[str, str] = {}
        self._open: dict[str, dict[str, str]] = {}
        self._begun = False
        self._at_work: Began | None = None
        self._dataset: str | None = None

    def step_began(self, began: Began) -> None:
        self._begin()
        self._at_work = began
        since = began.since
        own = run_id(self._run, began.folder, since.began)
        for other, noted in list(self._open.items()):
            if noted["step"] == began.step and other != own:
                self._give_up(other, noted, "ABORT", KILLED)
        if not since.again and own not in self._open:
            self._note(own, {"step": began.step, "folder": began.folder, "began": since.began})
            self._send(step_started(self._whole, began.step, began.folder, since.began, since.reads, self._folders))

    def step_ended(self, done: Mapping[str, Any]) -> None:
        self._begin()
        step, at_work = self._step(done), self._at_work
        self._at_work = None
        own = run_id(self._run, step.folder, step.began)
        if own in self._open or at_work is not None:
            kind = "COMPLETE" if own in self._open else "OTHER"
            model = self._model(step, at_work)
            self._send(step_completed(self._whole, step, self._folders, model, self._gates(step), kind))
            self._forget(own)
        self._folders[step.name] = step.folder

    def ended(self, state: str) -> None:
        if not self._begun:
            return
        record: Mapping[str, Any] = {}
        with suppress(StoreError):
            record = read_record(self._store, self._run) or {}
        why = str(record.get("error") or f"the run is {state}")
        kind = "FAIL" if state == "failed" else "ABORT"
        whole = run_id(self._run)
        for own, noted in list(self._open.items()):
            if own != whole:
                now_worked = self._at_work is not None and noted["step"] == self._at_work.step
                self._give_up(own, noted, kind if now_worked else "ABORT", why if now_worked else KILLED)
        if state != "finished":
            self._send(run_ended(self._whole, kind, now(), why))
            self._forget(whole)
        elif (manifest := self._manifest(record.get("dataset"))) is not None:
            self._dataset = f"{self._store.uri.rstrip('/')}/{record['dataset']}"
            facts = facts_of(manifest)
            for event in (*published(self._whole, facts), run_completed(self._whole, facts, now())):
                self._send(event)
            self._forget(whole)
        else:
            self._say(
                f"note: {self._delivery.where} was not told that the run is finished, because its manifest could not "
                f"be read; it can be told later: factory lineage DATASET --to {self._delivery.where}"
            )

    def closed(self) -> None:
        outcome = self._delivery.close(FLUSH_S)
        if outcome.sent < outcome.put:
            dataset = self._dataset or "DATASET, once the run is finished"
            self._say(
                f"note: {outcome.put - outcome.sent} of {outcome.put} lineage events did not get to "
                f"{self._delivery.where}: {outcome.why}; they can be sent later: factory lineage {dataset} "
                f"--to {self._delivery.where}"
            )

    def _manifest(self, dataset: str | None) -> Manifest | None:
        with suppress(StoreError):
            return standing(self._store, dataset) if dataset else None
        return None

    def _begin(self) -> None:
        """The run around all begins, where no earlier execution has left it begun."""
        if self._begun:
            return
        self._begun = True
        self._open = read_open(self._store, self._run)
        own = run_id(self._run)
        if own not in self._open:
            self._note(own, {"step": "", "folder": "", "began": ""})
            self._send(run_started(self._whole, now()))

    def _step(self, done: Mapping[str, Any]) -> Step:
        """The step as the manifest will have it."""
        identity = read_mapping(self._store, f"steps/{done['folder']}/step.json", ("version",))
        kept = step_record(done, identity, done.get("reads", ()))
        name, reused = done["step"], {"units": done.get("units_reused", 0)}
        return step_of(kept, {"steps": {name: (done.get("began"), done.get("ended"))}, "reused": {name: reused}})

    def _model(self, step: Step, at_work: Began | None) -> tuple[str, str] | None:
        if at_work is None or at_work.model is None or step.model is None:
            return None
        return at_work.model, str(step.model.get("revision", ""))

    def _gates(self, step: Step) -> tuple[Gate, ...]:
        if step.name != "gate":
            return ()
        return tuple(gate_of(result.to_json()) for result in gate_results(self._store, self._run))

    def _give_up(self, own: str, noted: Mapping[str, str], kind: str, why: str) -> None:
        self._send(step_ended(self._whole, kind, noted["step"], noted["folder"], noted["began"], now(), why))
        self._forget(own)

    def _note(self, own: str, what: dict[str, str]) -> None:
        """Before the START is sent: an end without one is harmless, a START without an end is not."""
        self._open[own] = what
        self._keep()

    def _forget(self, own: str) -> None:
        self._open.pop(own, None)
        self._keep()

    def _keep(self) -> None:
        with suppress(StoreError):
            self._store.put(open_key(self._run), canonical_json({"open": self._open}))

    def _send(self, event: Event) -> None:
        self._delivery.put(line(event))
