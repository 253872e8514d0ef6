"""Who uses a run's vocabulary: steps whose prompts hold {{vocabulary}}, and the checks of the domain pack."""

from __future__ import annotations

from collections.abc import Sequence

from factory.domains.config import DomainConfig
from factory.domains.pack import Pack
from factory.domains.prompt import VOCABULARY
from factory.errors import ConfigError
from factory.run.step import LlmStep
from factory.vocabulary.given import Vocabulary

VARIANT = "knowledge_infused"


def vocabulary_of(step: object) -> Vocabulary | None:
    """The vocabulary that a step's prompts or checks are given; None where they take none."""
    found = getattr(step, "vocabulary", None)
    return found if isinstance(found, Vocabulary) else None


def require_use(config: DomainConfig, pack: Pack, vocabulary: Vocabulary | None, steps: Sequence[LlmStep]) -> None:
    """Raises ConfigError for a variant whose prompts ask for a vocabulary that is not given, and for one that is given
    and that nothing of the run would look at."""
    if vocabulary is None:
        asking = [name for name, prompt in pack.prompts.items() if VOCABULARY in prompt.placeholders]
        if config.variant is not None and asking:
            raise ConfigError(
                f"domain.variant={config.variant}: its prompts put terms of a vocabulary in, and none is given",
                cause=f"{asking[0]}.md has {{{{vocabulary}}}}, and domain.vocabulary.files is empty",
                remedy="name your terminologies in domain.vocabulary.files=[...] (docs/vocabulary.md), or leave the "
                "variant out",
            )
    elif pack.checks is None and not any(map(vocabulary_of, steps)):
        raise ConfigError(
            "domain.vocabulary.files: no prompt of this run has {{vocabulary}}, and the pack has no checks that could "
            "look a term up",
            cause="the plain prompts of a pack have none",
            remedy=f"add domain.variant={VARIANT}, or put {{{{vocabulary}}}} into a prompt of your pack",
        )
