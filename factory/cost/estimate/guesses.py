"""What a run would ask for where nothing below the root has measured it: from the bytes of the corpus and the
configuration. Guesses, with no interval; how far off they are was not measured."""

from __future__ import annotations

from dataclasses import dataclass

from factory.config import FactoryConfig
from factory.run.stage import Stage
from factory.run.strands import kind_of

CHARACTERS_PER_TOKEN = 3.5
"""English prose and LaTeX under SmolLM2's and Llama's tokenizers: 3.3 to 4.2; lower means more tokens."""

PROMPT_OVERHEAD_TOKENS = 250
"""Instructions and chat template of the general pack."""

QUESTION_YIELD = 0.6
"""Share of the questions asked for that survive checks and deduplication; replaced by what a run measures."""

PASSAGES_SHOWN = {"question_3": 2, "answer": 0, "answer_multiple_choice": 0}
"""Passages in a prompt, where it is not one."""

TOPICS_A_PASSAGE = 0.36
"""Distinct topics a passage brings to the graph: SynthLLM's subsets of some 90,000 documents have 32,000 (section 5.1).
A small corpus has more of its own."""


@dataclass(frozen=True)
class Guesses:
    config: FactoryConfig
    source_bytes: int

    def rounds(self, stage: Stage) -> float:
        """Requests a row at most: of a question, each asks for `samples_per_round` answers."""
        if kind_of(stage.name) != "answer":
            return 1.0
        own = self.config.tasks.on().get(stage.name.removeprefix("answer_"))
        samples = (own.samples if own is not None else None) or self.config.answer.samples
        return samples / min(samples, self.config.answer.samples_per_round)

    def prompt_tokens(self, stage: Stage) -> int:
        """Of a request."""
        return PROMPT_OVERHEAD_TOKENS + PASSAGES_SHOWN.get(stage.name, 1) * self.config.select.chunk_tokens

    def questions_of(self, stage: Stage) -> int:
        """Questions of a row at most; of a step that asks none, the one row it gives."""
        question = self.config.question
        most = {
            "question_1": question.level_1_questions,
            "question_2": question.level_2_questions,
            "question_3": question.level_3_questions,
        }
        of_tasks = {f"question_{name}": own.questions for name, own in self.config.tasks.on().items()}
        return (most | of_tasks).get(stage.name, 1)

    def passages(self) -> int:
        """Passages of the corpus, from its bytes: chunks of about chunk_tokens tokens each."""
        per_chunk = self.config.select.chunk_tokens * CHARACTERS_PER_TOKEN
        passages = max(1, round(self.source_bytes / per_chunk)) if self.source_bytes else 0
        return min(passages, self.config.limit) if self.config.limit is not None else passages

    def asked_for(self, walks: float) -> float:
        """Of so many walks those that are drawn: fewer where a number of samples is asked for."""
        target = self.config.target_samples
        return walks if target is None else min(walks, target / self.config.question.level_3_questions / QUESTION_YIELD)
