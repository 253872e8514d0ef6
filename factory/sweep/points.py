"""The points of a sweep: every combination of the values given, composed and checked before the first one starts.

Design: a point is a plain command. All of them are composed by the code that composes a plain command and every bad
one is named; a sweep with a point that cannot run starts nothing, because a slip costs a second to mend now and a
missing column of the comparison later. What goes wrong while a point runs is its own: the others go on (launch.py).
Two points that are the same run are worked once, and said to be. What would make points of one root spoil each other is
refused: one published version for all, or a list of published questions that each point reads and extends.

Cost: that of composing each command. No model is looked for: the machine that starts a sweep of jobs may have none.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from factory.config import FactoryConfig
from factory.engine.extra import identity_of_extra
from factory.errors import ConfigError
from factory.identity import fingerprint
from factory.run.overrides import MOST_VALUES, sweep_points, values_of
from factory.sweep.differences import NOT_TOLD, differing

MOST_POINTS = MOST_VALUES

SHOWN = 5
"""Bad points that are explained; all are counted."""


@dataclass(frozen=True)
class Point:
    """One run of a sweep. `overrides` is its whole command, `varied` the part that not every point has, `differs` what
    that makes of its configuration (dotted key -> value). `identity` names the run as far as the command
    does: which files its models are is known where they lie. `same_as`: an earlier point that is the same run."""

    number: int
    overrides: tuple[str, ...]
    varied: tuple[str, ...]
    config: FactoryConfig
    differs: dict[str, Any]
    identity: str
    same_as: int | None = None

    @property
    def name(self) -> str:
        return " ".join(self.varied) or "the only point"


def points_of(overrides: Sequence[str]) -> list[Point]:
    """The points that a command line of `KEY=A,B` items asks for, the last key varying fastest.

    Raises ConfigError where there is none, where one cannot be composed, and where points would spoil each other.
    """
    from factory.run.compose import CONF, compose

    counts = [len(values_of(item, CONF)) for item in overrides]
    if empty := [item for item, count in zip(overrides, counts, strict=True) if not count]:
        raise ConfigError(
            f"the sweep has no points: {', '.join(empty)} has no values",
            cause="a range that ends where it begins, or a choice of nothing",
            remedy="list the values: -m KEY=A,B,C, or KEY=range(1,4)",
        )
    if math.prod(counts) > MOST_POINTS:
        raise ConfigError(
            f"the sweep has more than {MOST_POINTS:,} points",
            cause="every combination of all values is a point",
            remedy="sweep over fewer keys at a time: points of later sweeps share what they have in common with these",
        )
    composed: list[tuple[list[str], FactoryConfig]] = []
    wrong: list[tuple[str, ConfigError]] = []
    asked = sweep_points(overrides, CONF)
    varied = [tuple(item for item in point if item not in overrides) for point in asked]
    for number, (point, own) in enumerate(zip(asked, varied, strict=True), 1):
        try:
            composed.append((point, compose(point)))
        except ConfigError as error:
            wrong.append((f"point {number} of {len(asked)} ({' '.join(own)})", error))
    if wrong:
        raise _refused(wrong, len(asked))
    _require_one_place([config for _, config in composed])
    _require_ports(composed[0][1])
    differs = differing([config.model_dump(mode="json") for _, config in composed])
    points: list[Point] = []
    first: dict[str, int] = {}
    for number, ((point, config), own, told) in enumerate(zip(composed, varied, differs, strict=True), 1):
        identity = identity_of(config)
        same_as = first.setdefault(identity, number)
        points.append(
            Point(
                number,
                tuple(point),
                own,
                config,
                told,
                identity,
                None if same_as == number else same_as,
            )
        )
    _require_own_versions(points)
    _require_no_feedback(points)
    return points


def identity_of(config: FactoryConfig) -> str:
    """What makes two points the same run, wherever their models lie."""
    extra = identity_of_extra(config.engine.kind, config.engine.extra)
    return fingerprint({"recipe": config.recipe(), "engine": config.engine.kind, "extra": extra})


def sweep_id_of(points: Sequence[Point]) -> str:
    """16 hexadecimal digits; the same runs are the same sweep, in whatever order and on whatever cluster."""
    return fingerprint(sorted({point.identity for point in points}))[:16]


def _refused(wrong: Sequence[tuple[str, ConfigError]], points: int) -> ConfigError:
    if points == 1:
        return wrong[0][1]
    said = "\n".join(f"  {name}: {error.what}" for name, error in wrong[:SHOWN])
    more = f"\n  … and {len(wrong) - SHOWN} more" if wrong[SHOWN:] else ""
    return ConfigError(
        f"{len(wrong)} of the {points} points of this sweep cannot run, and nothing was started:\n{said}{more}",
        cause=wrong[0][1].cause,
        remedy=wrong[0][1].remedy,
    )


def _require_one_place(configs: Sequence[FactoryConfig]) -> None:
    for section in NOT_TOLD:
        if any(getattr(config, section) != getattr(configs[0], section) for config in configs):
            raise ConfigError(
                f"the points of a sweep have different keys of `{section}`",
                cause="it says where and how all points are worked and watched; they share steps only below one root",
                remedy=f"give {section}.* one value, or start a command for each",
            )


def _require_ports(config: FactoryConfig) -> None:
    if config.sweep.at_once > 1 and config.observe.metrics_port:
        raise ConfigError(
            f"{config.sweep.at_once} points at a time cannot all serve metrics at port {config.observe.metrics_port}",
            cause="sweep.at_once is above 1, and a port is one process's",
            remedy="set observe.metrics_port=0 for any free port, and observe.metrics_discovery to find them",
        )


def _require_own_versions(points: Sequence[Point]) -> None:
    named = Counter(
        (point.config.publish.name, point.config.publish.version)
        for point in points
        if point.config.publish.version is not None and point.same_as is None
    )
    for (name, version), count in named.items():
        if count > 1:
            raise ConfigError(
                f"{count} points would publish {name} {version}, and a version is one dataset",
                cause="publish.version is the same for points that give different rows",
                remedy="leave publish.version out (each dataset is named by its content), or give publish.name or "
                "publish.version a value for each point",
            )


def _require_no_feedback(points: Sequence[Point]) -> None:
    indexes = [point.config.curate.index for point in points if point.same_as is None]
    if len(indexes) > 1 and any(index.register for index in indexes) and any(index.use for index in indexes):
        raise ConfigError(
            "each point would leave out what the points before it have published",
            cause="curate.index.use compares with published questions, and curate.index.register adds a point's own "
            "(preset=production sets both)",
            remedy="add curate.index.register=false: then all points leave out what was published before the sweep",
        )
