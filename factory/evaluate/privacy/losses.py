"""What a causal language model finds surprising: the loss of every token of a text.

Design: the model is named as everywhere (`smollm2`, a folder, a Hugging Face id) and told by the digest of its weights
and tokenizer. float32, no dropout, texts of like length in one batch. The first token of a text has nothing before it:
the beginning-of-text token is put there where the tokenizer has one, otherwise it is given, not scored. torch and
transformers are imported when the first text is scored.

Cost: SmolLM2-135M scored 80 tokens a second on one core of a busy machine; a GPU is used where there is one.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from factory.errors import ConfigError, EngineError
from factory.evaluate.privacy.attack import F64
from factory.select.training.embedding import CHARACTERS_A_TOKEN, EmbeddingModel, resolve_embedding

BATCH_TOKENS = 1024
"""Scored at once, padding included: with 50,000 entries of vocabulary their logits take 200 MB."""


@dataclass(frozen=True)
class Scored:
    """`losses` float64[T], in nats, of the tokens scored; `text` is what those tokens say."""

    losses: F64
    text: str

    @property
    def total(self) -> float:
        return float(self.losses.sum())


class LanguageModel:
    """Loads when first used; raises ConfigError then for a model that is not there or is none that writes text."""

    def __init__(self, name: str, revision: str | None = None, max_tokens: int = 256) -> None:
        self.name, self.revision, self.max_tokens = name, revision, max_tokens

    @cached_property
    def found(self) -> EmbeddingModel:
        """Where it is and the digest of its weights and tokenizer. Raises ConfigError when it is not there."""
        return resolve_embedding(self.name, self.revision, self.max_tokens)

    def score(self, texts: Sequence[str]) -> list[Scored]:
        """Losses of each text's first `max_tokens` tokens, parallel to `texts`; none for a text too short to score.

        Raises EngineError where a loss is not finite."""
        import torch

        tokenizer, network, device, limit = self._loaded
        begin = [tokenizer.bos_token_id] if tokenizer.bos_token_id is not None else []
        ids = [
            begin + tokenizer(text[: limit * CHARACTERS_A_TOKEN], add_special_tokens=False)["input_ids"]
            for text in texts
        ]
        ids = [each[:limit] for each in ids]
        found = [Scored(np.zeros(0), "")] * len(texts)
        order = sorted((place for place in range(len(ids)) if len(ids[place]) > 1), key=lambda place: len(ids[place]))
        for places in _batches(order, [len(each) for each in ids]):
            width = len(ids[places[-1]])
            batch = torch.zeros((len(places), width), dtype=torch.long)
            mask = torch.zeros((len(places), width), dtype=torch.long)
            for row, place in enumerate(places):
                batch[row, : len(ids[place])] = torch.tensor(ids[place])
                mask[row, : len(ids[place])] = 1
            with torch.inference_mode():
                logits = network(input_ids=batch.to(device), attention_mask=mask.to(device)).logits[:, :-1]
                wanted = batch[:, 1:].to(device)
                losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), wanted, reduction="none")
            table = losses.double().cpu().numpy()
            for row, place in enumerate(places):
                own = table[row, : len(ids[place]) - 1].copy()
                if not np.isfinite(own).all():
                    raise EngineError(
                        f"the model {self.name} gave a loss that is not finite",
                        cause="damaged weights, or training that diverged",
                        remedy="copy the model again, or name another checkpoint",
                    )
                found[place] = Scored(own, tokenizer.decode(ids[place][-len(own) :]))
        return found

    @cached_property
    def _loaded(self) -> tuple[Any, Any, Any, int]:
        folder = self.found.find()
        try:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer
        except ImportError as error:
            raise ConfigError(
                f"scoring texts needs {error.name}",
                cause="an environment without it",
                remedy=f"pip install {error.name}, or set privacy.model=null",
            ) from None
        try:
            with contextlib.redirect_stderr(io.StringIO()):  # a progress bar that obeys no setting
                tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
                network = AutoModelForCausalLM.from_pretrained(
                    folder, dtype=torch.float32, trust_remote_code=False
                ).eval()
        except (ValueError, OSError) as error:
            raise ConfigError(
                f"{self.name} cannot be loaded as a language model: {error}",
                cause="a model for something else, such as embeddings, or a folder without its tokenizer",
                remedy="name a causal language model with its tokenizer",
            ) from error
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        positions = getattr(network.config, "max_position_embeddings", None) or self.max_tokens
        return tokenizer, network.to(device), device, min(self.max_tokens, positions)


def _batches(order: Sequence[int], lengths: Sequence[int]) -> list[list[int]]:
    """Places of `order` (ascending length) in groups of at most BATCH_TOKENS, padding included."""
    batches: list[list[int]] = []
    for place in order:
        if batches and (len(batches[-1]) + 1) * lengths[place] <= BATCH_TOKENS:
            batches[-1].append(place)
        else:
            batches.append([place])
    return batches
