"""Ray as a run on one machine wants it: without the processes that only a cluster needs, and silent.

Design: Ray starts five processes of Python of its own that a run on one machine never asks, and has settings for two
of them, in `ray start` only. So their starters are replaced while Ray starts, and Ray Data's two while the run works:
its statistics, which the dashboard shows (there is none), and its coordinator, which asks an autoscaler for nodes
(there is none). A cluster that is joined keeps all of them. The functions replaced are private to Ray, whose version
is pinned; tests/run/test_lean_ray.py starts one and looks at what runs. Cost of each: importing Ray, and most of it Ray
Data, again. Without Ray Data's two a small scripted run takes 20 s of a core instead of 28 (CHANGELOG).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import uuid4


@contextmanager
def in_sessions_of_their_own() -> Iterator[None]:
    """Processes that Ray starts in the body lead sessions of their own. Ray has no setting for it."""
    from ray._private import services

    plain = services.ConsolePopen
    services.ConsolePopen = partial(plain, start_new_session=True)
    try:
        yield
    finally:
        services.ConsolePopen = plain


@contextmanager
def started_lean() -> Iterator[None]:
    """A Ray that is started in the body has none of three processes of Python: the autoscaler's monitor, the monitor
    that carries workers' logs to the driver (log_to_driver is off), and the head of the dashboard, which is started
    and waited for even where no dashboard is included."""
    from ray._private import parameter, services

    plain, api_server = parameter.RayParams, services.start_api_server
    parameter.RayParams = partial(plain, no_monitor=True, include_log_monitor=False)
    services.start_api_server = lambda *_, **__: (None, None)
    try:
        yield
    finally:
        parameter.RayParams, services.start_api_server = plain, api_server


@contextmanager
def worked_lean() -> Iterator[None]:
    """Ray Data has neither of its two actors in the body, whose Ray must be one node that stays as it is."""
    from ray.data._internal import stats
    from ray.data._internal.execution import streaming_executor

    manager = stats._StatsManager
    replaced: dict[tuple[Any, str], Any] = {
        (manager, "register_dataset_to_stats_actor"): staticmethod(_nothing),
        (manager, "update_execution_metrics"): staticmethod(_nothing),
        (manager, "update_iteration_metrics"): staticmethod(_nothing),
        (manager, "gen_dataset_id_from_stats_actor"): staticmethod(lambda: uuid4().hex),
        (streaming_executor, "create_cluster_autoscaler"): lambda *_, **__: _OneNode(),
    }
    plain = {(owner, name): vars(owner)[name] for owner, name in replaced}
    for (owner, name), new in replaced.items():
        setattr(owner, name, new)
    try:
        yield
    finally:
        for (owner, name), old in plain.items():
            setattr(owner, name, old)


def quiet_ray_data() -> None:
    """What Ray Data would say beside our own progress is left unsaid, and it orders nothing."""
    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_options.preserve_order = False
    # They tell users to pass `memory=` to functions of ours, once every 30 s, and call a unit at its engine stuck.
    context.issue_detectors_config.detectors = []
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    # It warns, once a process, that its progress bars are off; ours are on.
    logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)


def _nothing(*_: Any, **__: Any) -> None: ...


class _OneNode:
    """What Ray Data's executor asks of a ClusterAutoscaler, where there is nothing to scale."""

    def try_trigger_scaling(self) -> None: ...

    def on_executor_shutdown(self) -> None: ...

    def get_total_resources(self) -> Any:
        import ray
        from ray.data._internal.execution.interfaces import ExecutionResources

        return ExecutionResources.from_resource_dict(ray.cluster_resources())
