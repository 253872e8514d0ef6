"""The command line of `python -m jobs.submit`, read: its options and Hydra's overrides."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from factory.errors import ConfigError

FLAGS = ("--detach", "--list", "--dry-run", "--no-package")
WITH_ID = ("--attach", "--stop")
WITH_VALUE = (*WITH_ID, "--job")
ENTRIES = ("run", "train_selector")

INSTEAD = ("--attach", "--stop", "--list", "--dry-run")
"""What is done instead of submitting: one of them at a time."""


@dataclass(frozen=True)
class Asked:
    """A command line, read: `options` by name (a flag's value is empty), and Hydra's overrides."""

    options: Mapping[str, str]
    overrides: tuple[str, ...]


def read(arguments: Sequence[str]) -> Asked:
    """Raises ConfigError for an option that there is not, one without its value, and two that exclude each other."""
    options: dict[str, str] = {}
    overrides: list[str] = []
    items = iter(arguments)
    for item in items:
        name, _, value = item.partition("=")
        if not item.startswith("-"):
            overrides.append(item)
        elif name in FLAGS and not value:
            options[name] = ""
        elif name in WITH_VALUE:
            options[name] = _value(name, value or next(items, ""))
        else:
            raise _unknown(name)
    entry = options.get("--job", ENTRIES[0])
    if entry not in ENTRIES:
        raise ConfigError(f"--job {entry}: there is no such job", remedy=f"choose one of: {', '.join(ENTRIES)}")
    _require_one(options)
    return Asked(options, tuple(overrides))


def _value(name: str, value: str) -> str:
    what = "NAME" if name == "--job" else "ID"
    if not value or value.startswith("-"):
        raise ConfigError(f"{name} is given without a value", remedy=f"write {name} {what}{_listing(name)}")
    if name in WITH_ID and any(mark in value for mark in "=:/"):
        is_override = "=" in value.partition("://")[0]
        address = value if is_override else f"cluster.address={value}"
        raise ConfigError(
            f"{name} {value}: that is no job's id",
            cause="an option stands where the id belongs" if is_override else "it is an address",
            remedy=f"write {name} ID {address}{_listing(name)}",
        )
    return value


def _listing(name: str) -> str:
    return "; --list shows the ids" if name in WITH_ID else ""


def _unknown(name: str) -> ConfigError:
    if name in ("-m", "--multirun"):
        return ConfigError(
            f"{name}: a sweep is no single job",
            cause="jobs.submit sends one run",
            remedy="`python -m jobs.run -m KEY=A,B sweep.jobs=true cluster=ray cluster.address=…` makes each point a "
            "job (docs/sweeps.md)",
        )
    near = difflib.get_close_matches(name, [*FLAGS, *WITH_VALUE], n=1, cutoff=0.6)
    return ConfigError(
        f"{name}: there is no such option",
        cause="a slip in its name",
        remedy=f"did you mean `{near[0]}`?" if near else "`python -m jobs.submit --help` lists them",
    )


def _require_one(options: Mapping[str, str]) -> None:
    excluding = [*itertools.combinations(INSTEAD, 2), ("--attach", "--detach")]
    for one, other in excluding:
        if one in options and other in options:
            raise ConfigError(
                f"{one} and {other} exclude each other",
                cause="a job that is attached to is not left at once" if other == "--detach" else "each does one thing",
                remedy="give one of them; nothing was done",
            )
