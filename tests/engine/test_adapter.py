"""LoRA adapters: found, hashed, and held against the model they are for, before an engine starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from safetensors.numpy import save_file

from factory.engine.adapter import SETTINGS, WEIGHTS, adapter_here
from factory.engine.config import AdapterConfig, EngineConfig, ModelConfig
from factory.engine.models import ResolvedModel, resolve
from factory.engine.openai import OpenAiEngine
from factory.engine.vllm_arguments import lora_arguments
from factory.errors import ConfigError, EngineError
from tests.engine.lora import make_adapter
from tests.engine.test_models import make_model


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACTORY_CACHE", str(tmp_path / "cache"))
    folder = make_model(tmp_path / "tutor-1b")
    shapes = {
        "model.layers.0.self_attn.q_proj.weight": (12, 16),
        "model.layers.0.self_attn.v_proj.weight": (4, 16),
        "model.norm.weight": (16,),
    }
    save_file({name: np.zeros(shape, np.float32) for name, shape in shapes.items()}, str(folder / "model.safetensors"))
    return folder


@pytest.fixture
def adapter(model: Path, tmp_path: Path) -> Path:
    return make_adapter(tmp_path / "sums", model, scale=1.0, base="someone/Tutor-1B")


def resolved(model: Path, adapter: Path, **keys: Any) -> ResolvedModel:
    own = AdapterConfig(path=str(adapter), **keys)
    return resolve(ModelConfig(id=str(model), license="MIT", output_terms="free", adapter=own))


def changed(adapter: Path, **settings: Any) -> None:
    told = orjson.loads((adapter / SETTINGS).read_bytes())
    (adapter / SETTINGS).write_bytes(orjson.dumps(told | settings))


def test_an_adapter_makes_another_model_and_none_leaves_the_model_as_it_was(model: Path, adapter: Path) -> None:
    alone = resolve(ModelConfig(id=str(model), license="MIT", output_terms="free"))
    with_it = resolved(model, adapter)
    assert alone.identity().keys() == {"revision", "weights", "tokenizer", "chat_template"}
    assert with_it.identity() != alone.identity()
    assert with_it.adapter is not None
    assert with_it.revision == f"{alone.revision}+sums@{with_it.adapter.sha256[:12]}", "as rows name who wrote them"
    assert resolved(model, adapter, name="tutor").served_name == "tutor"
    assert "adapter" not in alone.config.model_dump()


@pytest.mark.parametrize("file", [SETTINGS, WEIGHTS])
def test_a_changed_file_of_an_adapter_is_another_model_and_a_moved_folder_is_not(
    model: Path, adapter: Path, tmp_path: Path, file: str
) -> None:
    before = resolved(model, adapter)
    moved = adapter.rename(tmp_path / "moved")
    assert resolved(model, moved, name="sums").identity() == before.identity()
    if file == SETTINGS:
        changed(moved, lora_alpha=3)
    else:
        make_adapter(moved, model, scale=2.0, base="someone/Tutor-1B")
    assert resolved(model, moved, name="sums").identity() != before.identity()


def test_the_least_rank_that_fits_is_set_aside_and_nothing_without_an_adapter(model: Path, adapter: Path) -> None:
    make_adapter(adapter, model, scale=1.0, rank=12)
    found = lora_arguments(resolved(model, adapter).adapter)
    assert found == {"enable_lora": True, "max_loras": 1, "max_lora_rank": 16}
    assert lora_arguments(None) == {}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"r": 128}, r"rank 128, above model.adapter.max_rank=64(.|\n)*max_rank=128"),
        ({"rank_pattern": {"q_proj": 65}}, "rank 65"),
        ({"base_model_name_or_path": "someone/other-1b"}, r"trained on someone/other-1b(.|\n)*model.adapter.base"),
        ({"peft_type": "IA3"}, "does not say peft_type LORA"),
        ({"use_dora": True}, "use_dora=True, which vLLM does not serve"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"bias": "all"}, "bias=all"),
        ({"r": "eight"}, "r='eight'"),
    ],
)
def test_an_adapter_that_cannot_be_served_on_this_model_is_refused(
    model: Path, adapter: Path, settings: dict[str, Any], said: str
) -> None:
    changed(adapter, **settings)
    with pytest.raises(ConfigError, match=said):
        resolved(model, adapter)


def test_an_adapter_of_other_shapes_or_layers_is_refused(model: Path, adapter: Path) -> None:
    wide = {"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": np.zeros((8, 32), np.float32)}
    save_file(wide, str(adapter / WEIGHTS))
    with pytest.raises(ConfigError, match=r"is \[8, 32\], and the model has it as \[12, 16\]"):
        resolved(model, adapter)
    deep = {"base_model.model.model.layers.7.self_attn.q_proj.lora_A.weight": np.zeros((8, 16), np.float32)}
    save_file(deep, str(adapter / WEIGHTS))
    with pytest.raises(ConfigError, match="has no such layer"):
        resolved(model, adapter)
    save_file({"lm_head.weight": np.zeros((3, 16), np.float32)}, str(adapter / WEIGHTS))
    with pytest.raises(ConfigError, match="no matrix of a LoRA"):
        resolved(model, adapter)


def test_the_same_model_under_another_name_is_said_to_be(model: Path, adapter: Path) -> None:
    changed(adapter, base_model_name_or_path="/scratch/run-7/checkpoint")
    with pytest.raises(ConfigError, match="trained on /scratch/run-7/checkpoint"):
        resolved(model, adapter)
    assert resolved(model, adapter, base="/scratch/run-7/checkpoint").adapter
    with pytest.raises(ConfigError, match="trained on"):
        resolved(model, adapter, base="/scratch/run-8/checkpoint")


def test_a_missing_or_damaged_file_is_named(model: Path, adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"has no {SETTINGS}"):
        resolved(model, tmp_path / "nowhere")
    (adapter / WEIGHTS).write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(ConfigError, match="no safetensors file"):
        resolved(model, adapter)
    (adapter / WEIGHTS).rename(adapter / "adapter_model.bin")
    with pytest.raises(ConfigError, match="pickled"):
        resolved(model, adapter)
    with pytest.raises(ValueError, match="lies in one place"):
        AdapterConfig(path="a", repo="b/c")
    with pytest.raises(ValueError, match="names nothing"):
        AdapterConfig(max_rank=16)


def test_a_machine_that_has_another_adapter_refuses_to_start(model: Path, adapter: Path) -> None:
    found = resolved(model, adapter).adapter
    assert found is not None
    assert adapter_here(found) == adapter
    changed(adapter, lora_alpha=1)
    with pytest.raises(EngineError, match="is not the one that the run began with"):
        adapter_here(found)


def test_a_server_is_asked_for_the_adapter_by_its_name() -> None:
    own = ModelConfig(id="base", license="MIT", output_terms="free", adapter=AdapterConfig(name="tutor-lora"))
    model = resolve(own, "openai")
    assert (model.id, model.served_name) == ("base", "tutor-lora")
    assert model.identity() != resolve(own.model_copy(update={"adapter": AdapterConfig()}), "openai").identity()
    engine = OpenAiEngine(EngineConfig(kind="openai", base_url="http://127.0.0.1:1/v1"), model)
    from factory.engine.api import Message, Request, Sampling

    body = engine._body(Request("r", (Message("user", "hi"),)), Sampling(0, 1, 8), None, 1)
    assert orjson.loads(body)["model"] == "tutor-lora"


def test_a_dry_run_claims_no_adapter(adapter: Path, model: Path) -> None:
    own = ModelConfig(id=str(model), license="MIT", output_terms="free", adapter=AdapterConfig(path=str(adapter)))
    assert (
        resolve(own, "scripted").identity()
        == resolve(own.model_copy(update={"adapter": AdapterConfig()}), "scripted").identity()
    )


def test_without_files_only_a_server_can_have_it(model: Path) -> None:
    own = ModelConfig(id=str(model), license="MIT", output_terms="free", adapter=AdapterConfig(name="x"))
    with pytest.raises(ConfigError, match="neither path nor repo"):
        resolve(own)
