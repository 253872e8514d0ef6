"""Settings of ours in vLLM's words, where one of them is several there."""

from __future__ import annotations

from typing import Any

from factory.engine.adapter import Adapter

NGRAM_SHORTEST, NGRAM_LONGEST = 2, 5
"""Tokens that must agree with the prompt before a guess is made: one alone agrees everywhere, and guesses are paid."""


def lora_arguments(adapter: Adapter | None) -> dict[str, Any]:
    """vLLM's settings for one adapter that every request is answered with."""
    if adapter is None:
        return {}
    return {"enable_lora": True, "max_loras": 1, "max_lora_rank": adapter.rank_bound}


def ngram_speculation(tokens: int) -> dict[str, Any]:
    """vLLM's settings for guessing `tokens` tokens from the prompt (prompt lookup, Saxena 2023). Guesses are kept or
    thrown away by rejection sampling, so what is written follows the same distribution as without."""
    return {
        "method": "ngram",
        "num_speculative_tokens": tokens,
        "prompt_lookup_min": NGRAM_SHORTEST,
        "prompt_lookup_max": NGRAM_LONGEST,
    }
