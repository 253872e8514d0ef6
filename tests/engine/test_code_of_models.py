"""A model is files that somebody else wrote: none of them runs unless it was asked for."""

from __future__ import annotations

import contextlib
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from factory.engine.api import Message
from factory.engine.chat import ChatRenderer
from factory.engine.config import EngineConfig, ModelConfig
from factory.engine.crashlog import EngineLog
from factory.engine.models import resolve
from factory.engine.vllm import VllmEngine, render_each
from factory.engine.vllm_errors import start_error
from factory.errors import ConfigError
from factory.run.compose import compose
from tests.engine.test_models import make_model


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model whose configuration, tokenizer and weights each would write a file if they ran."""
    monkeypatch.setenv("FACTORY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    folder = make_model(tmp_path / "model")
    names = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel", "AutoTokenizer": ["own.Own", None]}
    (folder / "config.json").write_text(json.dumps({"model_type": "of-its-own", "auto_map": names}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "Own", "auto_map": names}))
    (folder / "own.py").write_text(
        f"import pathlib\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\nclass OwnConfig: pass\n"
    )
    return folder


def config(folder: Path, **more: Any) -> ModelConfig:
    return ModelConfig(id=str(folder), license="x", output_terms="y", **more)


def test_nothing_of_it_runs_where_it_was_not_asked_for(folder: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    resolve(config(folder))
    for kind in (AutoTokenizer, AutoModelForCausalLM):
        with pytest.raises((ValueError, OSError)):
            kind.from_pretrained(folder, trust_remote_code=False)
    assert not (tmp_path / "ran").exists()


def test_what_is_looked_for_would_run(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoConfig

    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    with contextlib.suppress(Exception):  # what the planted code does not have comes after it ran
        AutoConfig.from_pretrained(folder, trust_remote_code=True)
    assert (tmp_path / "ran").exists()


def test_the_engine_is_told_what_the_flag_says_and_what_to_do_without_it(folder: Path) -> None:
    for flag in (False, True):
        model = resolve(config(folder, trust_remote_code=flag))
        engine = VllmEngine(EngineConfig(kind="vllm"), model, max_model_len=128, dtype="auto", seed=0)
        assert engine._arguments(folder)["trust_remote_code"] is flag
    refused = ValueError("Please pass the argument `trust_remote_code=True` to allow custom code to be run.")
    said = start_error(resolve(config(folder)), EngineLog(), refused)
    assert "model.trust_remote_code=true" in said.remedy


def test_there_is_one_flag_and_runs_without_it_keep_their_ids(tmp_path: Path) -> None:
    base = ["preset=demo", "engine=vllm", f"store.root={tmp_path}"]
    with pytest.raises(ConfigError, match=r"model\.trust_remote_code=true, not by engine\.extra"):
        compose([*base, "+engine.extra.trust_remote_code=true"])
    assert "trust_remote_code" not in compose(base).recipe()["model"]
    assert compose([*base, "model.trust_remote_code=true"]).recipe()["model"]["trust_remote_code"] is True


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_of_another_repository_is_refused_even_with_the_flag(folder: Path, name: str) -> None:
    (folder / name).write_text(json.dumps({"auto_map": {"AutoConfig": "some-body/else--configuration.OwnConfig"}}))
    resolve(config(folder))
    with pytest.raises(ConfigError, match="some-body/else--configuration"):
        resolve(config(folder, trust_remote_code=True))


class Planted:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self.path, "w"))


def test_pickled_weights_run_nothing(tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path / "pickled"
    small = LlamaConfig(
        vocab_size=8,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
    )
    small.save_pretrained(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Planted(str(tmp_path / "ran"))))
    with pytest.raises(Exception, match=r"(?i)weights|pickle|unsupported|torch|load"):
        LlamaForCausalLM.from_pretrained(folder)
    assert not (tmp_path / "ran").exists()


ESCAPES = (
    "{{ messages.__class__.__mro__[1].__subclasses__() }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ ''.format.__self__.__class__.__base__ }}{{ self.__init__.__globals__ }}",
    "{% for number in range(10**9) %}{{ number }}{% endfor %}",
    "{{ messages.append('more') }}",
)


@pytest.mark.parametrize("template", ESCAPES)
def test_a_chat_template_stays_in_its_sandbox_and_its_chat_fails_alone(template: str) -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))
    tokenizer.chat_template = template
    (said,) = render_each(ChatRenderer(tokenizer), [(Message("user", "Hello"),)])
    assert isinstance(said, str)
    assert "Error" in said
    assert "uid=" not in said
