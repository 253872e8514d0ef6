"""Ray for one run: started on this machine, or joined where `cluster.address` points.

Design: nothing here is imported until a step has work to do, so that a finished run answers without Ray.
The local start reserves a custom resource `engine` for engine actors, which therefore never compete with
reading and committing for scheduling. A Ray that is started here listens on the loopback interface alone (left to
itself it listens on all of them, and whoever reaches its ports runs code as this user) and wants a token, which this
process makes up and its workers inherit: other users of the machine reach the loopback too. It runs in a session of
its own: `timeout` and schedulers send SIGTERM to the whole process group, and a driver whose Ray died with it waits
60 s for it and is then ended by Ray's core, its record left at `running`. Ray still ends with its driver, whatever
ends that (the kernel's parent-death signal). The other way round it does not: a driver whose local Ray was killed would
wait for it, and is told (factory/run/lost_ray.py). Cost: 5-6 s a local start.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from factory.cluster.config import ClusterConfig
from factory.cluster.joining import join
from factory.engine.placement import ENGINE_RESOURCE
from factory.errors import ClusterError, ConfigError
from factory.run.last_words import witnessed
from factory.run.lean_ray import in_sessions_of_their_own, quiet_ray_data, started_lean, worked_lean
from factory.run.lost_ray import Watch, watched
from factory.store.scratch import sweep

KEEP_IDLE_WORKERS_MS = 600_000
"""Ray ends workers beyond one a core after a second without work. Tasks that wait for an engine are more than
that, and starting their processes anew for each step took 40 % of a scripted run's processor time."""


@contextmanager
def ray_session(config: ClusterConfig, engines: int) -> Iterator[None]:
    """Runs the body with Ray connected; `engines` actors fit on a locally started one.

    Raises ClusterError when the cluster cannot be joined (factory/cluster/joining.py), Ray does not start here in time,
    or it ends under the body; ConfigError for an address that is not for a driver, and a Ray that cannot start here.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if config.address is None:
        _keep_to_this_user()
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    on_terminate = signal.getsignal(signal.SIGTERM)
    in_main = threading.current_thread() is threading.main_thread()
    try:
        if config.address is None:
            with in_sessions_of_their_own(), started_lean():
                _start(config, engines)
        else:
            join(config.address)
    except SystemExit:
        # Ray's own handler of SIGTERM, in place for the last moments of its start
        raise KeyboardInterrupt from None
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise ConfigError(
            f"Ray could not be started here: {error}",
            cause="this machine lacks memory for Ray's object store, or a setting of Ray in the environment is wrong",
            remedy="lower cluster.object_store_mib",
        ) from error
    with ExitStack() as ending:
        watch: Watch | None = None
        if in_main:
            # Ray takes SIGTERM for itself; ours ends the run in good order and writes its record.
            signal.signal(signal.SIGTERM, on_terminate)
            watch = ending.enter_context(watched()) if config.address is None else None
        if config.address is None:
            ending.enter_context(witnessed())
            ending.enter_context(worked_lean())
        ending.callback(sweep)
        ending.callback(ray.shutdown)
        if watch is not None:
            ending.callback(watch.stand_down)
        quiet_ray_data()
        yield


START_TRIES = 3
"""Ray gives its own processes 30 s to start and has no setting for it; at a load of 10 to 40 on two cores that was too
short for three starts of six."""


def _start(config: ClusterConfig, engines: int) -> None:
    """Raises ClusterError when Ray was too slow `START_TRIES` times, and what else ray.init raises."""
    import psutil  # type: ignore[import-untyped]
    import ray

    this = psutil.Process()
    for _ in range(START_TRIES):
        before = set(this.children())
        try:
            ray.init(
                "local",  # without it Ray joins one that `ray start` left here, and refuses num_cpus
                num_cpus=config.cpus,
                resources={ENGINE_RESOURCE: float(engines)},
                object_store_memory=config.object_store_mib * 2**20,
                _system_config={"idle_worker_killing_time_threshold_ms": KEEP_IDLE_WORKERS_MS},
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
            return
        except Exception as error:
            if "timed out during startup" not in str(error):
                raise
            begun = [each for each in this.children() if each not in before]
            for process in begun:
                with suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(begun, timeout=10)
    raise ClusterError(
        f"Ray did not start on this machine, {START_TRIES} times",
        cause="the machine is too busy: Ray gives its processes 30 s to start",
        remedy="end what else runs there and give the same command again (what is committed is kept), or add "
        "cluster=indexed, which works without Ray",
    )


def _keep_to_this_user() -> None:
    """Settings of a Ray that is started here; those that the environment holds already stay.

    Read when Ray is imported: nothing may import it before."""
    # Where Ray forms no clusters it takes 127.0.0.1 for the machine's address, and its servers bind what they announce.
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    if "RAY_AUTH_MODE" not in os.environ:
        os.environ["RAY_AUTH_MODE"] = "token"
        # Without one in the environment Ray writes ~/.ray/auth_token.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
