"""A LoRA adapter on a model: its files, their hash, and whether they fit that model; checked before anything starts.

Design: an adapter is a folder as PEFT writes it: `adapter_config.json` and `adapter_model.safetensors`. It fits a model
when for every pair of its matrices the model has a layer of that name and of that shape, which the headers of both
files say without reading a weight; and when the model is the one that the adapter says it was trained on, for two
models of one family have the same shapes and not the same weights. Pickled weights are refused (they run code), and so
is what vLLM would leave out without a word: other kinds of adapters, biases, layers trained as a whole.
Cost: headers, and one read of the adapter for its hash.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from factory.engine.config import AdapterConfig
from factory.errors import ConfigError, EngineError
from factory.identity import fingerprint, sha256_hex

SETTINGS, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
LONGEST_HEADER = 100 << 20
"""Bytes of a safetensors header at most, as its own library has it."""

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes for max_lora_rank."""

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Adapter:
    """A resolved adapter. `path` is its folder on the machine that resolved it, "" where a server has it; `sha256` of
    its two files, or of its name there."""

    name: str
    path: str
    sha256: str
    rank: int
    base_revision: str

    @property
    def rank_bound(self) -> int:
        """The least that vLLM can be told so that the adapter fits."""
        return next(each for each in RANKS if each >= self.rank)


def resolve_adapter(config: AdapterConfig, base: Path, base_names: frozenset[str], base_revision: str) -> Adapter:
    """The adapter, if it fits the model whose files lie in `base`. Raises ConfigError where it does not, or is not
    there."""
    folder = _folder(config)
    settings = _settings(folder)
    rank = _rank(settings, config, folder)
    require_base(settings, config, base_names, folder)
    require_shapes(header(folder / WEIGHTS), shapes_below(base), base)
    digest = fingerprint([sha256_hex((folder / name).read_bytes()) for name in (SETTINGS, WEIGHTS)])
    return Adapter(config.name or _name(config), str(folder), digest, rank, base_revision)


def served_adapter(config: AdapterConfig, base_revision: str) -> Adapter:
    """An adapter that a server has under a name."""
    name = config.name or _name(config)
    return Adapter(name, "", fingerprint([name, config.revision]), 0, base_revision)


def adapter_here(adapter: Adapter) -> Path:
    """Its folder on this machine. Raises EngineError where this one does not see it, or sees another."""
    folder = Path(adapter.path)
    if not folder.is_dir():
        raise EngineError(
            f"the adapter folder {folder} does not exist on {socket.gethostname()}",
            cause="it lies on a disk that only some machines of the cluster see",
            remedy="put it on storage all machines share, at the same path",
        )
    if fingerprint([sha256_hex((folder / name).read_bytes()) for name in (SETTINGS, WEIGHTS)]) != adapter.sha256:
        raise EngineError(
            f"the adapter in {folder} on {socket.gethostname()} is not the one that the run began with",
            cause="its files were replaced since, or machines of the cluster have different copies",
            remedy="put the old files back, or run the same command again: a new adapter is a new model",
        )
    return folder


def _name(config: AdapterConfig) -> str:
    return (config.path or config.repo or "").rstrip("/").rpartition("/")[2]


def _folder(config: AdapterConfig) -> Path:
    if config.path is None and config.repo is None:
        raise ConfigError(
            "model.adapter has neither path nor repo",
            cause="vLLM needs its files; a name alone is enough for a server (engine=openai)",
            remedy="set model.adapter.path to its folder, or model.adapter.repo and .revision",
        )
    folder = Path(config.path).expanduser().absolute() if config.path is not None else _downloaded(config)
    for name in (SETTINGS, WEIGHTS):
        if not (folder / name).is_file():
            pickled = (folder / "adapter_model.bin").is_file()
            raise ConfigError(
                f"the adapter {folder} has no {name}",
                cause="its weights are pickled, which can run code when they are read"
                if pickled and name == WEIGHTS
                else "a mistyped path, an interrupted download, or a folder that is no PEFT adapter",
                remedy="save it with PEFT's save_pretrained, which writes safetensors"
                if pickled
                else "name the folder that PEFT's save_pretrained wrote (model.adapter.path)",
            )
    return folder


def _downloaded(config: AdapterConfig) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    asked: dict[str, Any] = {"revision": config.revision, "allow_patterns": [SETTINGS, WEIGHTS]}
    try:
        try:
            return Path(snapshot_download(str(config.repo), local_files_only=True, **asked))
        except LocalEntryNotFoundError:
            return Path(snapshot_download(str(config.repo), **asked))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ConfigError(
            f"the adapter {config.repo} (revision {config.revision or 'newest'}) cannot be had: {type(error).__name__}",
            cause="the id is mistyped, the adapter is gated, or this machine has no way to the Hugging Face hub",
            remedy="download it where there is a network, and name its folder with model.adapter.path",
        ) from None


def _settings(folder: Path) -> dict[str, Any]:
    try:
        found = orjson.loads((folder / SETTINGS).read_bytes())
    except (OSError, ValueError) as error:
        raise _no_adapter(folder, f"{SETTINGS} cannot be read: {error}") from None
    if not isinstance(found, dict) or str(found.get("peft_type", "")).upper() != "LORA":
        raise _no_adapter(folder, f"{SETTINGS} does not say peft_type LORA")
    unserved = [
        name
        for name, is_set in (
            ("use_dora", bool(found.get("use_dora"))),
            ("modules_to_save", bool(found.get("modules_to_save"))),
            ("bias", found.get("bias") not in (None, "none")),
        )
        if is_set
    ]
    if unserved:
        raise ConfigError(
            f"the adapter {folder} has {unserved[0]}={found[unserved[0]]}, which vLLM does not serve",
            cause="it trained more than low-rank matrices, and answers without that part would be another model's",
            remedy="train it without, or merge it into the model (PEFT's merge_and_unload) and name the merged folder",
        )
    return found


def _rank(settings: Mapping[str, Any], config: AdapterConfig, folder: Path) -> int:
    pattern = settings.get("rank_pattern")
    stated = [settings.get("r"), *(pattern.values() if isinstance(pattern, dict) else ())]
    ranks = [rank for rank in stated if isinstance(rank, int) and rank > 0]
    if len(ranks) < len(stated):
        raise _no_adapter(folder, f"{SETTINGS} says r={settings.get('r')!r}")
    if max(ranks) > config.max_rank:
        raise ConfigError(
            f"the adapter {folder} has rank {max(ranks)}, above model.adapter.max_rank={config.max_rank}",
            cause="every rank is memory that vLLM sets aside in each layer, so the bound is stated",
            remedy=f"set model.adapter.max_rank={min([each for each in RANKS if each >= max(ranks)] or [RANKS[-1]])}",
        )
    return max(ranks)


def require_base(settings: Mapping[str, Any], config: AdapterConfig, base_names: frozenset[str], folder: Path) -> None:
    """Raises ConfigError where the adapter says that it was trained on another model than one of these names."""
    stated = settings.get("base_model_name_or_path")
    named = str(stated or "").rstrip("/")
    if config.base is not None and named != config.base:
        known = False
    else:
        known = config.base is not None or not named or _last(named) in {_last(name) for name in base_names}
    if not known:
        raise ConfigError(
            f"the adapter {folder} was trained on {named}, and the run's model is {', '.join(sorted(base_names))}",
            cause="a model of the same shapes and other weights would answer, and worse without anybody noticing",
            remedy=f"set model.id to that model; where it is the same under another name, model.adapter.base={named}",
        )


def _last(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2].casefold()


def require_shapes(adapter: Shapes, base: Shapes, where: Path) -> None:
    """Raises ConfigError where the model lacks a layer that the adapter is for, or has it in another shape."""
    pairs = 0
    for name, shape in adapter.items():
        stem, _, part = name.removeprefix("base_model.model.").rpartition(".lora_")
        side = part.partition(".")[0]
        if not stem or side not in ("A", "B"):
            raise ConfigError(
                f"the adapter holds {name}, which is no matrix of a LoRA",
                cause="it is of another kind, or was saved with layers of its own",
                remedy="save it with PEFT's save_pretrained",
            )
        pairs += side == "A"
        if not base:
            continue  # a model of pickled weights tells no shapes
        full = base.get(f"{stem}.weight")
        own, wanted = (shape[-1], full[-1]) if side == "A" and full else (shape[0], full[0] if full else None)
        if full is None or own != wanted:
            has = f"has it as {list(full)}" if full else "has no such layer"
            raise ConfigError(
                f"the adapter does not fit the model in {where}: {name} is {list(shape)}, and the model {has}",
                cause="it was trained on another model",
                remedy="name the model that it was trained on (model.id), or another adapter",
            )
    if not pairs:
        raise ConfigError("the adapter holds no matrices", remedy="save it with PEFT's save_pretrained after training")


def shapes_below(folder: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors of a model's safetensors files; {} where it has none."""
    found: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        found |= header(path)
    return found


def header(path: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a safetensors file. Raises ConfigError where it is none."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > min(LONGEST_HEADER, path.stat().st_size):
                raise ValueError("its header is longer than the file")
            told = orjson.loads(file.read(size))
            return {
                name: tuple(int(size) for size in tensor["shape"])
                for name, tensor in told.items()
                if name != "__metadata__"
            }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ConfigError(
            f"{path} is no safetensors file: {error}",
            cause="its download was cut short, or it is a pointer of a version control for large files",
            remedy="download it again",
        ) from None


def _no_adapter(folder: Path, why: str) -> ConfigError:
    return ConfigError(
        f"{folder} is no LoRA adapter: {why}",
        cause="another kind of adapter, or a folder of something else",
        remedy="name a folder that PEFT's save_pretrained wrote for a LoraConfig",
    )
