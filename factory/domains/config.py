"""Keys of `domain`: which pack, and the terminologies that go with it."""

from __future__ import annotations

from pydantic import Field

from factory.section import Section
from factory.vocabulary.config import VocabularyConfig


class DomainConfig(Section):
    name: str = "general"
    path: str | None = Field(default=None, description="folder of your own pack; null: factory/domains/<name>")
    variant: str | None = Field(
        default=None, description="prompts/<variant>/ of the pack, such as zero_shot; null: the prompts with examples"
    )
    vocabulary: VocabularyConfig = VocabularyConfig()
