"""Which model is meant: from what the config names to files with hashes that fingerprints can hold.

Design: a model is named as `smollm2` (the prepared default), as a local folder, or by its Hugging Face id (hub.py).
`resolve` finds the files and hashes them in three classes (weights, tokenizer, chat template), because a changed chat
template changes every prompt although no weight moved. Hashes are kept in a sidecar under the cache, keyed by path,
size and times of each file: the model folder may be read-only, and a finished run that starts again reads no weights.
Nothing here imports torch, transformers or vLLM.

Cost: a millisecond once hashed; the first time a folder is seen about 1 s a GB. Files in the Hugging Face
cache that were stored by content (every large one) are named by their SHA-256 and are not read at all.
"""

from __future__ import annotations

import os
import re
import socket
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import orjson

from factory.engine import smollm2
from factory.engine.adapter import Adapter, resolve_adapter, served_adapter
from factory.engine.config import AdapterConfig, ModelConfig
from factory.engine.declared import chat_template_of, code_elsewhere
from factory.engine.hub import snapshot
from factory.errors import ConfigError, EngineError
from factory.identity import fingerprint, sha256_hex

EngineKind = Literal["vllm", "openai", "scripted"]
DEFAULT_MODEL = "smollm2"
SCRIPTED_VERSION = 1
"""Raise when the scripted engine answers the same prompt differently: it is that engine's weights."""

SCRIPTED = {
    "id": "scripted",
    "license": "Apache-2.0",
    "output_terms": "written by the factory's scripted engine, not by a language model",
}

WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".py")  # .py: models that bring their own code
WEIGHT_NAMES = ("config.json", "generation_config.json", "params.json")
TOKENIZER_NAMES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
)
TOKENIZER_SUFFIXES = (".model", ".tiktoken")
TEMPLATE_NAMES = ("chat_template.jinja", "chat_template.json")

_SHA256_NAME = re.compile(r"[0-9a-f]{64}")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")


@dataclass(frozen=True)
class ResolvedModel:
    """A model that is there. `path` is its folder on the machine that resolved it, "" where none is needed.

    `revision` names the content: a commit for Hugging Face models, else a hash over the files; with an adapter, that
    as well.
    """

    id: str
    path: str
    revision: str
    weights_sha256: str
    tokenizer_sha256: str
    chat_template_sha256: str
    license: str
    output_terms: str
    config: ModelConfig = field(repr=False, compare=False)
    adapter: Adapter | None = None

    @property
    def served_name(self) -> str:
        """What a server is asked for."""
        return self.adapter.name if self.adapter is not None else self.id

    def identity(self) -> dict[str, str]:
        """What a fingerprint holds: content only, so a moved folder is still the same model."""
        return {
            **({"adapter": self.adapter.sha256} if self.adapter is not None else {}),
            "revision": self.revision,
            "weights": self.weights_sha256,
            "tokenizer": self.tokenizer_sha256,
            "chat_template": self.chat_template_sha256,
        }


def resolve(config: ModelConfig, kind: EngineKind = "vllm") -> ResolvedModel:
    """Finds the model an engine of `kind` will run.

    Raises ConfigError when it cannot be found, is not usable for chat, or is not the revision asked for.
    """
    if kind == "scripted":
        # Not the configured model: rows of a dry run must never claim that it wrote them.
        return _named(
            config.model_copy(update={**SCRIPTED, "adapter": AdapterConfig()}), f"scripted-{SCRIPTED_VERSION}"
        )
    if kind == "openai":
        model = _named(config, config.revision or "served")
        return _adapted(model, served_adapter(config.adapter, model.revision)) if config.adapter.named else model
    if config.id == DEFAULT_MODEL:
        model = _from_prepared(config)
    elif (folder := as_folder(config.id)) is not None:
        model = _from_folder(config, folder)
    else:
        model = _from_hub(config)
    if not config.adapter.named:
        return model
    names = frozenset({config.id, smollm2.NAME} if config.id == DEFAULT_MODEL else {config.id})
    return _adapted(model, resolve_adapter(config.adapter, Path(model.path), names, model.revision))


def _adapted(model: ResolvedModel, adapter: Adapter) -> ResolvedModel:
    """The model with an adapter: rows name both by its revision."""
    return replace(model, adapter=adapter, revision=f"{model.revision}+{adapter.name}@{adapter.sha256[:12]}")


def path_here(model: ResolvedModel) -> Path:
    """The model's folder on this machine: an engine may run on another one than the driver that resolved it.

    Raises EngineError when this machine cannot get the files.
    """
    if model.path and Path(model.path).is_dir():
        return Path(model.path)
    if as_folder(model.id) is None:
        try:
            # The commit, not the branch: the branch may have moved since the driver looked.
            revision = model.adapter.base_revision if model.adapter is not None else model.revision
            here = resolve(model.config.model_copy(update={"revision": revision}))
        except ConfigError as error:
            raise EngineError(error.what, cause=error.cause, remedy=error.remedy) from error
        if here.identity() == model.identity():
            return Path(here.path)
        raise EngineError(
            f"{socket.gethostname()} holds revision {here.revision} of {model.id}, the run wants {model.revision}",
            cause="machines of the cluster have different copies of the model",
            remedy="pin model.revision, or empty the older copy",
        )
    raise EngineError(
        f"the model folder {model.path} does not exist on {socket.gethostname()}",
        cause="it lies on a disk that only some machines of the cluster see",
        remedy="put it on storage all machines share, at the same path",
    )


def _named(config: ModelConfig, revision: str) -> ResolvedModel:
    """A model without files: all that can be known of it is its name."""
    name = fingerprint([config.id, revision])
    return ResolvedModel(config.id, "", revision, name, name, name, config.license, config.output_terms, config)


def as_folder(model_id: str) -> Path | None:
    """The folder that `model_id` means, or None when it reads as a Hugging Face id."""
    path = Path(model_id).expanduser()
    if path.is_dir():
        return path.resolve()
    looks_local = model_id.startswith(("/", "./", "../", "~")) or model_id.count("/") > 1
    return path if looks_local else None


def _from_prepared(config: ModelConfig) -> ResolvedModel:
    try:
        folder = smollm2.prepare()
    except EngineError as error:
        raise ConfigError(error.what, cause=error.cause, remedy=error.remedy) from error
    manifest = smollm2.read_manifest(folder)
    hashes = {file.name: file.sha256 for file in manifest.files}
    return _pinned(config, _described(config, folder, hashes, manifest.revision))


def _from_folder(config: ModelConfig, folder: Path) -> ResolvedModel:
    if not folder.is_dir():
        raise ConfigError(
            f"the model folder {folder} does not exist (model.id)",
            cause="a mistyped path, or a disk that is not mounted here",
            remedy="give a folder with config.json and weights, a Hugging Face id, or `smollm2`",
        )
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and class_of(path.name) is not None)
    return _pinned(config, _described(config, folder, file_hashes(folder, names), None))


def _pinned(config: ModelConfig, model: ResolvedModel) -> ResolvedModel:
    """The model, if it is the revision that the config asks for (or asks for none)."""
    if config.revision and not model.revision.startswith(config.revision):
        raise ConfigError(
            f"the model in {model.path} has revision {model.revision}, the config asks for {config.revision} "
            "(model.revision)",
            cause="its files were changed or replaced since the revision was written down",
            remedy="put the old files back, or set model.revision=null to take what is there",
        )
    return model


def _from_hub(config: ModelConfig) -> ResolvedModel:
    if _HUB_ID.fullmatch(config.id) is None:
        raise ConfigError(
            f"{config.id!r} is neither a folder nor a Hugging Face id (model.id)",
            remedy="a Hugging Face id reads like `HuggingFaceTB/SmolLM2-135M-Instruct`",
        )
    folder = snapshot(config.id, config.revision)
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and class_of(path.name) is not None)
    stored = {name: blob for name in names if _SHA256_NAME.fullmatch(blob := (folder / name).resolve().name)}
    others = file_hashes(folder, [name for name in names if name not in stored])
    return _described(config, folder, {**stored, **others}, folder.name)


def class_of(name: str) -> str | None:
    if name in TEMPLATE_NAMES:
        return "chat_template"
    if name in TOKENIZER_NAMES or name.endswith(TOKENIZER_SUFFIXES):
        return "tokenizer"
    if name in WEIGHT_NAMES or name.endswith((*WEIGHT_SUFFIXES, ".index.json")):
        return "weights"
    return None  # readme, licence text, notes of the preparation: cannot change a token


def _described(config: ModelConfig, folder: Path, hashes: Mapping[str, str], revision: str | None) -> ResolvedModel:
    """Checks that the folder can be used for chat and names it by its hashes."""
    weights = {name for name in hashes if name.endswith(WEIGHT_SUFFIXES) and not name.endswith(".py")}
    if "config.json" not in hashes or not weights:
        missing = "config.json" if "config.json" not in hashes else f"weights ({', '.join(WEIGHT_SUFFIXES[:-1])})"
        raise ConfigError(
            f"the model {config.id} has no {missing} in {folder}",
            cause="the folder is not a model in Hugging Face format, or its download was cut short",
            remedy="download it again, or point model.id at the folder that holds config.json",
        )
    if config.trust_remote_code and (elsewhere := code_elsewhere(folder)):
        raise ConfigError(
            f"the model {config.id} runs code of another repository: {elsewhere}",
            cause="its auto_map names files that are not among its own: nobody has hashed them, and they may change",
            remedy="copy those files into the model's folder, and take the part before -- out of its auto_map",
        )
    template = chat_template_of(folder)
    if template is None:
        raise ConfigError(
            f"the model {config.id} has no chat template",
            cause="it is a base model; prompts here are chats",
            remedy="take its instruct variant, or put a chat_template.jinja into its folder",
        )
    return ResolvedModel(
        id=config.id,
        path=str(folder),
        revision=revision or _digest(hashes, ("weights", "tokenizer", "chat_template")),
        weights_sha256=_digest(hashes, ("weights",)),
        tokenizer_sha256=_digest(hashes, ("tokenizer",)),
        chat_template_sha256=sha256_hex(template.encode()),
        license=config.license,
        output_terms=config.output_terms,
        config=config,
    )


def _digest(hashes: Mapping[str, str], classes: Iterable[str]) -> str:
    wanted = set(classes)
    listing = "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes) if class_of(name) in wanted)
    return sha256_hex(listing.encode())


@dataclass(frozen=True)
class _Stamp:
    """What tells that a file is the one that was hashed; ctime catches an edit that put the mtime back."""

    size: int
    mtime_ns: int
    ctime_ns: int


def file_hashes(folder: Path, names: list[str]) -> dict[str, str]:
    """SHA-256 of files in `folder`, from the sidecar under the cache where their stamps still hold."""
    import hashlib

    sidecar = smollm2.cache_root() / "hashes" / f"{sha256_hex(str(folder).encode())[:32]}.json"
    try:
        known: Any = orjson.loads(sidecar.read_bytes())
    except (OSError, ValueError):
        known = {}
    known = known if isinstance(known, dict) else {}
    hashes: dict[str, str] = {}
    entries: dict[str, Any] = {}
    for name in names:
        status = (folder / name).stat()
        stamp = asdict(_Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns))
        entry = known.get(name)
        if not (isinstance(entry, dict) and entry.get("stamp") == stamp and isinstance(entry.get("sha256"), str)):
            with (folder / name).open("rb") as stream:
                entry = {"stamp": stamp, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}
        entries[name] = entry
        hashes[name] = entry["sha256"]
    if entries != known:
        _keep(sidecar, entries)
    return hashes


def _keep(sidecar: Path, entries: dict[str, Any]) -> None:
    """Writes the sidecar in one rename; a cache that cannot be written only costs hashing again."""
    try:
        sidecar.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=sidecar.parent)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(orjson.dumps(entries))
        Path(temporary).replace(sidecar)
    except OSError:
        return
