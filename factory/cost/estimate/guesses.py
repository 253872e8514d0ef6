"""What a run would ask for where nothing below the root has measured it: from rows where they are known, and else from
the bytes of the corpus and the configuration. Guesses, with no interval; how far off they are was not measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from factory.config import FactoryConfig
from factory.run.chain import Chain
from factory.run.record import Record
from factory.run.stage import Stage

CHARACTERS_PER_TOKEN = 3.5
"""English prose and LaTeX under SmolLM2's and Llama's tokenizers: 3.3 to 4.2; lower means more tokens."""

PROMPT_OVERHEAD_TOKENS = 250
"""Instructions and chat template of the general pack."""

QUESTION_YIELD = 0.6
"""Share of the questions asked for that survive checks and deduplication; replaced by what a run measures."""

PASSAGES_SHOWN = {"question_3": 2, "answer": 0}
"""Passages in a prompt, where it is not one."""

TOPICS_A_PASSAGE = 0.36
"""Distinct topics a passage brings to the graph: SynthLLM's subsets of some 90,000 documents have 32,000 (section 5.1).
A small corpus has more of its own."""


@dataclass(frozen=True)
class Guesses:
    """Rows that stages read, from records of finished stages where there are any, else estimated."""

    config: FactoryConfig
    chain: Chain
    dones: Mapping[str, Record]

    def rounds(self) -> float:
        """Requests a question at most: each asks for `samples_per_round` answers."""
        answer = self.config.answer
        return answer.samples / min(answer.samples, answer.samples_per_round)

    def prompt_tokens(self, stage: Stage) -> int:
        """Of a request."""
        return PROMPT_OVERHEAD_TOKENS + PASSAGES_SHOWN.get(stage.name, 1) * self.config.select.chunk_tokens

    def _accepted(self, stage: str) -> int | None:
        done = self.dones.get(stage)
        return None if done is None else int(done["counts"]["accepted"])

    def passages(self, stage: str) -> int:
        """Passages to ask about; from the bytes of the corpus, chunks of about chunk_tokens tokens each."""
        extracted = self._accepted("extract") if stage == "question_2" else None
        if extracted is not None:
            return extracted
        merged = self._accepted("merge")
        if merged is not None:
            return merged
        per_chunk = self.config.select.chunk_tokens * CHARACTERS_PER_TOKEN
        passages = max(1, round(self.chain.source_bytes / per_chunk)) if self.chain.source_bytes else 0
        return min(passages, self.config.limit) if self.config.limit is not None else passages

    def pairs(self) -> int:
        """Walks with two passages; fewer than all epochs have where a number of samples is asked for."""
        paired, walked = self._accepted("pair"), self._accepted("walk")
        if paired is not None or walked is not None:
            return paired if paired is not None else int(walked or 0)
        graph = self.dones.get("graph_joined") or self.dones.get("graph_edges")
        passages = self.passages("extract")
        topics = int(graph["facts"].get("topics", 0)) if graph else round(passages * TOPICS_A_PASSAGE)
        return round(self.asked_for(topics * self.config.walk.epochs))

    def asked_for(self, walks: float) -> float:
        """Of so many walks those that are drawn: fewer where a number of samples is asked for."""
        target = self.config.target_samples
        return walks if target is None else min(walks, target / self.config.question.level_3_questions / QUESTION_YIELD)

    def asked_of(self, level: int) -> tuple[int, int]:
        """Rows that questions of a level are asked about, and questions of each at most."""
        question = self.config.question
        most = {1: question.level_1_questions, 2: question.level_2_questions, 3: question.level_3_questions}
        return (self.pairs() if level == 3 else self.passages(f"question_{level}")), most[level]
