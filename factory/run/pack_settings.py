"""What the domain pack of a run sets by default: `settings` of its pack.yaml, between the presets and the command line.

Design: they are composed by Hydra like every other source of values, as a node of the defaults list that stands behind
the presets (conf/config.yaml), so what a user types wins by Hydra's own rules. The pack is known only once the command
is composed, so a run whose pack has settings is composed twice. A pack makes the factory good at a field and has no say
in where data lies, what it runs on, or which model writes: only the keys of SETTABLE are taken, of those none of
REFUSED. They are held against the schema on their own, so that a slip is named with the pack's file.

Cost: a second composition, 0.13 s of a core, for packs that have settings.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.answers.config import AnswerConfig
from factory.answers.judge.config import JudgeConfig
from factory.concepts.config import ExtractConfig
from factory.concepts.walks.config import PairConfig, WalkConfig
from factory.curate.config import CurateConfig
from factory.domains.config import DomainConfig
from factory.domains.pack import pack_folder, pack_values
from factory.errors import ConfigError
from factory.publish.gates.config import GateConfig
from factory.questions.config import QuestionConfig
from factory.section import Section, checked
from factory.select.config import SelectConfig
from factory.tasks.config import TasksConfig


class Settable(Section):
    """The sections of a run's configuration that a pack may have a say in."""

    select: SelectConfig = SelectConfig()
    extract: ExtractConfig = ExtractConfig()
    walk: WalkConfig = WalkConfig()
    pair: PairConfig = PairConfig()
    question: QuestionConfig = QuestionConfig()
    curate: CurateConfig = CurateConfig()
    answer: AnswerConfig = AnswerConfig()
    judge: JudgeConfig = JudgeConfig()
    gate: GateConfig = GateConfig()
    tasks: TasksConfig = TasksConfig()


REFUSED: Mapping[str, str] = {
    "select.unit_rows": "it is the size of a piece of work",
    "select.language.model": "it names a file of one machine",
    "select.selector": "it names files of one machine",
    "curate.unit_rows": "it is the size of a piece of work",
    "curate.index": "it is about other datasets of one root",
    "curate.benchmarks": "it names files of one machine; the pack's key `benchmarks` names those to be held against",
    "curate.decontamination.embedding.model": "models are the run's choice",
    "curate.semantic.model": "models are the run's choice",
    "answer.model": "models are the run's choice",
    "answer.grounding.embedding": "models are the run's choice",
    "answer.verify.code.without_network_barrier": "who lowers the sandbox has to say so in the command",
    "tasks.program.sandbox.without_network_barrier": "who lowers the sandbox has to say so in the command",
    "judge.model": "models are the run's choice",
    "gate.canaries": "they are planted in one corpus",
    "gate.drift.against": "it names a dataset of one root",
}
"""Key below the sections of Settable -> why a pack cannot set it."""


@dataclass(frozen=True)
class PackSettings:
    """What a pack sets. `path` is its pack.yaml."""

    path: Path
    values: Mapping[str, Any]


def pack_settings(config: DomainConfig) -> PackSettings:
    """The settings of the pack that `config` names, with those of the pack it extends.

    Raises ConfigError for a pack that is not there, and for settings that are none, naming each by its key.
    """
    folder = pack_folder(config)
    path = folder / "pack.yaml"
    settings = pack_values(folder)[0].get("settings", {})
    if not isinstance(settings, Mapping):
        raise ConfigError(f"{path}: settings: it holds no keys", remedy=_REMEDY)
    problems = list(_refused(settings))
    if problems:
        raise ConfigError(
            f"{path}: settings that a pack cannot have:\n" + "\n".join(f"  - {problem}" for problem in problems),
            cause="a pack says how to treat its field; where, on what and with which model is the run's own business",
            remedy=_REMEDY,
        )
    try:
        checked(Settable, settings)
    except ConfigError as error:
        what = error.what.replace("the configuration is not usable", f"{path}: its settings are not usable", 1)
        raise ConfigError(what, cause=error.cause, remedy=_REMEDY) from None
    return PackSettings(path, _plain(settings))


_REMEDY = "sections a pack may set: " + ", ".join(Settable.model_fields) + "; `factory config` prints their keys"


def settings_for(domain: Any) -> PackSettings | None:
    """The settings of the pack that the composed section `domain` names; None where that is not usable, which the check
    of the whole configuration says better."""
    from omegaconf import OmegaConf

    try:
        values: Any = OmegaConf.to_container(domain) if OmegaConf.is_config(domain) else domain
        config = checked(DomainConfig, values)
    except (ConfigError, TypeError, ValueError):
        return None
    return pack_settings(config)


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value by its full path."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def told(settings: PackSettings, config: Mapping[str, Any]) -> Sequence[str]:
    """For people: each key that the pack sets, and where the command says otherwise."""
    lines = []
    for key, value in leaves(settings.values):
        now: Any = config
        for part in key.split("."):
            now = now[part]
        lines.append(f"{key}={_short(value)}" + ("" if now == value else f" (the command says {_short(now)})"))
    return lines


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _refused(settings: Mapping[str, Any]) -> Iterator[str]:
    for key, section in settings.items():
        if key not in Settable.model_fields:
            near = difflib.get_close_matches(str(key), Settable.model_fields, n=1)
            yield f"{key}: not a section that a pack sets" + (f"; did you mean `{near[0]}`?" if near else "")
        elif not isinstance(section, Mapping):
            yield f"{key}: it holds no keys"
        else:
            paths = [path for path, _ in leaves({key: section})]
            for name, why in REFUSED.items():
                if any(path == name or path.startswith(f"{name}.") for path in paths):
                    yield f"{name}: {why}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
