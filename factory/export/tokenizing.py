"""Rows of text forms as tokens, each with whether it is to be learned.

Design: a chat is rendered by the tokenizer's own chat template, and learned is what the assistant says: what the
template puts behind a prompt that waits for an answer, as it stands in the text of the whole chat. Where it is not
the beginning of the whole chat (templates that take an earlier turn's thoughts away, say) the row cannot be told that
way, and is left out by name. Of a plain prompt and completion the completion is learned, of a text all of it; both end
with the tokenizer's end of sequence, as a chat does by its template. The tokenizer is named by the hash of its files.
Cost: 1.4 MB of text a second and core with SmolLM2's tokenizer, 5 bytes a token in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from factory.curate.words import Mask
from factory.engine import smollm2
from factory.engine.declared import chat_template_of
from factory.engine.hub import snapshot
from factory.engine.models import TEMPLATE_NAMES, TOKENIZER_NAMES, TOKENIZER_SUFFIXES, as_folder
from factory.engine.tokenizer import DEFAULT_MODEL
from factory.errors import ConfigError
from factory.identity import fingerprint, sha256_hex

NOT_RENDERED = "chat_template_refused"
NOT_FOLLOWED = "template_changes_earlier_turns"

Turns = Sequence[Mapping[str, str]]


BATCH = 512
"""Texts tokenised at once."""


@dataclass(frozen=True)
class Tokens:
    """A sample: token ids int32[T], and for each whether it is learned, bool[T]."""

    ids: npt.NDArray[np.int32]
    learned: Mask


@dataclass(frozen=True)
class Rendered:
    """A text, and from which to which of its characters is learned."""

    text: str
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class NamedTokenizer:
    """`name` is how people named it (a folder by its last part), `sha256` of its files and chat template; `folder` is
    where it lies on this machine."""

    name: str
    revision: str
    sha256: str
    folder: str


def named_tokenizer(name: str, revision: str | None = None) -> NamedTokenizer:
    """`smollm2`, a folder, or a Hugging Face id. Raises ConfigError where it is not there or no whole tokenizer."""
    if name == DEFAULT_MODEL:
        folder = Path(smollm2.prepare())
    elif (local := as_folder(name)) is not None:
        folder = local
    else:
        folder = snapshot(name, revision)
    files = [path for path in sorted(folder.glob("*")) if path.is_file() and _is_tokenizers(path.name)]
    if not any(path.name in TOKENIZER_NAMES or path.name.endswith(TOKENIZER_SUFFIXES) for path in files):
        raise ConfigError(
            f"there is no tokenizer in {folder}",
            cause="the name is mistyped, or the folder holds something else; `words` counts and has no token ids",
            remedy="name a folder with tokenizer.json, a Hugging Face id, or smollm2",
        )
    hashes = {path.name: sha256_hex(path.read_bytes()) for path in files}
    shown = folder.name if as_folder(name) is not None else name
    of_hub = as_folder(name) is None and name != DEFAULT_MODEL
    return NamedTokenizer(shown, folder.name if of_hub else "", fingerprint(hashes), str(folder))


def _is_tokenizers(name: str) -> bool:
    return name in (*TOKENIZER_NAMES, *TEMPLATE_NAMES) or name.endswith(TOKENIZER_SUFFIXES)


def require_chat_template(folder: str) -> None:
    """Raises ConfigError for the tokenizer of a base model, which no chat can be rendered by."""
    if chat_template_of(Path(folder)) is None:
        raise ConfigError(
            f"the tokenizer in {folder} has no chat template",
            cause="it is of a base model",
            remedy="take its instruct variant, put a chat_template.jinja into the folder, or pack texts: --of "
            "interleaved, or --of prompt_completion --plain",
        )


@lru_cache(maxsize=2)
def loaded(folder: str) -> Any:
    """The tokenizer of a folder. Raises ConfigError where it cannot be loaded, or tells no places of tokens in text."""
    from transformers import AutoTokenizer

    try:
        found: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # whatever a damaged tokenizer makes of the library
        raise ConfigError(
            f"the tokenizer in {folder} cannot be loaded: {error}",
            cause="a file is damaged or missing, or it brings code of its own, which is not run here",
            remedy="download it again, or name another tokenizer",
        ) from None
    if not found.is_fast or found.eos_token_id is None:
        raise ConfigError(
            f"the tokenizer in {folder} has no tokenizer.json, or no end of sequence",
            cause="an older format that does not say where in a text a token stands",
            remedy="load it once with AutoTokenizer and save_pretrained, or name another tokenizer",
        )
    return found


def tokens_of_chats(chats: Sequence[Turns], folder: str) -> Iterator[Tokens | str]:
    """The tokens of each chat, or why it has none."""
    tokenizer = loaded(folder)
    for start in range(0, len(chats), BATCH):
        told = [_rendered(tokenizer, chat) for chat in chats[start : start + BATCH]]
        usable = [each for each in told if not isinstance(each, str)]
        encoded = iter(_encoded(tokenizer, usable, special=False))
        for each in told:
            yield each if isinstance(each, str) else next(encoded)


def tokens_of_texts(texts: Sequence[str], learned_from: Sequence[int], folder: str) -> Iterator[Tokens]:
    """The tokens of each text and an end of sequence; learned is what begins at this character or behind it."""
    tokenizer = loaded(folder)
    end = tokenizer.eos_token_id
    for start in range(0, len(texts), BATCH):
        inside = slice(start, start + BATCH)
        told = [
            Rendered(text, ((first, len(text)),))
            for text, first in zip(texts[inside], learned_from[inside], strict=True)
        ]
        for each in _encoded(tokenizer, told, special=True):
            ended = len(each.ids) > 0 and each.ids[-1] == end
            ids = each.ids if ended else np.append(each.ids, np.int32(end))
            learned = np.append(each.learned[:-1] if ended else each.learned, True)
            yield Tokens(ids, learned)


def _rendered(tokenizer: Any, chat: Turns) -> Rendered | str:
    turns = [dict(turn) for turn in chat]
    try:
        whole = tokenizer.apply_chat_template(turns, tokenize=False)
        spans = []
        for place, turn in enumerate(turns):
            if turn["role"] == "assistant":
                before = tokenizer.apply_chat_template(turns[:place], tokenize=False, add_generation_prompt=True)
                last = place == len(turns) - 1
                until = whole if last else tokenizer.apply_chat_template(turns[: place + 1], tokenize=False)
                if not (whole.startswith(until) and until.startswith(before)):
                    return NOT_FOLLOWED
                spans.append((len(before), len(until)))
    except Exception:  # templates raise what they like
        return NOT_RENDERED
    return Rendered(whole, tuple(spans))


def _encoded(tokenizer: Any, told: Sequence[Rendered], special: bool) -> Iterator[Tokens]:
    """Tokens of each text, learned where they begin within one of its spans."""
    if not told:
        return
    found = tokenizer([each.text for each in told], add_special_tokens=special, verbose=False)
    for place, each in enumerate(told):
        ids = np.array(found["input_ids"][place], np.int32)
        learned = np.zeros(len(ids), np.bool_)
        # Asked at the ends of spans alone: the places of all tokens, as Python has them, are 100 bytes each.
        for first, last in each.spans:
            begin, end = (_first_from(found, place, each, at, len(ids)) for at in (first, last))
            learned[begin:end] = True
        yield Tokens(ids, learned)


def _first_from(found: Any, place: int, told: Rendered, character: int, tokens: int) -> int:
    """The first token of a text that begins at a character or behind it."""
    for at in range(character, len(told.text)):
        token = found.char_to_token(place, at)
        if token is not None:  # white space may be in none
            begins = found.token_to_chars(place, token).start
            return int(token) if begins >= character else int(token) + 1
    return tokens
