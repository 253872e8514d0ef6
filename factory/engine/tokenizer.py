"""Counting tokens without torch, transformers or an engine.

Design: a tokenizer is named by value (a folder, a Hugging Face id, or `words`) and pickles as that name; each
process loads `tokenizer.json` once, when it first counts. Identity is the hash of that file, never its path:
the same tokenizer in another folder is the same tokenizer. `words` needs no file: a token is a run of
letters and digits, or one other visible character.

Cost: loading 0.1 to 1 s a process; counting 3.3 MB/s a core with SmolLM2's tokenizer, 28 MB/s with `words`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from factory.engine import smollm2
from factory.errors import ConfigError
from factory.identity import sha256_hex

if TYPE_CHECKING:
    from tokenizers import Tokenizer as LoadedTokenizer

WORDS = "words"
DEFAULT_MODEL = "smollm2"
WORDS_VERSION = 1
"""Raise when `words` counts another number for some text."""

FILE = "tokenizer.json"
_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer by name. `name` is "words", "smollm2" (prepared on each machine that counts), a folder with a
    tokenizer.json (or that file), or a Hugging Face id; `revision` is a commit or branch of the latter (None:
    what is cached, else the newest)."""

    name: str = WORDS
    revision: str | None = None

    def count(self, texts: list[str]) -> list[int]:
        """Tokens of each text, without special tokens. Raises ConfigError when the tokenizer is not there."""
        if self.name == WORDS:
            return [sum(1 for _ in _WORD.finditer(text)) for text in texts]
        loaded = _load(str(_find(self.name, self.revision)))
        try:
            return [len(encoding) for encoding in loaded.encode_batch_fast(texts, add_special_tokens=False)]
        except Exception as error:  # the library raises bare Exception
            raise ConfigError(
                f"the tokenizer {self.name} cannot encode: {error}",
                cause="its file was edited: the vocabulary lacks a token that its settings name",
                remedy="download the model again, or name another tokenizer (model.tokenizer)",
            ) from error

    def identity(self) -> dict[str, str]:
        """What fingerprints hold: content only. Raises ConfigError when the tokenizer is not there."""
        if self.name == WORDS:
            return {"tokenizer": WORDS, "version": str(WORDS_VERSION)}
        return {"tokenizer": FILE, "sha256": _hash(str(_find(self.name, self.revision)))}


@lru_cache(maxsize=8)
def _find(name: str, revision: str | None) -> Path:
    path = smollm2.prepare() if name == DEFAULT_MODEL else Path(name).expanduser()
    if path.is_file():
        return path.resolve()
    if path.is_dir():
        if (path / FILE).is_file():
            return (path / FILE).resolve()
        raise ConfigError(
            f"the tokenizer folder {path} has no {FILE}",
            cause="the model ships only an older tokenizer format",
            remedy=f"load it once with transformers' AutoTokenizer and save_pretrained, which writes {FILE}",
        )
    if name.startswith(("/", "./", "../", "~")) or name.count("/") > 1:
        raise ConfigError(
            f"there is no tokenizer at {name}",
            cause="the path is mistyped, or lies on a disk that only another machine of the cluster sees",
            remedy=f"name a folder with a {FILE}, a Hugging Face id, or `{WORDS}`",
        )
    return _from_hub(name, revision)


def _from_hub(name: str, revision: str | None) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        try:
            return Path(hf_hub_download(name, FILE, revision=revision, local_files_only=True))
        except LocalEntryNotFoundError:
            return Path(hf_hub_download(name, FILE, revision=revision))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ConfigError(
            f"the tokenizer {name} (revision {revision or 'newest'}) cannot be had: {type(error).__name__}",
            cause="the id is mistyped, the model is gated, or this machine has no way to the Hugging Face hub",
            remedy=f"name a local folder with a {FILE}, or `{WORDS}`; for a gated model set HF_TOKEN",
        ) from error


@lru_cache(maxsize=8)
def _hash(path: str) -> str:
    return sha256_hex(Path(path).read_bytes())


@lru_cache(maxsize=4)
def _load(path: str) -> LoadedTokenizer:
    # A Ray task owns one core; on a machine with many, each task's thread pool would otherwise take all of them.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer as LoadedTokenizer

    try:
        loaded = LoadedTokenizer.from_file(path)
    except Exception as error:  # the library raises bare Exception
        raise ConfigError(
            f"{path} cannot be read as a tokenizer: {error}",
            cause="the file is damaged, or a newer `tokenizers` wrote it",
            remedy="download the model again, or install the version of `tokenizers` that wrote it",
        ) from error
    loaded.no_truncation()
    loaded.no_padding()
    return loaded
