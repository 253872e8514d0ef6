"""A domain pack: the folder that says how to talk about one field of study.

Design: everything that changes with the field is text in one folder, so that a user adds a field without
code: `pack.yaml` (names, school levels, answer style, word lists of the question checks) and one file a
prompt under `prompts/`. `system.md` there is optional and goes before every prompt. A pack that says
`extends: general` takes from that pack every key and prompt it does not give itself, one level deep: whoever
reads a pack looks into two folders at most. All of it is read and checked once, before anything starts; the
loaded pack is plain data and travels to workers pickled. Packs that come with the package lie beside this
module; another is named by `domain.path`. What only level 3 or the training of a domain classifier needs is
optional: four prompts, and `syllabus.yaml` (factory/domains/syllabus.py).

Cost: a few files, about a millisecond.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator

from factory.domains.config import DomainConfig
from factory.domains.prompt import Prompt, check_prompt
from factory.errors import ConfigError
from factory.identity import fingerprint, sha256_hex
from factory.section import Section
from factory.yaml_text import parse_yaml

PACKS = Path(__file__).parent

# What each prompt must hold, and what it may hold besides.
_PLACEHOLDERS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "extract": (frozenset({"document"}), frozenset({"levels", "max_topics", "min_concepts", "max_concepts"})),
    "question_level_1": (frozenset({"document"}), frozenset({"levels", "questions"})),
    "question_level_2": (
        frozenset({"document", "concepts"}),
        frozenset({"questions", "concepts_per_question", "edu_level", "subject"}),
    ),
    "answer": (frozenset({"question"}), frozenset({"answer_style", "document", "edu_level", "subject"})),
}
# The same for prompts that a pack need not have: level 3, `python -m jobs.train_selector`, `factory decon --judge`,
# `judge.rubric`.
_OPTIONAL_PLACEHOLDERS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "question_level_3": (
        frozenset({"document_1", "document_2", "concepts"}),
        frozenset({"topics", "questions", "concepts_per_question", "edu_level", "subject"}),
    ),
    "reference_document": (
        frozenset({"topic", "genre"}),
        frozenset({"instructions", "level", "scope", "terms", "subject", "discipline", "domain"}),
    ),
    "rate_document": (frozenset({"document", "domain"}), frozenset()),
    "same_problem": (frozenset({"first", "second"}), frozenset()),
    "judge_answer": (frozenset({"rubric", "question", "answer"}), frozenset({"document"})),
    "judge_pair": (frozenset({"rubric", "question", "first", "second"}), frozenset({"document"})),
}
_SYSTEM = "system"
SYLLABUS = "syllabus.yaml"

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Words = Annotated[str, Field(min_length=1, max_length=64)]


class _PackFile(Section):
    """pack.yaml, with what it takes from the pack it extends."""

    extends: str | None = None
    name: Name
    description: str = Field(min_length=1)
    levels: tuple[Words, ...] = Field(min_length=1, max_length=32)
    answer_style: str = Field(min_length=1)
    task_words: tuple[Words, ...]
    refers_to_document: tuple[str, ...]
    refusals: tuple[str, ...] = ()

    @field_validator("levels")
    @classmethod
    def _levels_differ(cls, levels: tuple[str, ...]) -> tuple[str, ...]:
        if len({level.casefold() for level in levels}) != len(levels):
            raise ValueError("a level is named twice")
        return levels

    @field_validator("refers_to_document", "refusals")
    @classmethod
    def _patterns_compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(f"(?:{pattern})")  # as part of one alternation, where flags such as (?i) may not stand
            except (re.error, OverflowError, RecursionError) as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        return patterns


@dataclass(frozen=True)
class Pack:
    """A loaded pack. `levels` are lowest first; `task_words` and `refers_to_document` serve the question
    checks, `refusals` a gate on answers; each is off where it is empty."""

    name: str
    description: str
    levels: tuple[str, ...]
    answer_style: str
    task_words: tuple[str, ...]
    refers_to_document: tuple[str, ...]
    refusals: tuple[str, ...]
    prompts: Mapping[str, Prompt] = field(hash=False)
    files: Mapping[str, str] = field(hash=False)
    """Path inside the pack -> SHA-256 of the bytes."""

    def prompt(self, name: str) -> Prompt:
        """Raises ConfigError where the pack has no such prompt (some are optional)."""
        if name not in self.prompts:
            raise ConfigError(
                f"the domain pack {self.name} has no prompts/{name}.md",
                cause="it was written before this prompt existed, or for other levels",
                remedy=f"copy {PACKS / 'general' / 'prompts' / name}.md into it, or let its pack.yaml say "
                "`extends: general`",
            )
        return self.prompts[name]

    def identity(self) -> str:
        """Hash of every file of the pack. Steps put only the prompts and lists they use into their own
        identity, so that a new answer prompt does not redo extraction."""
        return fingerprint(dict(self.files))


def load_pack(config: DomainConfig) -> Pack:
    """Reads and checks the pack that `config` names. Raises ConfigError with file, cause and remedy."""
    folder = pack_folder(config)
    values = _values(folder / "pack.yaml")
    base = base_folder(folder, values.get("extends"))
    templates = _templates(folder / "prompts")
    files = _files(folder, "")
    if base is not None:
        inherited = _values(base / "pack.yaml")
        _checked(inherited, base / "pack.yaml")
        values = {key: value for key, value in inherited.items() if key not in OF_ITS_OWN} | values
        templates = {**_templates(base / "prompts"), **templates}
        files |= _files(base, f"extends/{base.name}/")
    about = _checked(values, folder / "pack.yaml")
    if missing := [name for name in _PLACEHOLDERS if name not in templates]:
        raise _missing(folder / "prompts" / f"{missing[0]}.md")
    system = templates.pop(_SYSTEM, "")
    prompts = {name: Prompt(name, template, system) for name, template in templates.items()}
    for name, prompt in prompts.items():
        own = folder / "prompts" / f"{name}.md"
        path = own if base is None or own.exists() else base / "prompts" / f"{name}.md"
        required, optional = {**_PLACEHOLDERS, **_OPTIONAL_PLACEHOLDERS}[name]
        check_prompt(prompt, required, optional, str(path))
    return Pack(**about.model_dump(exclude={"extends"}), prompts=prompts, files=files)


OF_ITS_OWN = ("name", "description")
"""Keys that a pack never takes from the one it extends."""


def base_folder(folder: Path, extends: Any) -> Path | None:
    """Folder of the pack that the one in `folder` extends; None where it stands alone.

    Raises ConfigError when there is none of that name, or when it extends another one itself.
    """
    if extends is None:
        return None
    path = folder / "pack.yaml"
    if not isinstance(extends, str) or extends not in shipped_packs():
        near = difflib.get_close_matches(str(extends), shipped_packs(), n=1)
        raise ConfigError(
            f"{path}: extends: {extends}: no such pack" + (f"; did you mean `{near[0]}`?" if near else ""),
            cause="a pack extends one that comes with the package",
            remedy=f"these do: {', '.join(shipped_packs())}",
        )
    base = PACKS / extends
    if base.resolve() == folder.resolve():
        raise ConfigError(f"{path}: the pack extends itself", remedy="take the line `extends:` out")
    further = _values(base / "pack.yaml").get("extends")
    if further is not None:
        raise ConfigError(
            f"{path} extends {extends}, which extends {further} itself",
            cause="packs are extended one level deep, so that two folders say everything",
            remedy=f"extend {further}, and copy what you need of {extends}",
        )
    return base


def _files(folder: Path, prefix: str) -> dict[str, str]:
    syllabus = [folder / SYLLABUS] if (folder / SYLLABUS).exists() else []
    paths = [folder / "pack.yaml", *syllabus, *sorted((folder / "prompts").glob("*.md"))]
    return {prefix + path.relative_to(folder).as_posix(): sha256_hex(path.read_bytes()) for path in paths}


def shipped_packs() -> list[str]:
    """Names of the packs that come with the package."""
    return sorted(path.parent.name for path in PACKS.glob("*/pack.yaml"))


def pack_folder(config: DomainConfig) -> Path:
    """Where the pack's files lie. Raises ConfigError."""
    if config.path is not None:
        folder = Path(config.path).expanduser()
        if not folder.is_dir():
            raise ConfigError(
                f"domain.path={config.path}: there is no such folder",
                cause="a misspelt path, or one relative to another folder",
                remedy="name the folder that holds pack.yaml and prompts/",
            )
        return folder
    if config.name not in (shipped := shipped_packs()):
        near = difflib.get_close_matches(config.name, shipped, n=1)
        raise ConfigError(
            f"domain.name={config.name}: no such pack" + (f"; did you mean `{near[0]}`?" if near else ""),
            cause=f"packs that come with the package: {', '.join(shipped)}",
            remedy="use one of these, or set domain.path to the folder of your own pack",
        )
    return PACKS / config.name


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise _missing(path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", remedy="save it as UTF-8 text") from None


def _missing(path: Path) -> ConfigError:
    return ConfigError(
        f"{path} is missing",
        cause="the pack is not complete",
        remedy=f"copy the file from {PACKS / 'general'} and adapt it, or let pack.yaml say `extends: general`",
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """The keys of a YAML file of a pack. Raises ConfigError when it is missing or holds something else."""
    try:
        values: Any = parse_yaml(_read(path))
    except ValueError as error:
        said = str(error).replace("<unicode string>", str(path))  # what the parser calls a text it was handed
        raise ConfigError(f"{path} is not YAML: {said}", remedy="quote text that holds a colon or a brace") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds no keys", remedy=f"{PACKS / 'maths' / path.name} is a model")
    return {str(key): value for key, value in values.items()}


def _values(path: Path) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in read_yaml(path).items()}


def _checked(values: Mapping[str, Any], path: Path) -> _PackFile:
    try:
        return _PackFile.model_validate(dict(values))
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise ConfigError(
            f"{path} is not usable:\n" + "\n".join(f"  - {problem}" for problem in problems),
            remedy=f"its keys are {', '.join(_PackFile.model_fields)}; {PACKS / 'general' / 'pack.yaml'} is a model",
        ) from None


def _templates(folder: Path) -> dict[str, str]:
    """Prompt name -> text without the line break at its end. A file nobody reads is an error, not a surprise."""
    known = [*_PLACEHOLDERS, *_OPTIONAL_PLACEHOLDERS, _SYSTEM]
    paths = sorted(folder.glob("*.md"))
    for path in paths:
        if path.stem not in known:
            near = difflib.get_close_matches(path.stem, known, n=1)
            raise ConfigError(
                f"{path}: no step uses a prompt of this name" + (f"; did you mean {near[0]}.md?" if near else ""),
                cause="a misspelt file name",
                remedy=f"prompts are {', '.join(f'{name}.md' for name in known)}",
            )
    return {path.stem: _read(path).strip() if path.stem == _SYSTEM else _read(path).rstrip("\n") for path in paths}
