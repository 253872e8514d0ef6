"""Keys of `governance`: who answers for the dataset, what it is for, and what must hold before it is approved.

Design: none of these keys changes a row, so none is part of the run's identity; what stands here when a dataset is
published goes into its manifest, and every document of the bundle takes it from there. Nothing is filled in by
default: a document says "not stated" where the publisher has said nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from factory.conditions import parse_condition
from factory.section import Section

Text = Annotated[str, Field(min_length=1, max_length=4000)]


def _condition(text: str) -> str:
    try:
        parse_condition(text)
    except ValueError as error:
        raise ValueError(f"{error}: write FIGURE>=NUMBER (docs/approval.md)") from None
    return text


Conditions = tuple[Annotated[str, Field(min_length=3, max_length=300), AfterValidator(_condition)], ...]


class ThresholdsConfig(Section):
    """Conditions on the figures of `python -m jobs.evaluate`, FIGURE>=NUMBER (docs/approval.md lists the figures)."""

    utility: Conditions = ()
    bias: Conditions = ()
    privacy: Conditions = ()


Url = Annotated[str, Field(pattern=r"^https?://\S+$", max_length=2000)]


class ModelStatementConfig(Section):
    """What you know of a model that worked on the rows, beyond its licence."""

    name: Text = Field(description="the model's id, as in model.id")
    supplier: Text | None = Field(default=None, description="who published the weights")
    released: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$", description="when: a date, YYYY-MM-DD")
    location: Url | None = Field(default=None, description="where the weights are downloaded")
    summary: Url | None = Field(
        default=None, description="the public summary of its training content (EU AI Act, Article 53(1)(d))"
    )


class GovernanceConfig(Section):
    owner: Text | None = Field(default=None, description="person or organisation that answers for the dataset")
    contact: Text | None = Field(default=None, description="e-mail address or URL of the owner")
    homepage: Text | None = Field(default=None, description="where the dataset will be found: a URL")
    approvers: tuple[Text, ...] = Field(default=(), description="who may approve; empty: whoever can write the root")
    intended_uses: tuple[Text, ...] = ()
    prohibited_uses: tuple[Text, ...] = ()
    legal_basis: Text | None = Field(default=None, description="on what ground the source documents are processed")
    licence_policy: Text | None = Field(default=None, description="which licences of sources are accepted, and why")
    collection: Text | None = Field(default=None, description="how and when the source corpus was collected")
    crawled: bool | None = Field(default=None, description="whether sources were crawled from the web by the owner")
    crawlers: tuple[Text, ...] = Field(default=(), description="names of the crawlers, where sources were crawled")
    public_datasets: tuple[Text, ...] = Field(
        default=(), description="publicly available datasets among the sources: name and link"
    )
    user_data: bool | None = Field(default=None, description="whether sources hold data from users of your services")
    rights_reservation: Text | None = Field(
        default=None, description="how reservations of rights against text and data mining were respected"
    )
    illegal_content: Text | None = Field(default=None, description="how illegal content was kept out of the sources")
    models: tuple[ModelStatementConfig, ...] = Field(default=(), description="who made the models, when, and where")
    known_bias: tuple[Text, ...] = ()
    limitations: tuple[Text, ...] = ()
    social_impact: Text | None = None
    personal_data: Literal["yes", "no", "unknown"] = Field(
        default="unknown", description="whether sources hold sensitive personal information"
    )
    confidentiality: Literal["red", "amber", "green", "clear"] | None = Field(
        default=None, description="traffic-light protocol, as SPDX names it"
    )
    maintenance: Text | None = Field(default=None, description="who repairs the dataset, how often, and how to ask")
    retention_days: int | None = Field(
        default=None, ge=0, description="days after which raw requests are to be removed (`factory retention`)"
    )
    review_board: Text | None = Field(default=None, description="reference of the review board's decision")
    thresholds: ThresholdsConfig = ThresholdsConfig()


def contradictions_in(governance: GovernanceConfig) -> Iterator[str]:
    """What cannot be so. Asked of a configuration before it runs, and not of manifests that were published with it."""
    if governance.crawled is False and governance.crawlers:
        yield (
            f"governance.crawlers names {', '.join(governance.crawlers)}, and governance.crawled=false says that no "
            "source was crawled: leave out one of them"
        )
    for model in governance.models:
        if model.released is not None and not _is_date(model.released):
            yield f"governance.models: {model.name} cannot have been released on {model.released}: there is no such day"


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
