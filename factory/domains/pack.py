"""A domain pack: the folder that says how to talk about one field of study.

Design: everything that changes with the field is text in one folder, so that a user adds a field without
code: `pack.yaml` (names, school levels, answer style, word lists of the question checks) and one file a
prompt under `prompts/`. `system.md` there is optional and goes before every prompt. All of it is read and
checked once, before anything starts; the loaded pack is plain data and travels to workers pickled. Packs
that come with the package lie beside this module; another is named by `domain.path`.

Cost: a few files, about a millisecond.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError, field_validator

from factory.config import DomainConfig
from factory.domains.prompt import Prompt, check_prompt
from factory.errors import ConfigError
from factory.identity import fingerprint, sha256_hex
from factory.section import Section

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
_SYSTEM = "system"

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Words = Annotated[str, Field(min_length=1, max_length=64)]


class _PackFile(Section):
    """pack.yaml as it stands."""

    name: Name
    description: str = Field(min_length=1)
    levels: tuple[Words, ...] = Field(min_length=1, max_length=32)
    answer_style: str = Field(min_length=1)
    task_words: tuple[Words, ...]
    refers_to_document: tuple[str, ...]

    @field_validator("levels")
    @classmethod
    def _levels_differ(cls, levels: tuple[str, ...]) -> tuple[str, ...]:
        if len({level.casefold() for level in levels}) != len(levels):
            raise ValueError("a level is named twice")
        return levels

    @field_validator("refers_to_document")
    @classmethod
    def _patterns_compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(f"(?:{pattern})")  # as part of one alternation, where flags such as (?i) may not stand
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        return patterns


@dataclass(frozen=True)
class Pack:
    """A loaded pack. `levels` are lowest first; `task_words` and `refers_to_document` serve the question
    checks, which are off where they are empty."""

    name: str
    description: str
    levels: tuple[str, ...]
    answer_style: str
    task_words: tuple[str, ...]
    refers_to_document: tuple[str, ...]
    prompts: Mapping[str, Prompt] = field(hash=False)
    files: Mapping[str, str] = field(hash=False)
    """Path inside the pack -> SHA-256 of the bytes."""

    def prompt(self, name: str) -> Prompt:
        return self.prompts[name]

    def identity(self) -> str:
        """Hash of every file of the pack. Steps put only the prompts and lists they use into their own
        identity, so that a new answer prompt does not redo extraction."""
        return fingerprint(dict(self.files))


def load_pack(config: DomainConfig) -> Pack:
    """Reads and checks the pack that `config` names. Raises ConfigError with file, cause and remedy."""
    folder = _folder(config)
    about = _about(folder / "pack.yaml")
    templates = _templates(folder / "prompts")
    system = templates.pop(_SYSTEM, "")
    prompts = {name: Prompt(name, template, system) for name, template in templates.items()}
    for name, (required, optional) in _PLACEHOLDERS.items():
        check_prompt(prompts[name], required, optional, str(folder / "prompts" / f"{name}.md"))
    paths = [folder / "pack.yaml", *sorted((folder / "prompts").glob("*.md"))]
    files = {path.relative_to(folder).as_posix(): sha256_hex(path.read_bytes()) for path in paths}
    return Pack(**about.model_dump(), prompts=prompts, files=files)


def shipped_packs() -> list[str]:
    """Names of the packs that come with the package."""
    return sorted(path.parent.name for path in PACKS.glob("*/pack.yaml"))


def _folder(config: DomainConfig) -> Path:
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
        raise ConfigError(
            f"{path} is missing",
            cause="the pack is not complete",
            remedy=f"copy the file from {PACKS / 'general'} and adapt it",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", remedy="save it as UTF-8 text") from None


def _about(path: Path) -> _PackFile:
    try:
        values: Any = yaml.safe_load(_read(path))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}", remedy="quote text that holds a colon or a brace") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds no keys", remedy=f"it needs {', '.join(_PackFile.model_fields)}")
    try:
        return _PackFile.model_validate({k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise ConfigError(
            f"{path} is not usable:\n" + "\n".join(f"  - {problem}" for problem in problems),
            remedy=f"its keys are {', '.join(_PackFile.model_fields)}; {PACKS / 'general' / 'pack.yaml'} is a model",
        ) from None


def _templates(folder: Path) -> dict[str, str]:
    """Prompt name -> text without the line break at its end. A file nobody reads is an error, not a surprise."""
    known = [*_PLACEHOLDERS, _SYSTEM]
    for path in sorted(folder.glob("*.md")):
        if path.stem not in known:
            near = difflib.get_close_matches(path.stem, known, n=1)
            raise ConfigError(
                f"{path}: no step uses a prompt of this name" + (f"; did you mean {near[0]}.md?" if near else ""),
                cause="a misspelt file name",
                remedy=f"prompts are {', '.join(f'{name}.md' for name in known)}",
            )
    templates = {name: _read(folder / f"{name}.md").rstrip("\n") for name in _PLACEHOLDERS}
    if (folder / f"{_SYSTEM}.md").exists():
        templates[_SYSTEM] = _read(folder / f"{_SYSTEM}.md").strip()
    return templates
