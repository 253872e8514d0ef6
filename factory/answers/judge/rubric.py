"""A rubric: what a judge looks at, as a file that people can read, change and version.

Design: YAML in the domain pack (`rubrics/<name>.yaml`) or anywhere else. Every score of a scale says what it means,
because a bare "1 to 5" leaves the meaning to the model (Prometheus, Kim et al. 2024, arXiv 2310.08491, section 2). The
judge writes its reason before its score, criterion by criterion (G-Eval, Liu et al. 2023, arXiv 2303.16634, section 2).
The judge's score is the weighted mean of the criteria, each brought to [0, 1] by the ends of its own scale.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from factory.concepts.extract import closed_object
from factory.domains.config import DomainConfig
from factory.domains.pack import base_folder, pack_folder, read_yaml
from factory.errors import ConfigError
from factory.identity import fingerprint
from factory.section import Section

REASON_CHARACTERS = 400
"""About 100 tokens: one or two sentences. Without a bound a model that will not end takes the scores with it."""

FOLDER = "rubrics"


class Criterion(Section):
    """`scale` maps every score that may be given to what it means."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    description: str = Field(min_length=1)
    weight: float = Field(default=1, gt=0)
    scale: dict[int, str] = Field(min_length=2, max_length=11)

    @property
    def scores(self) -> list[int]:
        return sorted(self.scale)

    def share(self, score: int) -> float:
        """A score as a place on its scale, in [0, 1]."""
        return (score - self.scores[0]) / (self.scores[-1] - self.scores[0])


class Rubric(Section):
    """`document` says whether the judge is shown the passages that an answer was made from."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    description: str = Field(min_length=1)
    document: bool = True
    criteria: tuple[Criterion, ...] = Field(min_length=1, max_length=16)

    @field_validator("criteria")
    @classmethod
    def _names_differ(cls, criteria: tuple[Criterion, ...]) -> tuple[Criterion, ...]:
        if len({criterion.name for criterion in criteria}) < len(criteria):
            raise ValueError("two criteria have one name")
        return criteria

    @cached_property
    def rubric_id(self) -> str:
        """Hash of everything a judge is told; what identity and lineage hold."""
        return fingerprint(self.model_dump(mode="json"))

    @cached_property
    def text(self) -> str:
        """The criteria as the prompt shows them."""
        blocks = []
        for criterion in self.criteria:
            lines = [f"  {score}: {criterion.scale[score]}" for score in criterion.scores]
            blocks.append("\n".join([f"- {criterion.name}: {criterion.description}", *lines]))
        return "\n".join(blocks)

    @cached_property
    def response_schema(self) -> dict[str, Any]:
        reason = {"type": "string", "minLength": 1, "maxLength": REASON_CHARACTERS}
        return closed_object(
            {
                criterion.name: closed_object(
                    {"reason": reason, "score": {"type": "integer", "enum": criterion.scores}}
                )
                for criterion in self.criteria
            }
        )

    def overall(self, scores: Mapping[str, int]) -> float:
        """Weighted mean in [0, 1] of a score a criterion."""
        total = sum(criterion.weight for criterion in self.criteria)
        return sum(criterion.weight * criterion.share(scores[criterion.name]) for criterion in self.criteria) / total


def load_rubric(name: str, domain: DomainConfig) -> Rubric:
    """The rubric `name`: a YAML file by its path, or one of the domain pack (or of the pack that it extends).

    Raises ConfigError where there is none, or it is not usable.
    """
    path = _find(name, domain)
    values = read_yaml(path)
    try:
        return Rubric.model_validate(_tuples(values))
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise ConfigError(
            f"{path} is not a usable rubric:\n" + "\n".join(f"  - {problem}" for problem in problems),
            remedy="docs/judge.md shows the format; factory/domains/general/rubrics/answer.yaml is a model",
        ) from None


def _find(name: str, domain: DomainConfig) -> Path:
    own = Path(name).expanduser()
    if own.suffix in (".yaml", ".yml"):
        if own.is_file():
            return own
        raise ConfigError(
            f"judge.rubric={name}: there is no such file",
            cause="a misspelt path, or one relative to another folder",
            remedy="give the path of a YAML file, or the name of a rubric in the domain pack",
        )
    folder = pack_folder(domain)
    base = base_folder(folder, read_yaml(folder / "pack.yaml").get("extends"))
    folders = [folder, *([base] if base else [])]
    for place in folders:
        if (path := place / FOLDER / f"{name}.yaml").is_file():
            return path
    known = sorted({path.stem for place in folders for path in (place / FOLDER).glob("*.yaml")})
    near = difflib.get_close_matches(name, known, n=1)
    raise ConfigError(
        f"judge.rubric={name}: the domain pack has no rubric of that name"
        + (f"; did you mean `{near[0]}`?" if near else ""),
        cause=f"rubrics of the pack: {', '.join(known) or 'none'}",
        remedy="use one of these, or give the path of your own YAML file",
    )


def _tuples(value: Any) -> Any:
    """Lists of YAML as the tuples that strict sections want."""
    if isinstance(value, Mapping):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
