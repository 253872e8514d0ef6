"""From the section `observe` to the observer of one execution."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from factory import __version__
from factory.observe import catalogue as metrics
from factory.observe import logs
from factory.observe.endpoint import linger, serving
from factory.observe.events import Listener, Observer

if TYPE_CHECKING:
    from factory.config import FactoryConfig
    from factory.store.base import Store


@contextmanager
def observing(config: FactoryConfig, run: str, store: Store, say: Callable[[str], None]) -> Iterator[Observer]:
    """The observer of an execution of `run` while the body runs; how the body ends is the state it is left in.

    Raises ConfigError where something that was asked for is not there: a port, a folder, a package.
    """
    asked = config.observe
    listeners: list[Listener] = []
    engines = None
    logs.bind(run)
    if asked.metrics_discovery is not None and asked.metrics_port is None:
        say(
            "note: observe.metrics_discovery has no effect without observe.metrics_port: nothing is served that the "
            "file could tell of (0 takes any free port)"
        )
    with ExitStack() as stack:
        if asked.traces == "otlp":
            from factory.observe.traces import UnitTraces

            listeners.append(UnitTraces(run, config.publish.name, say))
        if asked.openlineage.to is not None:
            from factory.govern.lineage.events import Whole
            from factory.observe.delivery import Delivery, target_of
            from factory.observe.lineage import LineageEvents

            delivery = Delivery(target_of(asked.openlineage.to, asked.openlineage.timeout_s))
            whole = Whole(config.publish.name, run, config.seed, __version__)
            listeners.append(LineageEvents(store, whole, delivery, say))
        if asked.metrics_port is not None:
            from factory.observe.counters import RunMetrics
            from factory.observe.engines import EngineLooks
            from factory.observe.numbers import Numbers

            numbers = Numbers()
            about = (config.publish.name, config.domain.name, config.engine.kind, __version__)
            numbers.set(metrics.RUN_INFO, 1, run, *about)
            counted = RunMetrics(run, numbers, config.prices)
            engines = EngineLooks(run, numbers, counted)
            looks = engines.families

            def collect() -> Iterable[Any]:
                counted.refresh()
                return (*numbers.collect(), *looks())

            listeners.append(counted)
            stack.enter_context(serving(asked, run, collect, say))

        def leave(state: str) -> None:
            if asked.metrics_port is not None and state != "interrupted":
                linger(asked, say)
            stack.close()

        observer = Observer(tuple(listeners), asked.on_workers, engines, say, leave)
        try:
            yield observer
        except BaseException as error:
            observer.end(state_of(error))
            raise
        observer.end("finished")


def state_of(error: BaseException) -> str:
    """What a run is that ends with this."""
    from factory.run.lost_ray import RayLostError

    return "interrupted" if isinstance(error, KeyboardInterrupt) and not isinstance(error, RayLostError) else "failed"
