"""What `factory domain check` says of a pack: everything is loaded, every prompt rendered, its code tried on its items.

Design: each part of the contract is there, inherited or missing, and a missing one says what that means, so a newcomer
can stop where it no longer matters. Only what would fail or mislead a run is a defect; a verifier or gate that was
tried on good items alone, or on none, is a note, because nobody knows yet whether it can fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from factory.answers.judge.rubric import FOLDER as RUBRICS
from factory.answers.judge.rubric import load_rubric
from factory.domains.config import DomainConfig
from factory.domains.contract import OPTIONAL_PLACEHOLDERS, PLACEHOLDERS
from factory.domains.examples import reply_schemas, slips
from factory.domains.items import ITEMS
from factory.domains.pack import (
    CHECKS,
    SYLLABUS,
    Pack,
    load_pack,
    pack_folder,
    pack_values,
    prompt_files,
    read_yaml,
    variants_of,
)
from factory.domains.planted import Tried, try_items
from factory.domains.syllabus import load_syllabus
from factory.engine.api import Message
from factory.errors import ConfigError
from factory.publish.gates.own import refuse_unknown
from factory.questions.tags import tags_in_words
from factory.review.reasons import REVIEW_FILE, reasons_of
from factory.run.pack_settings import Settable, leaves, pack_settings
from factory.section import checked

State = Literal["there", "inherited", "missing"]


@dataclass(frozen=True)
class Part:
    """One part of the contract. `detail` says what it holds, or what it means that it is missing."""

    name: str
    state: State
    detail: str


@dataclass(frozen=True)
class Examined:
    """What was found. `defects` fail the check; `notes` are for whoever wrote the pack; `prompts` are rendered with
    sample values, by name, of the variant that was asked for."""

    name: str
    folder: str
    extends: str | None
    parts: tuple[Part, ...] = ()
    defects: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    tried: Tried | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


MISSING = {
    "settings": "runs use the general defaults for personal data, licences, verification and gates",
    "hints": "extraction is told nothing about the field",
    "levels_of_examples": "examples in inherited prompts keep the levels they were written with",
    "subjects": "subjects stay as the model words them",
    "tags": "questions are asked for without tags",
    "strata": "the report breaks its figures down by level and verifier alone",
    "benchmarks": "no run is told that it was not held against a benchmark of the field",
    SYLLABUS: "no selector can be trained for the field; runs over a corpus of the field do not need it",
    "rubrics": "judge.rubric has none to name",
    REVIEW_FILE: "people who review rows choose from the general list of reasons",
    CHECKS: "only the built-in verifiers and gates look at rows",
    ITEMS: "nothing shows that the checks find what is wrong and pass what is right",
    "system.md": "no system message goes before the prompts",
}

CHARACTERS_A_TOKEN = 4.5
"""Of English instructions under SmolLM2's tokenizer: 2,561 characters of the longest general prompt are 560."""

TOKENS_KEPT = 700
"""What factory/config.py keeps free for a prompt without its passage."""


def examine(config: DomainConfig) -> Examined:
    """Raises ConfigError where there is no such pack."""
    folder = pack_folder(config)
    try:
        own = read_yaml(folder / "pack.yaml")
        pack = load_pack(config)
        values, base = pack_values(folder)
    except ConfigError as error:
        return Examined(folder.name, str(folder), None, defects=(_line(error),))
    defects = list(_unreadable(config, folder, base))
    notes: list[str] = []
    settings = _or_none(partial(pack_settings, config))
    checks = _or_none(pack.checks.load) if pack.checks else None
    items = _items(folder, base)
    found = None
    if items is not None and settings is not None and (checks is not None or pack.checks is None):
        try:
            found = try_items(items, checks, settings.values)
        except ConfigError as error:
            defects.append(f"{ITEMS}: {_line(error)}")
    if found is not None:
        defects += found.wrong
        notes += found.notes
    elif checks is not None and items is None:
        notes.append(f"{CHECKS} was tried on nothing: there is no {ITEMS}")
    prompts = {name: _rendered(pack, name) for name in sorted(pack.prompts)}
    notes += [*_long(prompts), *_untold_tags(pack)]
    if settings is not None:
        chosen = checked(Settable, settings.values)
        defects += _named_and_not_there(config, pack, chosen)
        bad = list(_examples(config, folder, base, chosen))
        defects += [f"{path.relative_to(folder)}: {said}" for path, said in bad if path.is_relative_to(folder)]
        notes += _inherited_examples([(path, said) for path, said in bad if not path.is_relative_to(folder)], base)
    parts = (
        *_keys(own, values, base),
        *_prompts(pack, folder, base),
        *(_file(name, folder, base) for name in (SYLLABUS, REVIEW_FILE, CHECKS, ITEMS)),
        _rubrics(_names(RUBRICS, folder, base), folder),
    )
    if settings is not None and settings.values:
        told = ", ".join(f"{key}={value}" for key, value in leaves(settings.values))
        parts = tuple(Part(part.name, part.state, told) if part.name == "settings" else part for part in parts)
    extends = base.name if base is not None else None
    return Examined(pack.name, str(folder), extends, parts, tuple(defects), tuple(notes), found, prompts)


def _unreadable(config: DomainConfig, folder: Path, base: Path | None) -> Iterator[str]:
    """Parts that are there and cannot be used, each with the reason."""
    reads: list[tuple[str, Callable[[], object]]] = [("settings", partial(pack_settings, config))]
    for variant in variants_of(folder, base):
        reads.append((f"variant {variant}", partial(load_pack, config.model_copy(update={"variant": variant}))))
    if _place(SYLLABUS, folder, base):
        reads.append((SYLLABUS, partial(load_syllabus, config)))
    for name in _names(RUBRICS, folder, base):
        reads.append((f"{RUBRICS}/{name}.yaml", partial(load_rubric, name, config)))
    reads.append((REVIEW_FILE, partial(reasons_of, str(folder) if config.path else config.name)))
    if code := load_pack(config).checks:
        reads.append((CHECKS, code.load))
    for part, read in reads:
        try:
            read()
        except ConfigError as error:
            yield f"{part}: {_line(error)}"


def _named_and_not_there(config: DomainConfig, pack: Pack, settings: Settable) -> Iterator[str]:
    """What the pack's settings name and a run would not find."""
    gates = _or_none(pack.checks.load) if pack.checks else None
    reads: list[Callable[[], object]] = []
    if settings.judge.rubric is not None:
        reads.append(partial(load_rubric, settings.judge.rubric, config))
    if gates is not None or pack.checks is None:
        reads.append(partial(refuse_unknown, settings.gate, gates.gates if gates else {}, pack.name))
    for read in reads:
        try:
            read()
        except ConfigError as error:
            yield f"settings: {_line(error)}"


def _examples(config: DomainConfig, folder: Path, base: Path | None, settings: Settable) -> Iterator[tuple[Path, str]]:
    """Every prompt file with a worked example that its step would not take, of all variants."""
    seen: set[Path] = set()
    for variant in (None, *variants_of(folder, base)):
        pack = _or_none(partial(load_pack, config.model_copy(update={"variant": variant})))
        if pack is None:
            continue
        files = prompt_files(folder, base, variant)
        for name, schema in reply_schemas(pack, settings).items():
            if files[name] not in seen:
                seen.add(files[name])
                yield from ((files[name], said) for said in slips(_messages(pack, name), schema))


def _inherited_examples(bad: Sequence[tuple[Path, str]], base: Path | None) -> Iterator[str]:
    if bad and base is not None:
        files = ", ".join(dict.fromkeys(path.relative_to(base).as_posix() for path, _ in bad))
        yield (
            f"worked examples inherited from {base.name} do not fit this pack ({bad[0][0].name}: {bad[0][1]}); say in "
            "`levels_of_examples` which of your levels stands for which of theirs, or copy the prompts you use and "
            f"change them: {files}"
        )


Read = TypeVar("Read")


def _or_none(read: Callable[[], Read]) -> Read | None:
    try:
        return read()
    except ConfigError:
        return None


def _items(folder: Path, base: Path | None) -> Path | None:
    """The pack's items, or those of the pack it extends where the code that they try is inherited too."""
    if (folder / ITEMS).exists():
        return folder / ITEMS
    inherited = base is not None and not (folder / CHECKS).exists() and (base / ITEMS).exists()
    return base / ITEMS if inherited and base is not None else None


SAMPLE_VALUES = {
    "document": "Water boils at 100 degrees Celsius at sea level.",
    "document_1": "Water boils at 100 degrees Celsius at sea level.",
    "document_2": "Air is thinner on a mountain, so the pressure there is lower.",
    "concepts": "1. Boiling point; Air pressure",
    "topics": "States of matter; The atmosphere",
    "question": "Why does water boil sooner on a mountain?",
    "answer": "The pressure is lower. Final answer: lower pressure",
    "first": "Why does water boil sooner on a mountain?",
    "second": "At what temperature does water boil at sea level?",
    "rubric": "- correctness: Is it right?",
    "topic": "Boiling",
    "genre": "textbook section",
    "instructions": "Define terms first.",
    "scope": "when liquids become gases",
    "terms": "boiling point, pressure",
    "discipline": "Physics",
    "domain": "physics",
    "subject": "Physics",
    "vocabulary": "- Boiling point (T1): The temperature at which a liquid boils.",
    **dict.fromkeys(("questions", "max_topics", "min_concepts", "max_concepts", "concepts_per_question"), "3"),
}
"""What prompts are rendered with when they are looked at; other placeholders by their names."""


def _messages(pack: Pack, name: str) -> tuple[Message, ...]:
    level = pack.levels[min(1, len(pack.levels) - 1)]
    own = {"levels": ", ".join(pack.levels), "level": level, "edu_level": level, "answer_style": pack.answer_style}
    own["tags"] = tags_in_words(pack.tags)
    unsaid = {placeholder: f"[{placeholder}]" for placeholder in pack.prompts[name].placeholders}
    return pack.prompts[name].messages(**(unsaid | SAMPLE_VALUES | own))


def _rendered(pack: Pack, name: str) -> str:
    return "\n".join(f"[{message.role}]\n{message.content}" for message in _messages(pack, name))


def _long(prompts: Mapping[str, str]) -> Iterator[str]:
    for name, text in prompts.items():
        if (tokens := round(len(text) / CHARACTERS_A_TOKEN)) > TOKENS_KEPT:
            yield (
                f"prompts/{name}.md has about {tokens} tokens, and {TOKENS_KEPT} are kept free for it: with the "
                "longest passages it may not fit into model.max_model_len; raise that, or lower select.chunk_tokens"
            )


def _untold_tags(pack: Pack) -> Iterator[str]:
    for name in ("question_level_1", "question_level_2", "question_level_3"):
        if pack.tags and name in pack.prompts and "tags" not in pack.prompts[name].placeholders:
            yield (
                f"prompts/{name}.md lacks {{{{tags}}}}: the model has to tag its questions without being told how "
                f"({', '.join(pack.tags)})"
            )


def _keys(own: Mapping[str, Any], values: Mapping[str, Any], base: Path | None) -> Iterator[Part]:
    for key, value in values.items():
        if key == "extends":
            continue
        if value in (None, "", [], {}):
            yield Part(key, "missing", MISSING.get(key, "what it would check is off"))
        else:
            yield Part(key, "there" if key in own else "inherited", _short(value))
    for key in ("settings", "hints", "subjects", "tags", "strata", "benchmarks"):
        if key not in values:
            yield Part(key, "missing", MISSING[key])


def _prompts(pack: Pack, folder: Path, base: Path | None) -> Iterator[Part]:
    for name in (*PLACEHOLDERS, *OPTIONAL_PLACEHOLDERS):
        state: State = "there" if (folder / "prompts" / f"{name}.md").exists() else "inherited"
        also = [each for each in variants_of(folder, base) if _place(f"prompts/{each}/{name}.md", folder, base)]
        detail = f"variants: {', '.join(also)}" if also else "no variant of its own"
        if name not in pack.prompts:
            yield Part(f"prompts/{name}.md", "missing", "what asks for it cannot be used with this pack")
        else:
            yield Part(f"prompts/{name}.md", state, detail)
    system = _place("prompts/system.md", folder, base)
    yield (
        Part("prompts/system.md", system[1], "")
        if system
        else Part("prompts/system.md", "missing", MISSING["system.md"])
    )


def _file(name: str, folder: Path, base: Path | None) -> Part:
    place = _place(name, folder, base)
    return Part(name, place[1], "") if place else Part(name, "missing", MISSING[name])


def _rubrics(names: Sequence[str], folder: Path) -> Part:
    if not names:
        return Part(RUBRICS, "missing", MISSING["rubrics"])
    own = any((folder / RUBRICS / f"{name}.yaml").exists() for name in names)
    return Part(RUBRICS, "there" if own else "inherited", ", ".join(names))


def _place(name: str, folder: Path, base: Path | None) -> tuple[Path, State] | None:
    if (folder / name).exists():
        return folder / name, "there"
    return (base / name, "inherited") if base is not None and (base / name).exists() else None


def _names(below: str, folder: Path, base: Path | None) -> list[str]:
    return sorted({path.stem for place in (folder, base) if place for path in (place / below).glob("*.yaml")})


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else " ".join(str(value).split())
    return text if len(text) <= 100 else f"{text[:97]}..."


def _line(error: ConfigError) -> str:
    return error.what + (f" ({error.remedy})" if error.remedy else "")
