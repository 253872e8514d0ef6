"""A small LoRA adapter made here, for the layers that a model in a folder has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
from safetensors.numpy import save_file

from factory.engine.adapter import SETTINGS, WEIGHTS, shapes_below

LAYERS = ("q_proj", "v_proj")


def make_adapter(folder: Path, model: Path, *, scale: float, rank: int = 8, base: str = "", **settings: Any) -> Path:
    """As PEFT's save_pretrained writes it. `scale` is of its second matrices: 0 adds nothing to any layer."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    tensors: dict[str, Any] = {}
    for name, shape in shapes_below(model).items():
        stem = name.removesuffix(".weight")
        if stem.endswith(LAYERS):
            first = generator.normal(size=(rank, shape[1])) / np.sqrt(shape[1])
            second = scale * generator.normal(size=(shape[0], rank))
            tensors[f"base_model.model.{stem}.lora_A.weight"] = first.astype(np.float32)
            tensors[f"base_model.model.{stem}.lora_B.weight"] = second.astype(np.float32)
    save_file(tensors, str(folder / WEIGHTS))
    told = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": 2 * rank, "lora_dropout": 0.0,
        "bias": "none", "target_modules": list(LAYERS), "base_model_name_or_path": base or None, **settings,
    }  # fmt: skip
    (folder / SETTINGS).write_bytes(orjson.dumps(told))
    return folder
