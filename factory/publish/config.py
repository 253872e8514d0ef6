"""Keys of `publish`: name, licence, shards and splits of the dataset."""

from __future__ import annotations

from pydantic import Field, model_validator

from factory.section import Section, Share


class PublishConfig(Section):
    name: str = Field(default="dataset", pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    version: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    license: str | None = Field(default=None, description="licence you give the dataset; null: the combined one")
    shard_mib: int = Field(default=128, ge=1, le=4096, description="target size of a shard")
    validation: Share = Field(default=0.02, description="share of documents whose rows go to validation")
    test: Share = Field(default=0.02, description="share of documents whose rows go to test")

    @model_validator(mode="after")
    def _version_is_free(self) -> PublishConfig:
        if self.version == "records":
            raise ValueError("publish.version=records is taken: datasets/<name>/records holds what comes after")
        return self

    @model_validator(mode="after")
    def _room_for_train(self) -> PublishConfig:
        if self.validation + self.test >= 1:
            raise ValueError("publish.validation and publish.test together leave nothing for train")
        return self
