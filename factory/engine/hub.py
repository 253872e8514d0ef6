"""A model of the Hugging Face hub: its folder in the local cache, downloaded where it is not whole there.

Design: the cache is asked first, so a machine without a network runs what it has. A snapshot in it can be partial, of a
download that was cut short: it counts only with weights and tokenizer. Nothing here imports torch or transformers.
"""

from __future__ import annotations

from pathlib import Path

import orjson

from factory.errors import ConfigError


def snapshot(model_id: str, revision: str | None) -> Path:
    """Folder of a Hugging Face model: from the local cache when it is whole there, else downloaded."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    wanted = ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model", "*.tiktoken", "*.py"]
    try:
        cached = Path(snapshot_download(model_id, revision=revision, local_files_only=True))
        if is_whole(cached):
            return cached
    except (LocalEntryNotFoundError, HFValidationError):
        pass
    try:
        folder = Path(snapshot_download(model_id, revision=revision, allow_patterns=wanted))
        if not any(folder.glob("*.safetensors")):  # older models have pickled weights only
            folder = Path(snapshot_download(model_id, revision=revision, allow_patterns=[*wanted, "*.bin"]))
        return folder
    except GatedRepoError as error:
        raise ConfigError(
            f"the model {model_id} is gated",
            cause="its licence must be accepted on its page first",
            remedy="accept it there and set HF_TOKEN in the environment",
        ) from error
    except RepositoryNotFoundError as error:
        raise ConfigError(
            f"there is no folder {model_id!r} here and no such model on the hub (model.id)",
            cause="a mistyped id, or a private model without HF_TOKEN in the environment",
            remedy="check model.id; `smollm2` names the model that comes with the factory",
        ) from error
    except RevisionNotFoundError as error:
        raise ConfigError(
            f"the model {model_id} has no revision {revision!r} (model.revision)",
            remedy="give a commit hash, branch or tag of that model",
        ) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"the model {model_id} is neither a folder here nor in the local Hugging Face cache, and the hub "
            f"cannot be reached: {reason[:200]}",
            cause="this machine is offline, or the id is mistyped",
            remedy="download it where there is a network and set HF_HOME to that cache, give model.id the path of "
            "a folder, or take `smollm2`, the model that comes with the factory",
        ) from error
    except HFValidationError as error:
        raise ConfigError(f"{model_id!r} is no valid Hugging Face id (model.id): {error}") from error


def is_whole(folder: Path) -> bool:
    """A cached snapshot can be partial: config alone, or some shards of the index."""
    if not (folder / "config.json").exists():
        return False
    present = {path.name for path in folder.iterdir() if path.exists()}  # a link may lead nowhere
    for index in folder.glob("*.index.json"):
        shards = _shards(index)
        if shards and shards <= present:
            return True
    return any(
        path.suffix in (".safetensors", ".bin") and "-of-" not in path.name for path in folder.iterdir()
    ) and any((folder / name).exists() for name in ("tokenizer.json", "tokenizer_config.json", "tokenizer.model"))


def _shards(index: Path) -> set[str] | None:
    """Files that an index of weights names; None for one that was cut short."""
    try:
        named = orjson.loads(index.read_bytes())["weight_map"].values()
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return {shard for shard in named if isinstance(shard, str)}
