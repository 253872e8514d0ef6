"""How walks are drawn and matched: section `walk` of the configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from factory.section import Section, Share


class WalkConfig(Section):
    """Walks over the concept graph. The defaults are the paper's (arXiv 2503.19551, section 4.2, eq. 6); where it
    says nothing, the description does."""

    epochs: int = Field(default=5, ge=1, le=10_000, description="walks that begin at each topic; paper: 5")
    min_topic_steps: int = Field(default=1, ge=0, le=8, description="paper: 1-2")
    max_topic_steps: int = Field(default=2, ge=0, le=8)
    min_concept_steps: int = Field(default=3, ge=0, le=16, description="after the first concept; paper: 3-4")
    max_concept_steps: int = Field(default=4, ge=0, le=16)
    epsilon: float = Field(default=1e-6, ge=0, le=1e6, description="added to a frequency; paper: small, not stated")
    temperature: float = Field(
        default=1.0, ge=0.05, le=100, description="frequency^(1/temperature); paper: 1; above it rare pairs gain"
    )
    revisit: Literal["allow", "never"] = Field(
        default="allow", description="never: a step goes to nodes that the walk has not been at; paper: not stated"
    )
    max_doc_freq_share: Share | None = Field(
        default=None, description="no step goes to a node that a larger share of all passages holds; null: off"
    )
    hub_exponent: float = Field(default=0.0, ge=0, le=4, description="weight x (document frequency)^-h; 0: off")
    coverage_exponent: float = Field(
        default=0.0, ge=0, le=8, description="weight x (1 + visits in earlier rounds)^-c (LinkSyn); 0: off"
    )
    implicit_share: Share = Field(
        default=0.0, description="share of concept steps that go two edges, to no neighbour (GRIP); 0: off"
    )
    within_subject: bool = Field(
        default=False, description="true: all nodes of a walk occur in passages of one subject, drawn with its start"
    )
    block_walks: int = Field(
        default=65_536,
        ge=64,
        le=2**22,
        description="walks a unit; a graph beyond cache_mib is read anew for each of a unit's 6-8 steps",
    )
    cache_mib: int = Field(
        default=8192,
        ge=0,
        le=2**24,
        description="MiB of graph kept in the temporary folder of each machine, 8 bytes an edge; changes no walk",
    )

    @model_validator(mode="after")
    def _ordered(self) -> WalkConfig:
        for name in ("topic_steps", "concept_steps"):
            low, high = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            if low > high:
                raise ValueError(f"walk.min_{name}={low} is above walk.max_{name}={high}")
        return self


class PairConfig(Section):
    """Which two passages a walk is grounded in."""

    measure: Literal["jaccard", "containment"] = Field(
        default="jaccard",
        description="of the walk's and a passage's nodes; containment: share of the walk's; paper: jaccard",
    )
    candidates: int = Field(
        default=16, ge=2, le=256, description="documents looked at for the second passage before near-duplicates win"
    )
    near_duplicate: float = Field(
        default=0.7, gt=0, le=1, description="estimated Jaccard of two texts from which they are no pair"
    )
    unit_rows: int = Field(
        default=256, ge=1, le=10_000, description="pairs a file: 1-3 minutes of engine time of the question step"
    )
