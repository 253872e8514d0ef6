"""A LoRA adapter of somebody else: its settings and the header of its weights. It fits, or is refused in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from factory.engine.adapter import SETTINGS, WEIGHTS, header, resolve_adapter
from factory.engine.config import AdapterConfig
from factory.errors import FactoryError
from tests.fuzz.breaking import broken_bytes, json_bytes
from tests.fuzz.harness import fuzzed, refused

STEM = "model.layers.0.self_attn.q_proj"
MODEL = save({f"{STEM}.weight": np.zeros((12, 16), np.float32)})
MATRICES = save(
    {
        f"base_model.model.{STEM}.lora_A.weight": np.zeros((8, 16), np.float32),
        f"base_model.model.{STEM}.lora_B.weight": np.zeros((12, 8), np.float32),
    }
)
TOLD = {"peft_type": "LORA", "r": 8, "bias": "none", "rank_pattern": {"q_proj": 4}, "base_model_name_or_path": "base"}


@pytest.fixture(scope="module")
def folder(place: Path) -> Path:
    (place / "model.safetensors").write_bytes(MODEL)
    (place / "adapter").mkdir()
    return place


@fuzzed("factory.engine.adapter.header", data=broken_bytes([MATRICES, MODEL]))
def test_the_header_of_a_file_is_read_or_refused(folder: Path, data: bytes) -> None:
    path = folder / "some.bin"
    path.write_bytes(data)
    with refused(FactoryError):
        assert all(isinstance(size, int) for shape in header(path).values() for size in shape)


@fuzzed(
    "factory.engine.adapter.resolve_adapter",
    settings=json_bytes(TOLD),
    weights=broken_bytes([MATRICES, MATRICES, MATRICES]),
)
def test_an_adapter_is_taken_or_refused(folder: Path, settings: bytes, weights: bytes) -> None:
    (folder / "adapter" / SETTINGS).write_bytes(settings)
    (folder / "adapter" / WEIGHTS).write_bytes(weights)
    with refused(FactoryError):
        found = resolve_adapter(AdapterConfig(path=str(folder / "adapter")), folder, frozenset({"base"}), "r1")
        assert 1 <= found.rank <= found.rank_bound <= 512
