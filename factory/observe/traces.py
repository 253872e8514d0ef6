"""A trace a unit, to whatever speaks OpenTelemetry's protocol; made in the driver, from receipts.

Design: the trace's id derives from run, step folder and unit, so that a unit that is worked again, in this execution
or a later one, is found in one trace with all its attempts. Below the span of an attempt lie its phases; it links to
the span of its step, which has a trace of its own with the planning. Spans are made after the fact, with the times that
the worker noted, and handed to the SDK's batch processor: its queue drops what a slow collector does not take, and its
thread alone talks to the network. Where and how is said by the standard variables: OTEL_EXPORTER_OTLP_ENDPOINT,
OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME, ….
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from factory.errors import ConfigError
from factory.observe.events import Began, Listener

if TYPE_CHECKING:
    from factory.run.attempt import Receipt

FLUSH_S = 5.0
"""At the end, for what is queued. A collector that does not answer costs no more."""

NANO = 1_000_000_000
UNNAMED = "unknown_service"
"""Begin of the name that the SDK gives where OTEL_SERVICE_NAME is not set."""


def trace_id_of(run: str, folder: str, unit: str) -> int:
    """128 bits; never 0, which stands for no trace."""
    return _bits(16, run, folder, unit)


def span_id_of(*names: str) -> int:
    return _bits(8, *names)


def _bits(size: int, *names: str) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(names).encode()).digest()[:size], "big") or 1


class UnitTraces(Listener):
    """Exports the units of one execution. Raises ConfigError where OpenTelemetry's exporter is not installed."""

    def __init__(self, run: str, dataset: str, say: Callable[[str], None]) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise ConfigError(
                f"observe.traces=otlp needs OpenTelemetry's exporter: {error}",
                cause="it is an extra, and comes with vLLM only",
                remedy="pip install 'corpus-factory[otel]', or set observe.traces=off",
            ) from error
        self._run, self._execution = run, uuid.uuid4().hex
        self._ids = _Ids()
        _say_once(say)
        resource = Resource.create({"factory.run": run, "factory.dataset": dataset})
        if str(resource.attributes.get("service.name", UNNAMED)).startswith(UNNAMED):
            resource = resource.merge(Resource({"service.name": "factory"}))
        self._provider = TracerProvider(resource=resource, id_generator=self._ids.generator(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("factory")
        self._step: Any = None

    def step_began(self, began: Began) -> None:
        self._end_step(error=False)
        start = int(began.planned_at * NANO)
        about = {"factory.step": began.step, "factory.folder": began.folder, "factory.units": began.units}
        about |= {"factory.units_reused": began.reused}
        trace = trace_id_of(self._run, began.folder, "")
        name = (self._execution, began.folder, str(start))
        self._step = self._span(f"step {began.step}", trace, span_id_of(*name), start, about)
        plan = self._span("plan", trace, span_id_of(*name, "plan"), start, about, parent=self._step)
        plan.end(start + int(began.planned_s * NANO))

    def unit(self, began: Began, receipt: Receipt) -> None:
        from opentelemetry.trace import Link, Status, StatusCode

        timeline = receipt.timeline
        if timeline is None:  # found committed; whoever committed it has told of it
            return
        trace = trace_id_of(self._run, began.folder, receipt.unit)
        about: dict[str, Any] = {
            "factory.step": began.step,
            "factory.unit": receipt.unit,
            "factory.attempt": receipt.attempt,
            "host.name": timeline.host,
            "process.pid": timeline.pid,
        }
        about |= _counted(receipt)
        if began.model is not None:
            about["factory.model"] = began.model
        links = [Link(self._step.get_span_context())] if self._step is not None else []
        start = int(timeline.began * NANO)
        span = self._span("unit", trace, span_id_of(receipt.attempt), start, about, links=links)
        for number, phase in enumerate(timeline.phases):
            began_at = int(phase.began * NANO)
            identity = span_id_of(receipt.attempt, phase.name, str(number))
            part = self._span(phase.name, trace, identity, began_at, {"factory.step": began.step}, parent=span)
            part.end(began_at + int(phase.seconds * NANO))
        if receipt.commit is None:
            span.set_status(Status(StatusCode.ERROR, "the attempt outlived its deadline"))
        span.end(start + int(timeline.seconds * NANO))

    def step_ended(self, done: Mapping[str, Any]) -> None:
        self._end_step(error=False)

    def ended(self, state: str) -> None:
        self._end_step(error=state != "finished")

    def closed(self) -> None:
        # The processor's own shutdown waits 30 s for a collector that does not answer.
        thread = threading.Thread(target=self._provider.shutdown, name="traces-flush", daemon=True)
        thread.start()
        thread.join(FLUSH_S)

    def _span(
        self,
        name: str,
        trace: int,
        identity: int,
        start: int,
        about: Mapping[str, Any],
        parent: Any = None,
        links: Any = (),
    ) -> Any:
        from opentelemetry import context
        from opentelemetry.trace import set_span_in_context

        self._ids.next = (trace, identity)
        within = context.Context() if parent is None else set_span_in_context(parent, context.Context())
        return self._tracer.start_span(
            name, within, attributes={"factory.run": self._run, **about}, links=links, start_time=start
        )

    def _end_step(self, error: bool) -> None:
        from opentelemetry.trace import Status, StatusCode

        if self._step is not None:
            if error:
                self._step.set_status(Status(StatusCode.ERROR, "the run ended in this step"))
            self._step.end(time.time_ns())
        self._step = None


class _Ids:
    """The ids of the next span, as the SDK asks for them."""

    def __init__(self) -> None:
        self.next = (1, 1)

    def generator(self) -> Any:
        from opentelemetry.sdk.trace.id_generator import IdGenerator

        ids = self

        class Given(IdGenerator):
            def generate_trace_id(self) -> int:
                return ids.next[0]

            def generate_span_id(self) -> int:
                return ids.next[1]

        return Given()


def _counted(receipt: Receipt) -> dict[str, int | float]:
    """What a span says of the unit's rows and tokens."""
    counts = {} if receipt.commit is None else receipt.commit.counts.to_json()
    rows: dict[str, int | float] = {f"factory.rows.{name}": value for name, value in counts.items()}
    tokens = {name: receipt.spent[name] for name in TOKENS if name in receipt.spent}
    return rows | {f"factory.{name}": value for name, value in tokens.items()}


TOKENS = ("requests", "prompt_tokens", "cached_tokens", "generated_tokens")


def _say_once(say: Callable[[str], None]) -> None:
    """The SDK's complaints about a collector, a few every second while it is gone, as one note."""

    class Once(logging.Handler):
        told = False

        def emit(self, record: logging.LogRecord) -> None:
            if not self.told:
                self.told = True
                say(f"note: traces are not getting through: {record.getMessage()[:300]}; the run goes on")

    logger = logging.getLogger("opentelemetry")
    logger.handlers = [Once(logging.WARNING)]
    logger.propagate = False
