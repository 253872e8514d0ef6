"""What `factory decon` looks up by embedding: vectors of the benchmark items, kept between calls.

Design: there is no store here, so vectors lie in the cache of this machine under the hash of texts and model; embedding
the items takes longer than everything else the command does. A cache that cannot be written costs that time again.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from factory.curate.benchmarks import Item
    from factory.curate.decon.config import EmbeddingConfig
    from factory.curate.decon.nearest import Nearest


def nearest_of(items: Sequence[Item], config: EmbeddingConfig) -> Nearest | None:
    """None where the rule is off. Raises ConfigError when the model is not on this machine."""
    from factory.curate.decon.nearest import (
        Nearest,
        embedding_of,
        item_vectors,
        vectors_from_bytes,
        vectors_identity,
        vectors_to_bytes,
    )
    from factory.engine.smollm2 import cache_root
    from factory.identity import fingerprint

    model = embedding_of(config)
    if model is None:
        return None
    texts = [[item.benchmark, item.item, item.field, item.text, *item.options] for item in items]
    path = cache_root() / "vectors" / f"{fingerprint([texts, vectors_identity(model)])}.npz"
    vectors = None
    if path.exists():
        with contextlib.suppress(ValueError):  # a copy that was cut short is made anew
            vectors = vectors_from_bytes(path.read_bytes())
    if vectors is None:
        print(
            f"embedding {len(items):,} benchmark texts with {config.model}, once: MiniLM takes some 60 a second on one "
            "core, SmolLM2-135M a few",
            file=sys.stderr,
            flush=True,
        )
        vectors = item_vectors(items, model)
        _keep(path, vectors_to_bytes(vectors))
    return Nearest(vectors, config, model)


def _keep(path: Path, data: bytes) -> None:
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as stream:
            stream.write(data)
        Path(stream.name).replace(path)
