"""Ray for one run: started on this machine, or joined where `cluster.address` points.

Design: nothing here is imported until a step has work to do, so that a finished run answers without Ray.
The local start reserves a custom resource `engine` for engine actors, which therefore never compete with
reading and committing for scheduling. A Ray that is started here listens on the loopback interface alone (left to
itself it listens on all of them, and whoever reaches its ports runs code as this user) and wants a token, which this
process makes up and its workers inherit: other users of the machine reach the loopback too. It runs in a session of
its own: `timeout` and schedulers send SIGTERM to the whole process group, and a driver whose Ray died with it waits
60 s for it and is then ended by Ray's core, its record left at `running`. Ray still ends with its driver, whatever
ends that (the kernel's parent-death signal). Cost: 5-6 s a local start.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from factory.config import ClusterConfig
from factory.errors import ConfigError

ENGINE_RESOURCE = "engine"

KEEP_IDLE_WORKERS_MS = 600_000
"""Ray ends workers beyond one a core after a second without work. Tasks that wait for an engine are more than
that, and starting their processes anew for each step took 40 % of a scripted run's processor time."""


@contextmanager
def ray_session(config: ClusterConfig, engines: int) -> Iterator[None]:
    """Runs the body with Ray connected; `engines` actors fit on a locally started one.

    Raises ConfigError when the address cannot be reached.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if config.address is None:
        _keep_to_this_user()
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    on_terminate = signal.getsignal(signal.SIGTERM)
    try:
        if config.address is None:
            with _session_of_its_own():
                ray.init(
                    num_cpus=config.cpus,
                    resources={ENGINE_RESOURCE: float(engines)},
                    object_store_memory=config.object_store_mib * 2**20,
                    _system_config={"idle_worker_killing_time_threshold_ms": KEEP_IDLE_WORKERS_MS},
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
        else:
            ray.init(address=config.address, log_to_driver=False, logging_level=logging.ERROR)
    except SystemExit:
        # Ray's own handler of SIGTERM, in place for the last moments of its start
        raise KeyboardInterrupt from None
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise ConfigError(
            f"Ray could not be {'started here' if config.address is None else f'reached at {config.address}'}: {error}",
            cause="the address is wrong, the cluster is down, or this machine lacks memory for Ray's object store",
            remedy="check cluster.address; on one machine leave it null and lower cluster.object_store_mib",
        ) from error
    try:
        if threading.current_thread() is threading.main_thread():
            # Ray takes SIGTERM for itself; ours ends the run in good order and writes its record.
            signal.signal(signal.SIGTERM, on_terminate)
        _quiet_ray_data()
        yield
    finally:
        ray.shutdown()


def _keep_to_this_user() -> None:
    """Settings of a Ray that is started here; those that the environment holds already stay.

    Read when Ray is imported: nothing may import it before."""
    # Where Ray forms no clusters it takes 127.0.0.1 for the machine's address, and its servers bind what they announce.
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    if "RAY_AUTH_MODE" not in os.environ:
        os.environ["RAY_AUTH_MODE"] = "token"
        # Without one in the environment Ray writes ~/.ray/auth_token.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


@contextmanager
def _session_of_its_own() -> Iterator[None]:
    """Processes that Ray starts in the body lead sessions of their own. Ray has no setting for it."""
    from ray._private import services

    plain = services.ConsolePopen
    services.ConsolePopen = partial(plain, start_new_session=True)
    try:
        yield
    finally:
        services.ConsolePopen = plain


def _quiet_ray_data() -> None:
    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_options.preserve_order = False
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    # It warns, once a process, that its progress bars are off; ours are on.
    logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)
