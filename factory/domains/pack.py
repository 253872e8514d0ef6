"""A domain pack: the folder that makes the factory good at one field of study.

Design: everything that changes with the field lies in one folder, nearly all of it text, so that a user adds a field
without code: `pack.yaml` (contract.py has its keys) and one file a prompt under `prompts/`. `system.md` there is
optional and goes before every prompt. A pack that says `extends: general` takes from that pack every key, prompt and
file it does not give itself, one level deep: whoever reads a pack looks into two folders at most. A variant is a folder
`prompts/<variant>/` whose files come before those beside it. All of it is read and checked once, before anything
starts; the loaded pack is plain data and travels to workers pickled, its `checks.py` as path and hash (pack_code.py).
Packs that come with the package lie beside this module; another is named by `domain.path`. What only level 3 or the
training of a domain classifier needs is optional: four prompts, and `syllabus.yaml` (syllabus.py).

Cost: a few files, about a millisecond.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from factory.domains.config import DomainConfig
from factory.domains.contract import OPTIONAL_PLACEHOLDERS, PLACEHOLDERS, SYSTEM, PackFile, inherited
from factory.domains.pack_code import PackCode
from factory.domains.prompt import Prompt, check_prompt
from factory.domains.template import FIELD_PROMPT, with_field, with_levels
from factory.errors import ConfigError
from factory.identity import fingerprint, sha256_hex
from factory.section import checked
from factory.yaml_text import parse_yaml

PACKS = Path(__file__).parent

SYLLABUS = "syllabus.yaml"
CHECKS = "checks.py"
RENAMED = {"biomedicine": "biomedical"}
"""Packs that were called otherwise once; records of old runs still say so."""

DATA = "data"
"""Folder of a pack for what its checks.py reads: vocabularies, tables."""


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
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    hints: str = ""
    subjects: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    strata: tuple[str, ...] = ()
    benchmarks: tuple[str, ...] = ()
    checks: PackCode | None = None

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
    values, base = pack_values(folder)
    about = _checked(values, folder / "pack.yaml")
    found = prompt_files(folder, base, config.variant)
    if missing := [name for name in PLACEHOLDERS if name not in found]:
        raise _missing(folder / "prompts" / f"{missing[0]}.md")
    system = _read(found.pop(SYSTEM)).strip() if SYSTEM in found else ""
    prompts = {name: _prompt(name, path, system, about, path.is_relative_to(folder)) for name, path in found.items()}
    files = _files(folder, "") | (_files(base, f"extends/{base.name}/") if base is not None else {})
    return Pack(
        **about.model_dump(exclude={"extends", "levels_of_examples"}),
        prompts=prompts,
        files=files,
        checks=_checks(folder, base),
    )


def pack_values(folder: Path) -> tuple[dict[str, Any], Path | None]:
    """The keys of the pack in `folder` with those that it inherits, and the folder of the pack it extends. Raises
    ConfigError; of its own keys only `extends` is checked."""
    values = read_yaml(folder / "pack.yaml")
    base = base_folder(folder, values.get("extends"))
    if base is None:
        return values, None
    below = read_yaml(base / "pack.yaml")
    _checked(below, base / "pack.yaml")
    return inherited(below, values), base


def prompt_files(folder: Path, base: Path | None, variant: str | None) -> dict[str, Path]:
    """Prompt -> the file that is used: of the pack itself before those of the one it extends, in each folder that of
    the variant before the plain one. Raises ConfigError for a variant that neither has, and for files nobody reads."""
    folders = [place / "prompts" for place in (base, folder) if place is not None]
    variants = variants_of(folder, base)
    if variant is not None and variant not in variants:
        near = difflib.get_close_matches(variant, variants, n=1)
        raise ConfigError(
            f"domain.variant={variant}: the pack in {folder} has no such variant"
            + (f"; did you mean `{near[0]}`?" if near else ""),
            cause=f"variants that are there: {', '.join(variants) or 'none'}",
            remedy=f"use one of these, or put prompts into {folder / 'prompts' / variant}",
        )
    found: dict[str, Path] = {}
    for place in folders:
        for each in (None, *variants):
            names = _prompt_names(place / each if each else place)
            if each in (None, variant):
                found |= names
    return found


def variants_of(folder: Path, base: Path | None) -> list[str]:
    """Names of the prompt variants of a pack and of the one it extends."""
    folders = [place / "prompts" for place in (folder, base) if place is not None]
    return sorted({path.name for place in folders for path in place.glob("*/") if any(path.glob("*.md"))})


def _prompt(name: str, path: Path, system: str, about: PackFile, own: bool) -> Prompt:
    template = _read(path).rstrip("\n")
    if not own:
        template = with_levels(template, about.levels_of_examples)
    if name == FIELD_PROMPT:
        template = with_field(template, about.hints, list(about.subjects), path)
    prompt = Prompt(name, template, system)
    check_prompt(prompt, *{**PLACEHOLDERS, **OPTIONAL_PLACEHOLDERS}[name], str(path))
    return prompt


def _checks(folder: Path, base: Path | None) -> PackCode | None:
    """The pack's own code, or that of the pack it extends."""
    for place in (folder, base):
        if place is not None and (place / CHECKS).is_file():
            return PackCode.of(place / CHECKS, [path for path in _paths(place) if _is_read_by_checks(path, place)])
    return None


def _is_read_by_checks(path: Path, folder: Path) -> bool:
    return path.relative_to(folder).parts[0] == DATA or (path.suffix == ".py" and path.name != CHECKS)


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
            remedy=f"these can be extended: {', '.join(_alone())}",
        )
    base = PACKS / extends
    if base.resolve() == folder.resolve():
        raise ConfigError(f"{path}: the pack extends itself", remedy="take the line `extends:` out")
    further = read_yaml(base / "pack.yaml").get("extends")
    if further is not None:
        raise ConfigError(
            f"{path} extends {extends}, which extends {further} itself",
            cause="packs are extended one level deep, so that two folders say everything",
            remedy=f"extend {further}, and copy what you need of {extends}",
        )
    return base


def _paths(folder: Path) -> list[Path]:
    """The files that make a pack what it is, sorted. What else lies there (notes, items for `factory domain check`,
    reasons for reviewers) changes no row."""
    named = [*(folder / name for name in ("pack.yaml", SYLLABUS)), *folder.glob("*.py")]
    below = [folder.glob("prompts/*.md"), folder.glob("prompts/*/*.md"), folder.glob("rubrics/*.yaml")]
    data = folder.glob(f"{DATA}/**/*")
    return sorted(path for path in (*named, *itertools.chain(*below), *data) if path.is_file())


def _files(folder: Path, prefix: str) -> dict[str, str]:
    return {prefix + path.relative_to(folder).as_posix(): sha256_hex(path.read_bytes()) for path in _paths(folder)}


def _alone() -> list[str]:
    """Packs that extend none, and so can be extended."""
    return [name for name in shipped_packs() if read_yaml(PACKS / name / "pack.yaml").get("extends") is None]


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
        near = (
            [RENAMED[config.name]] if config.name in RENAMED else difflib.get_close_matches(config.name, shipped, n=1)
        )
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


def _checked(values: Mapping[str, Any], path: Path) -> PackFile:
    try:
        return checked(PackFile, values)
    except ConfigError as error:
        raise ConfigError(
            error.what.replace("the configuration is not usable", f"{path} is not usable", 1),
            remedy=f"its keys are {', '.join(PackFile.model_fields)}; {PACKS / 'general' / 'pack.yaml'} is a model",
        ) from None


def _prompt_names(folder: Path) -> dict[str, Path]:
    """Prompt name -> file. A file nobody reads is an error, not a surprise."""
    known = [*PLACEHOLDERS, *OPTIONAL_PLACEHOLDERS, SYSTEM]
    paths = sorted(folder.glob("*.md"))
    for path in paths:
        if path.stem not in known:
            near = difflib.get_close_matches(path.stem, known, n=1)
            raise ConfigError(
                f"{path}: no step uses a prompt of this name" + (f"; did you mean {near[0]}.md?" if near else ""),
                cause="a misspelt file name",
                remedy=f"prompts are {', '.join(f'{name}.md' for name in known)}",
            )
    return {path.stem: path for path in paths}
