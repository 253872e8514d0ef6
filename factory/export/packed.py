"""`--as packed`: rows of a text form as tokens, several samples a row of at most so many.

Format: `input_ids` and `labels` (-100 where nothing is learned), and how the samples lie in them: `seq_lengths` (what
TRL 1.16's padding-free collator makes position ids of), `position_ids` that begin anew with every sample, `segment_ids`
from 1 (0: padding). A trainer that uses any of the three keeps samples from attending to each other.

Design: samples go, longest first, into the row with the least room that still holds them (best-fit decreasing; Ding et
al. 2024, arXiv 2404.10830), within a file of the export: bounded by a shard, done in parallel, the same every time, at
the price of a few rows with room left at the end of each file. Rows and the samples in them keep the order of the
dataset otherwise. No sample is cut unless `cut` says so; what is longer than a row is left out by name.
Cost: that of tokenizing.py; packing itself is 2 to 4 microseconds a sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from factory.errors import ConfigError
from factory.export.carried import melted
from factory.export.recipe import Recipe
from factory.export.shaped import Shaped
from factory.export.source import Source
from factory.export.tokenizing import Tokens, loaded, require_chat_template, tokens_of_chats, tokens_of_texts

TOO_LONG = "longer_than_a_row"
UNLEARNED = -100
"""What PyTorch's cross entropy and all trainers leave out of a loss."""

CHATS = ("chat", "generator")
TEXT_FORMS = ("chat", "prompt_completion", "interleaved", "generator")


def require_settings(recipe: Recipe) -> None:
    """Raises ConfigError for an option without which nothing can be packed."""
    if recipe.of not in TEXT_FORMS:
        raise ConfigError(
            f"rows of {recipe.of!r} cannot be packed",
            cause="a packed row is one run of text; a preference has two answers",
            remedy=f"--as packed --of {' | '.join(TEXT_FORMS)}",
        )
    if not recipe.tokenizer_at or recipe.length < 2:
        raise ConfigError(
            "packing needs to know the tokenizer and the length of a row",
            cause="token ids belong to one model",
            remedy="give --tokenizer NAME (that of the model you train) and --length TOKENS",
        )
    if recipe.of in CHATS or (recipe.of == "prompt_completion" and not recipe.plain):
        require_chat_template(recipe.tokenizer_at)


def packed(source: Source, recipe: Recipe, inner: Shaped) -> Shaped:
    """The rows of a text form, packed. Of a row that several rows of the dataset became all of those are left out."""
    weights = _weights(inner.table)
    left_out, places, samples, cut = dict(inner.left_out), list[int](), list[Tokens](), 0
    for place, each in enumerate(_tokens(inner.table, recipe)):
        if isinstance(each, Tokens) and recipe.cut and len(each.ids) > recipe.length:
            each, cut = Tokens(each.ids[: recipe.length], each.learned[: recipe.length]), cut + 1
        reason = each if isinstance(each, str) else TOO_LONG if len(each.ids) > recipe.length else ""
        if isinstance(each, Tokens) and not reason:
            places.append(place)
            samples.append(each)
        else:
            left_out[reason] = left_out.get(reason, 0) + weights[place]
    rows = fitted([len(each.ids) for each in samples], recipe.length)
    pad = _padding(recipe)
    columns: dict[str, list[Any]] = {name: [] for name in KINDS}
    for row in rows:
        for name, values in _row([samples[number] for number in row], recipe, pad).items():
            columns[name].append(values)
    tokens = sum(len(each.ids) for each in samples)
    facts = {
        **inner.facts,
        "samples": len(samples),
        "tokens": tokens,
        "learned_tokens": sum(int(each.learned.sum()) for each in samples),
        "padding": len(rows) * recipe.length - tokens,
        "cut": cut,
    }
    groups = [[places[number] for number in row] for row in rows]
    table = melted(source, {name: (columns[name], KINDS[name]) for name in KINDS}, inner.table, groups)
    return Shaped(table.drop_columns(["attribution"]), left_out, facts)


KINDS: Mapping[str, pa.DataType] = {
    "input_ids": pa.list_(pa.int32()),
    "labels": pa.list_(pa.int32()),
    "position_ids": pa.list_(pa.int32()),
    "segment_ids": pa.list_(pa.int32()),
    "seq_lengths": pa.list_(pa.int32()),
    "tokens": pa.int32(),
}


def _weights(table: pa.Table) -> list[int]:
    """Rows of the dataset that each row stands for."""
    if "sample_ids" not in table.column_names:  # a row, or a request, of its own
        return [1] * table.num_rows
    return [len(ids) for ids in table.column("sample_ids").to_pylist()]


def _tokens(table: pa.Table, recipe: Recipe) -> Iterator[Tokens] | Iterator[Tokens | str]:
    names = table.column_names
    if "messages" in names:
        return tokens_of_chats(table.column("messages").to_pylist(), recipe.tokenizer_at)
    if "text" in names:
        texts = table.column("text").to_pylist()
        return tokens_of_texts(texts, [0] * len(texts), recipe.tokenizer_at)
    prompts, completions = (table.column(name).to_pylist() for name in ("prompt", "completion"))
    if pa.types.is_list(table.schema.field("prompt").type):
        chats = [[*prompt, *completion] for prompt, completion in zip(prompts, completions, strict=True)]
        return tokens_of_chats(chats, recipe.tokenizer_at)
    texts = [prompt + completion for prompt, completion in zip(prompts, completions, strict=True)]
    return tokens_of_texts(texts, [len(prompt) for prompt in prompts], recipe.tokenizer_at)


def _padding(recipe: Recipe) -> int:
    """The token that fills rows up. It is learned nowhere, so any will do where the tokenizer names none."""
    if not recipe.pad:
        return 0
    tokenizer = loaded(recipe.tokenizer_at)
    return int(tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id)


def _row(samples: Sequence[Tokens], recipe: Recipe, pad: int) -> dict[str, Any]:
    lengths = [len(each.ids) for each in samples]
    tokens = sum(lengths)
    room = recipe.length - tokens if recipe.pad else 0
    ids = np.concatenate([each.ids for each in samples])
    learned = np.concatenate([each.learned for each in samples])
    fill = np.full(room, pad, np.int32)
    return {
        "input_ids": np.concatenate([ids, fill]),
        "labels": np.concatenate([np.where(learned, ids, UNLEARNED), np.full(room, UNLEARNED, np.int32)]),
        "position_ids": np.concatenate([*map(np.arange, lengths), np.arange(room)]).astype(np.int32),
        "segment_ids": np.concatenate(
            [np.repeat(np.arange(1, len(lengths) + 1), lengths), np.zeros(room, np.int64)]
        ).astype(np.int32),
        # Padding is a sequence of its own there: position ids made of them have to be as long as the row.
        "seq_lengths": np.array([*lengths, *([room] if room else [])], np.int32),
        "tokens": tokens,
    }


def fitted(lengths: Sequence[int], length: int) -> list[list[int]]:
    """Which samples share a row of `length`, by best-fit decreasing: rows in the order of their first sample, samples
    in theirs. None of `lengths` is above `length`."""
    rows: list[list[int]] = []
    waiting: list[list[int]] = [[] for _ in range(length + 1)]  # rows by the room they have left
    rooms = 0  # bit n: a row has room for n
    for number in sorted(range(len(lengths)), key=lambda number: (-lengths[number], number)):
        need = lengths[number]
        fits = rooms >> need
        if fits:
            room = need + (fits & -fits).bit_length() - 1
            row = waiting[room].pop()
            if not waiting[room]:
                rooms ^= 1 << room
        else:
            room, row = length, len(rows)
            rows.append([])
        rows[row].append(number)
        if room > need:
            waiting[room - need].append(row)
            rooms |= 1 << (room - need)
    return sorted((sorted(row) for row in rows), key=lambda row: row[0])
