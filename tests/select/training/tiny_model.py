"""A real Hugging Face model of a few kilobytes: one layer, a word-level tokenizer, random weights."""

from __future__ import annotations

from pathlib import Path

from tests.corpora import text_of
from tests.select.training.fields import computing


def write_tiny_model(folder: Path, seed: int = 0) -> Path:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaModel, PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel(unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    texts = [text_of(number) for number in range(50)] + [computing(number) for number in range(50)]
    words.train_from_iterator(texts, trainers.WordLevelTrainer(vocab_size=400, special_tokens=["<unk>"]))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>")
    torch.manual_seed(seed)
    config = LlamaConfig(
        hidden_size=24,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        vocab_size=len(tokenizer),
        max_position_embeddings=64,
    )
    LlamaModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
