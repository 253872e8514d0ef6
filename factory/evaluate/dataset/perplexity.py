"""Perplexity: how surprising the texts are to a language model that is named with the figure.

Design: exp of the mean negative log-likelihood of a token, every token of every text alike (a mean of texts'
perplexities would be ruled by a few short ones). The interval resamples texts, whose tokens stay together. A text is
read from its beginning, after the model's own start token where it has one; without one its first token is not scored.
Texts of like length share a batch. transformers in float32, so that a GPU and a CPU agree to the fourth digit; the
model is the one that runs generate with (`smollm2`), a Hugging Face folder or id.

Low is fluent or repetitive, high is unusual or garbled: it has no good direction, but it shows what is odd, and how it
differs between strata or from real data under the same model.

Cost: the report prints the seconds.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from factory.errors import ConfigError
from factory.evaluate.dataset.bootstrap import interval
from factory.evaluate.dataset.config import PerplexityConfig
from factory.select.training.embedding import CHARACTERS_A_TOKEN, resolve_embedding

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

Told = Callable[[int, int, int], None]
"""(texts scored, texts to score, characters of the last batch)"""


@dataclass(frozen=True)
class Likelihoods:
    """Of N texts: `surprise` float64[N] is the sum of -log p over the `tokens` int64[N] that were scored (0 for an
    empty text), `model` says under which model."""

    surprise: F64
    tokens: I64
    model: str

    def perplexity(self, rows: I64 | None = None) -> float:
        """Of all texts, or of those at the places `rows`; NaN without a token."""
        surprise, tokens = (self.surprise, self.tokens) if rows is None else (self.surprise[rows], self.tokens[rows])
        total = int(tokens.sum())
        return float(np.exp(surprise.sum() / total)) if total else float("nan")

    def only(self, rows: I64) -> Likelihoods:
        return Likelihoods(self.surprise[rows], self.tokens[rows], self.model)

    def interval(self, seed: int) -> tuple[float, float]:
        return interval(self.perplexity, len(self.tokens), seed)


@dataclass
class Scorer:
    """A causal model that is ready to score."""

    network: Any
    tokenizer: Any
    device: Any
    name: str
    max_tokens: int
    batch_tokens: int

    def work(self, texts: Sequence[str]) -> int:
        """Characters of texts that will be read: what their time goes by."""
        return sum(len(self._cut(text)) for text in texts)

    def _cut(self, text: str) -> str:
        return text[: self.max_tokens * CHARACTERS_A_TOKEN]

    def score(self, texts: Sequence[str], told: Told | None = None) -> Likelihoods:
        """Likelihoods of each text by itself."""
        start = [self.tokenizer.bos_token_id] if self.tokenizer.bos_token_id is not None else []
        cut = [self._cut(text) for text in texts]
        ids = [self.tokenizer(text, add_special_tokens=False)["input_ids"][: self.max_tokens] for text in cut]
        tokens = [[*start, *found] for found in ids]
        surprise = np.zeros(len(texts))
        order = sorted((row for row in range(len(texts)) if len(tokens[row]) > 1), key=lambda row: len(tokens[row]))
        done = 0
        for places in _batches(order, tokens, self.batch_tokens):
            surprise[places] = self._surprise([tokens[place] for place in places])
            done += len(places)
            if told:
                told(done, len(order), sum(len(cut[place]) for place in places))
        return Likelihoods(surprise, np.array([max(0, len(found) - 1) for found in tokens], np.int64), self.name)

    def _surprise(self, batch: Sequence[Sequence[int]]) -> F64:
        import torch

        width = max(map(len, batch))
        ids = torch.zeros((len(batch), width), dtype=torch.long)
        mask = torch.zeros((len(batch), width), dtype=torch.long)
        for row, found in enumerate(batch):
            ids[row, : len(found)] = torch.tensor(found)
            mask[row, : len(found)] = 1
        ids, mask = ids.to(self.device), mask.to(self.device)
        with torch.inference_mode():
            logits = self.network(input_ids=ids, attention_mask=mask).logits[:, :-1].float()
            chosen = logits.gather(2, ids[:, 1:].unsqueeze(2)).squeeze(2)
            lost = (logits.logsumexp(dim=2) - chosen) * mask[:, 1:]
            total: F64 = lost.double().sum(dim=1).cpu().numpy()
        return total


def load_scorer(config: PerplexityConfig) -> Scorer:
    """Raises ConfigError where the model, torch or transformers is not there."""
    if config.model is None:
        raise ValueError("no model is configured")
    model = resolve_embedding(config.model, config.revision, config.max_tokens)
    folder: Path = model.find()
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise ConfigError(
            f"perplexity needs {error.name}",
            cause="an environment without it",
            remedy=f"pip install {error.name}, or set intrinsic.perplexity.model=null",
        ) from None
    with contextlib.redirect_stderr(io.StringIO()):  # its progress bar obeys no setting; failures are exceptions
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, trust_remote_code=False).eval()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    limit = getattr(network.config, "max_position_embeddings", None) or config.max_tokens
    name = f"{config.model} ({model.sha256[:12]}), first {config.max_tokens} tokens"
    return Scorer(network.to(device), tokenizer, device, name, min(config.max_tokens, limit - 1), config.batch_tokens)


def _batches(order: Sequence[int], tokens: Sequence[Sequence[int]], most: int) -> list[list[int]]:
    """Places in order, cut where a batch padded to its longest text would exceed `most` tokens."""
    batches: list[list[int]] = []
    for place in order:
        # Ascending lengths: the newest is the longest.
        if batches and (len(batches[-1]) + 1) * len(tokens[place]) <= most:
            batches[-1].append(place)
        else:
            batches.append([place])
    return batches
