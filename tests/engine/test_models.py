"""Which model is meant: hashes by class, the sidecar that spares hashing, and errors that say what to do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from factory.engine import models
from factory.engine.config import ModelConfig
from factory.engine.models import ResolvedModel, path_here, resolve
from factory.errors import ConfigError, EngineError

TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACTORY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path, cache: Path) -> Path:
    return make_model(tmp_path / "model")


def make_model(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "model.safetensors").write_bytes(b"weights" * 1000)
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text("{}")
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    (folder / "README.md").write_text("words")
    return folder


def config(model_id: str | Path, revision: str | None = None) -> ModelConfig:
    return ModelConfig(id=str(model_id), revision=revision, license="Apache-2.0", output_terms="free to use")


def test_same_files_in_another_folder_are_the_same_model(folder: Path, tmp_path: Path) -> None:
    first, second = resolve(config(folder)), resolve(config(make_model(tmp_path / "moved")))
    assert first.identity() == second.identity()
    assert first.path != second.path


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("model.safetensors", {"weights_sha256"}),
        ("tokenizer.json", {"tokenizer_sha256"}),
        ("chat_template.jinja", {"chat_template_sha256"}),
        ("README.md", set()),
    ],
)
def test_a_changed_file_changes_the_hash_of_its_class_alone(folder: Path, name: str, changed: set[str]) -> None:
    before = resolve(config(folder))
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    after = resolve(config(folder))
    classes = ("weights_sha256", "tokenizer_sha256", "chat_template_sha256")
    assert {key for key in classes if getattr(before, key) != getattr(after, key)} == changed
    assert (before.revision != after.revision) == bool(changed)


def test_template_inside_tokenizer_config_counts_as_the_template(folder: Path) -> None:
    own = resolve(config(folder)).chat_template_sha256
    (folder / "chat_template.jinja").unlink()
    (folder / "tokenizer_config.json").write_bytes(orjson.dumps({"chat_template": TEMPLATE}))
    assert resolve(config(folder)).chat_template_sha256 == own


def test_second_start_reads_no_weights(folder: Path, cache: Path) -> None:
    big = folder / "model.safetensors"
    with big.open("wb") as stream:
        stream.truncate(2 << 30)  # sparse: no disk, but 2 GiB to hash
    first = resolve(config(folder))
    started = time.monotonic()
    assert resolve(config(folder)) == first
    assert time.monotonic() - started < 0.2
    assert list((cache / "hashes").iterdir())


def test_edit_with_the_old_size_and_mtime_is_noticed(folder: Path) -> None:
    before = resolve(config(folder))
    weights = folder / "model.safetensors"
    stamp = weights.stat()
    weights.write_bytes(b"WEIGHTS" * 1000)
    os.utime(weights, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert resolve(config(folder)).weights_sha256 != before.weights_sha256


def test_a_cache_that_cannot_be_written_is_no_error(folder: Path, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    assert resolve(config(folder)).revision == resolve(config(folder)).revision


def test_a_pinned_revision_must_hold(folder: Path) -> None:
    revision = resolve(config(folder)).revision
    assert resolve(config(folder, revision[:12])).revision == revision
    with pytest.raises(ConfigError, match=r"model\.revision"):
        resolve(config(folder, "0123456789ab"))


@pytest.mark.parametrize(
    ("removed", "said"),
    [("config.json", "config.json"), ("model.safetensors", "weights"), ("chat_template.jinja", "chat template")],
)
def test_an_unusable_folder_says_what_is_missing(folder: Path, removed: str, said: str) -> None:
    (folder / removed).unlink()
    with pytest.raises(ConfigError, match=said) as raised:
        resolve(config(folder))
    assert raised.value.remedy


@pytest.mark.parametrize("missing", ["/no/such/folder", "./nowhere", "a/b/c"])
def test_a_missing_folder_is_a_config_error(missing: str, cache: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        resolve(config(missing))


@pytest.mark.parametrize("bad", ["two words", "owner/na me", "é"])
def test_a_name_that_is_neither_is_a_config_error(bad: str, cache: Path) -> None:
    with pytest.raises(ConfigError, match="neither a folder nor"):
        resolve(config(bad))


def test_a_hub_model_offline_names_the_ways_out(cache: Path) -> None:
    """In a process of its own: the hub client reads HF_HUB_OFFLINE once, at import."""
    code = (
        "from factory.engine.config import ModelConfig\nfrom factory.engine.models import resolve\n"
        "resolve(ModelConfig(id='somebody/some-model', license='x', output_terms='y'))"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert "ConfigError" in done.stderr
    assert "neither a folder here nor in the local Hugging Face cache" in done.stderr
    assert "smollm2" in done.stderr


def test_a_model_in_the_hub_cache_needs_no_network(cache: Path, tmp_path: Path) -> None:
    commit, weights = "a" * 40, "b" * 64
    repo = tmp_path / "hf" / "hub" / "models--owner--tiny"
    snapshot = repo / "snapshots" / commit
    for part in (repo / "blobs", repo / "refs", snapshot):
        part.mkdir(parents=True)
    (repo / "refs" / "main").write_text(commit)
    (repo / "blobs" / weights).write_bytes(b"never read")
    (snapshot / "model.safetensors").symlink_to(repo / "blobs" / weights)
    for name, text in (("config.json", "{}"), ("tokenizer.json", "{}"), ("chat_template.jinja", TEMPLATE)):
        (snapshot / name).write_text(text)
    code = (
        "from factory.engine.config import ModelConfig\nfrom factory.engine.models import resolve\n"
        "model = resolve(ModelConfig(id='owner/tiny', license='x', output_terms='y'))\nprint(model.revision)"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.strip() == commit, done.stderr


def test_resolving_imports_neither_torch_nor_transformers(folder: Path) -> None:
    code = (
        "import sys\nfrom factory.engine.config import ModelConfig\nfrom factory.engine.models import resolve\n"
        f"resolve(ModelConfig(id={str(folder)!r}, license='x', output_terms='y'))\n"
        "assert not {'torch', 'transformers', 'vllm', 'ray'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_scripted_and_openai_need_no_files(cache: Path) -> None:
    scripted = resolve(config("no/such-model"), "scripted")
    assert scripted.revision == f"scripted-{models.SCRIPTED_VERSION}"
    assert scripted.path == ""
    assert resolve(config("gpt"), "openai").revision == "served"
    assert resolve(config("gpt", "2026-01-01"), "openai").revision == "2026-01-01"


def test_path_on_a_machine_without_the_folder_says_so(folder: Path) -> None:
    model = resolve(config(folder))
    assert path_here(model) == folder
    elsewhere = ResolvedModel(**{**vars(model), "id": "/gone", "path": "/gone"})
    with pytest.raises(EngineError, match="does not exist on"):
        path_here(elsewhere)
