"""What a run is made of before any row is read: configuration, pack, models, tokenizer, run id.

Design: everything that can fail early fails here: the pack's files, the models' files, the tokenizer.
Models are resolved to content hashes, so that a fingerprint names weights and not a folder. The scripted
engine is a model of its own: a dry run never shares outputs with a real one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from factory.config import FactoryConfig
from factory.domains.pack import Pack, load_pack
from factory.engine.config import ModelConfig
from factory.engine.extra import identity_of_extra
from factory.engine.models import ResolvedModel, resolve
from factory.engine.tokenizer import Tokenizer
from factory.run.record import run_id_of

WORDS = "words"
"""The tokenizer that needs no files: words and punctuation marks."""


@dataclass(frozen=True)
class Settings:
    """`models` by role: "generator" (extraction and questions), "answerer" and, where answers are judged, "judge"."""

    config: FactoryConfig
    pack: Pack
    models: Mapping[str, ResolvedModel]
    tokenizer: Tokenizer
    run: str

    @property
    def tokenizer_name(self) -> str:
        """What rows, files and the manifest call the tokenizer that counted their tokens."""
        identity = self.tokenizer.identity()
        return WORDS if self.tokenizer.name == WORDS else f"{self.models['generator'].id}@{identity['sha256'][:12]}"

    def model_config(self, role: str) -> ModelConfig:
        own = {"answerer": self.config.answer.model, "judge": self.config.judge.model}.get(role)
        return own or self.config.model

    def model_identity(self, role: str) -> dict[str, Any]:
        """What of a model can change a row: its content, number format and context length, and what of `engine.extra`
        is no tuning. A configuration without any keeps the identity it had before that was looked at."""
        config = self.model_config(role)
        identity = {**self.models[role].identity(), "dtype": config.dtype, "max_model_len": config.max_model_len}
        extra = identity_of_extra(self.config.engine.kind, self.config.engine.extra)
        return {**identity, "engine_extra": extra} if extra else identity


def load_settings(config: FactoryConfig) -> Settings:
    """Raises ConfigError for a pack, model or tokenizer that is not there."""
    pack = load_pack(config.domain)
    generator = resolve(config.model, config.engine.kind)
    answerer = resolve(config.answer.model, config.engine.kind) if config.answer.model else generator
    models = {"generator": generator, "answerer": answerer}
    if config.judge.rubric is not None:
        models["judge"] = resolve(config.judge.model, config.engine.kind) if config.judge.model else generator
    identities: dict[str, Any] = {role: model.identity() for role, model in models.items()}
    if extra := identity_of_extra(config.engine.kind, config.engine.extra):
        identities["engine_extra"] = extra
    return Settings(config, pack, models, tokenizer_for(config, generator), run_id_of(config, identities))


def tokenizer_for(config: FactoryConfig, model: ResolvedModel) -> Tokenizer:
    """The named tokenizer, else the model's own; words where the model's files are not here."""
    return Tokenizer(config.model.tokenizer or model.path or WORDS)
