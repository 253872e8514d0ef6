"""The command line's `KEY=VALUE` items, before Hydra composes them: what is doubled, what is a sweep.

Design: Hydra's own parser reads the items, so quoting, lists and sweeps mean what its documentation says. A
sweep is expanded here, to plain overrides a point: every point is then composed and checked by the code that
composes a plain command, and Hydra's launcher writes no files beside the caller.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from factory.errors import ConfigError
from factory.sweep.differences import NOT_TOLD

OWN_OPTIONS = ("-m", "--multirun", "-h", "--help")
HYDRA_OPTIONS = ("--cfg", "-c", "--info", "-i", "--hydra-help", "--resolve", "--package", "-p")
"""Hydra's flags that print and run nothing."""

MOST_VALUES = 1000
"""A range that was meant as an interval has millions, and would be listed before anybody could say so."""


def check_overrides(overrides: Sequence[str], conf: Path) -> None:
    """Raises ConfigError for what is no KEY=VALUE, several values for a key, a group of `conf` that is given no name,
    and settings of Hydra's own."""
    groups = groups_of(conf)
    given: dict[str, Any] = {}
    for item in overrides:
        override = _parsed(item)
        key = override.key_or_group + (f"@{override.package}" if override.package else "")
        if key.split("/")[0].split(".")[0] == "hydra":
            raise ConfigError(
                f"{item}: Hydra's own settings have no effect here",
                cause="the factory keeps its own records, and works sweeps by itself",
                remedy="leave it out; `-m KEY=A,B` is a sweep, sweep.at_once and sweep.jobs say how it is worked",
            )
        if override.is_sweep_override():
            raise ConfigError(
                f"{item} gives {key} several values",
                cause="several values are a sweep, one run each",
                remedy=f"add -m to `python -m jobs.run` to run them all; one value that is a list is written {key}=[…]",
            )
        if override.is_delete():
            continue
        if override.key_or_group in groups and not isinstance(override.value(), str | list | dict):
            raise ConfigError(
                f"{item}: {key} is a group, and is chosen by name",
                remedy=f"choose one of: {', '.join(options_of(conf, override.key_or_group))}",
            )
        before = given.setdefault(key, override)
        if before is not override and before.value() != override.value():  # nan differs from itself
            raise ConfigError(
                f"{key} is given twice: {before.input_line} and {override.input_line}",
                cause="two commands were joined, or a value was changed by adding it again",
                remedy=f"give {key} once; {_for_both(key)}",
            )


def _for_both(key: str) -> str:
    """How two values of a key are run: below one root and in one place there is one sweep (sweep/points.py)."""
    if key.partition(".")[0] in NOT_TOLD:
        return f"a sweep has one value of {key}, so for both start a command for each"
    return f"`-m {key}=A,B` runs both"


def sweep_points(overrides: Sequence[str], conf: Path) -> list[list[str]]:
    """The overrides of every point of a sweep, the last key varying fastest, as Hydra's basic sweeper has it.

    `conf` is the folder of configuration groups, for `glob`. Raises ConfigError for what cannot be listed.
    """
    return [list(point) for point in itertools.product(*(values_of(item, conf) for item in overrides))]


def values_of(item: str, conf: Path) -> list[str]:
    """The plain items that an item of a sweep stands for, itself where it has one value; of more than MOST_VALUES no
    more than one beyond. Raises ConfigError for what cannot be listed."""
    from hydra.core.override_parser.types import Glob, ValueType
    from omegaconf.errors import OmegaConfBaseException

    override = _parsed(item)
    if not override.is_sweep_override():
        return [item]
    key = override.get_key_element()
    if override.value_type == ValueType.GLOB_CHOICE_SWEEP:
        glob = override.value()
        assert isinstance(glob, Glob)
        found = [f"{key}={name}" for name in glob.filter(options_of(conf, override.key_or_group))]
        if found:
            return found
    elif override.is_discrete_sweep():
        try:
            return [f"{key}={value}" for value in itertools.islice(override.sweep_string_iterator(), MOST_VALUES + 1)]
        except OmegaConfBaseException:
            raise ConfigError(
                f"{item}: a value of the sweep is itself a sweep",
                cause="a choice or a range within another",
                remedy=f"list all values side by side: -m {key}=A,B,C",
            ) from None
    raise ConfigError(
        f"{item} has no values that could be listed",
        cause="an interval is for samplers, and a glob is for the options of a group",
        remedy=f"list them: -m {key}=A,B,C, or {key}=range(1,4)",
    )


def groups_of(conf: Path) -> list[str]:
    return sorted(path.name for path in conf.iterdir() if path.is_dir())


def options_of(conf: Path, group: str) -> list[str]:
    return sorted(path.stem for path in (conf / group).glob("*.yaml"))


def check_options(arguments: Sequence[str]) -> None:
    """Raises ConfigError for an option that does not exist, with the nearest that does."""
    known = (*OWN_OPTIONS, *HYDRA_OPTIONS)
    for item in arguments:
        option = item.split("=")[0]
        if option.startswith("-") and option not in known:
            near = difflib.get_close_matches(option, known, n=1, cutoff=0.6)
            as_key = option.lstrip("-")
            raise ConfigError(
                f"{option}: there is no such option",
                cause="keys of the configuration are given without dashes" if "=" in item else "a slip in its name",
                remedy=f"did you mean `{near[0]}`?"
                if near
                else f"write {as_key}=VALUE; `python -m jobs.run --help` lists what can be given",
            )


def _parsed(item: str) -> Any:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(item)
    except HydraException as error:
        said = str(error).splitlines()[0]
        bare = "=" not in item
        raise ConfigError(
            f"{item}: it is given without a value" if bare else f"{item} cannot be read: {said}",
            cause="a forgotten `=VALUE`" if bare else "the shell took a quote or a bracket away, or one is missing",
            remedy=f"write {item}=VALUE"
            if bare
            else "put the whole item into quotes: 'KEY=[a,b]', or \"KEY='a text, with commas'\"",
        ) from None
