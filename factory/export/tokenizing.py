"""Rows of text forms as tokens, each with whether it is to be learned.

Design: a chat is rendered by the tokenizer's own chat template, and learned is what the assistant says: what the
template puts behind a prompt that waits for an answer, as it stands in the text of the whole chat. Where it is not
the beginning of the whole chat (templates that take an earlier turn's thoughts away, say) the row cannot be told that
way, and is left out by name. Of a plain prompt and completion the completion is learned, of a text all of it; both end
with the tokenizer's end of sequence, as a chat does by its template. The tokenizer is named by the hash of its files.
Cost: rendering and tokenising, about 1 MB/s a core with SmolLM2's tokenizer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class Tokens:
    """A sample: token ids, and for each whether it is learned."""

    ids: tuple[int, ...]
    learned: tuple[bool, ...]


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


def tokens_of_chats(chats: Sequence[Turns], folder: str) -> list[Tokens | str]:
    """The tokens of each chat, or why it has none."""
    tokenizer = loaded(folder)
    told = [_rendered(tokenizer, chat) for chat in chats]
    usable = [each for each in told if not isinstance(each, str)]
    encoded = iter(_encoded(tokenizer, [text for text, _ in usable]))
    return [
        each if isinstance(each, str) else _marked(*next(encoded), each[1])  # of the same text, in the same order
        for each in told
    ]


def tokens_of_texts(texts: Sequence[str], learned_from: Sequence[int], folder: str) -> list[Tokens | str]:
    """The tokens of each text and an end of sequence; learned is what begins at this character or behind it."""
    tokenizer = loaded(folder)
    end = tokenizer.eos_token_id
    found: list[Tokens | str] = []
    for (ids, places), start in zip(_encoded(tokenizer, list(texts), special=True), learned_from, strict=True):
        ended = bool(ids) and ids[-1] == end
        marks = [begin >= start and stop > begin for begin, stop in places] + [True] * (not ended)
        if ended:
            marks[-1] = True
        found.append(Tokens((*ids, *([] if ended else [end])), tuple(marks)))
    return found


def _rendered(tokenizer: Any, chat: Turns) -> tuple[str, list[tuple[int, int]]] | str:
    """A chat as text, and from which to which character the assistant speaks."""
    turns = [dict(turn) for turn in chat]
    try:
        whole = tokenizer.apply_chat_template(turns, tokenize=False)
        spans = []
        for place, turn in enumerate(turns):
            if turn["role"] == "assistant":
                before = tokenizer.apply_chat_template(turns[:place], tokenize=False, add_generation_prompt=True)
                until = tokenizer.apply_chat_template(turns[: place + 1], tokenize=False)
                if not (whole.startswith(until) and until.startswith(before)):
                    return NOT_FOLLOWED
                spans.append((len(before), len(until)))
    except Exception:  # templates raise what they like
        return NOT_RENDERED
    return whole, spans


def _encoded(tokenizer: Any, texts: list[str], special: bool = False) -> list[tuple[list[int], list[tuple[int, int]]]]:
    """Ids of each text, and from which to which character each stands for."""
    if not texts:
        return []
    found = tokenizer(texts, add_special_tokens=special, return_offsets_mapping=True, verbose=False)
    return list(zip(found["input_ids"], found["offset_mapping"], strict=True))


def _marked(ids: Sequence[int], places: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> Tokens:
    learned = [any(first <= begin < last for first, last in spans) for begin, _ in places]
    return Tokens(tuple(ids), tuple(learned))
