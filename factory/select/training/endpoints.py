"""Endpoints are asked before work starts: one that does not answer costs no document and no pass over the corpus.

Design: every endpoint that the job still has something to ask of gets the one-line request that its engine begins
with anyway (engine/openai.py), so address, key and model are proved by the code that will use them. With a cluster
elsewhere the request is made in one of its workers, because engines run there and find addresses and keys there.
Cost: one request of 16 tokens an endpoint; one that is down is given up after three tries.
"""

from __future__ import annotations

import asyncio
import os
from functools import partial

from factory.engine.config import EngineConfig
from factory.errors import ConfigError, EngineError
from factory.run.engines import Served
from factory.run.record import read_done
from factory.run.stage import Session, ensure_ray
from factory.select.training.config import TrainingConfig

WRITER = "writer"
"""Role of the model that writes documents; raters have the role `rater_role(name)`."""


def rater_role(name: str) -> str:
    return f"rater {name}"


def check_endpoints(session: Session, training: TrainingConfig) -> None:
    """Raises ConfigError for a key that is not there, EngineError for an endpoint that does not answer; both name
    who was to be asked."""
    waiting: dict[str, tuple[str, Served]] = {}
    for role, served in session.served.items():
        asked = stages_asking(training, role) if served.engine.kind == "openai" else []
        if any(read_done(session.store, session.run, name) is None for name in asked):
            waiting.setdefault(served.key, (role, served))
    for role, served in waiting.values():
        call = partial(answers, role, served)
        if session.cluster.address is None:
            call()
        else:
            from factory.run.execute import on_worker

            ensure_ray(session)
            on_worker(call)


def stages_asking(training: TrainingConfig, role: str) -> list[str]:
    """The stages in which a role's model is asked anything, by name (refine.py)."""
    if role == WRITER:
        return ["write_documents"]
    names = [rater.name for rater in training.model_raters]
    name = next(name for name in names if rater_role(name) == role)
    rated = [f"rate_{number}_{name}" for number in range(1, training.rounds + 1)] if name == names[0] else []
    compared = training.compare and (training.file_raters or name != names[0])
    return [*rated, f"compare_{name}"] if compared else rated


def answers(role: str, served: Served) -> None:
    """Asks one endpoint, here and now. Raises as `check_endpoints` does."""
    from factory.engine.openai import OpenAiEngine

    variable = served.engine.api_key_env
    if variable != DEFAULT_KEY and not os.environ.get(variable):
        raise ConfigError(
            f"the key of the {role} at {served.engine.base_url} is not there: {variable} is not set",
            cause="api_key_env names an environment variable that is empty or unknown where engines run",
            remedy=f"set {variable}, or correct api_key_env; a server without keys needs no api_key_env",
        )

    async def greet() -> None:
        engine = OpenAiEngine(served.engine, served.model)
        await engine.start()
        await engine.stop()

    try:
        asyncio.run(greet())
    except EngineError as error:
        raise EngineError(f"the {role}: {error.what}", cause=error.cause, remedy=error.remedy) from None


DEFAULT_KEY = EngineConfig.model_fields["api_key_env"].default
"""Servers of one's own ask for no key, and nobody sets a variable for them."""
