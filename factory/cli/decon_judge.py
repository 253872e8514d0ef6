"""The judge of `factory decon --judge`: a model of this machine or an endpoint, in this process, without a cluster.

Design: named by the keys of a run (`engine=openai`, `engine.base_url=…`, `model.id=…`, `domain=…`), so that whatever
can write a dataset can judge one. One event loop lives as long as the engine does: engines bind connections to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from factory.curate.benchmarks import Item
    from factory.curate.decon.judge import Judge
    from factory.curate.decon.nearest import Nearest


@contextmanager
def open_judge(overrides: Sequence[str], near: Nearest, items: Sequence[Item]) -> Iterator[Judge]:
    """A judge over what `near` retrieves of `items`. Raises ConfigError for keys, model or pack, EngineError when the
    engine does not start."""
    from factory.cli.decon_settings import UNUSED
    from factory.curate.decon.judge import Judge
    from factory.curate.decon.nearest import distinct_texts
    from factory.domains.pack import load_pack
    from factory.engine.build import build_engine
    from factory.engine.models import resolve
    from factory.errors import ConfigError
    from factory.run.compose import compose

    named = {text.partition("=")[0] for text in overrides}
    if not named & {"engine", "engine.kind"}:
        raise ConfigError(
            "--judge does not say which engine answers",
            cause="none of its keys is `engine`",
            remedy="for example --judge engine=openai --judge engine.base_url=http://127.0.0.1:8000/v1",
        )
    unused = [f"{key}={value}" for key, value in UNUSED.items() if key != "engine" and key not in named]
    config = compose([*unused, *overrides])
    prompt = load_pack(config.domain).prompt("same_problem")
    model = resolve(config.model, config.engine.kind)
    engine = build_engine(config.engine, model, config.model.max_model_len, config.model.dtype, config.seed)
    texts = distinct_texts(items)
    with asyncio.Runner() as runner:
        info = runner.run(engine.start())
        try:
            ask = lambda batch: runner.run(engine.generate(batch))  # noqa: E731
            yield Judge(near, texts, ask, prompt, info.model, info.revision)
        finally:
            runner.run(engine.stop())
