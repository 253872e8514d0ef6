"""What the columns of a published row hold, in words."""

from __future__ import annotations

from collections.abc import Mapping

COLUMNS: Mapping[str, str] = {
    "sample_id": "Id of the row, derived from the answer's id.",
    "messages": "Question and answer as a chat of two turns.",
    "question": "The question's text.",
    "answer": "The answer's text.",
    "final_answer": "The result that the answer ends in, where it has one.",
    "domain": "Field of study that the prompts were written for.",
    "level": "1: asked from a document; 2: from a document and sampled concepts; 3: across two documents.",
    "origin": "Whether the question was found in the document (extracted) or written (created).",
    "edu_level": "Educational level as the model judged it.",
    "subject": "Subject as the model judged it.",
    "concepts": "Concepts that the question was to be about.",
    "agreement": "Share of the sampled answers that ended in this result, 0 to 1.",
    "votes": "Results of all sampled answers, with how often each came.",
    "samples": "Answers that were sampled for the question.",
    "verified": "Whether a checker found the answer right: yes, no or unchecked.",
    "verified_by": "The checker that said yes or no.",
    "grounded_share": "Share of the answer's content words with evidence in a source, 0 to 1.",
    "extracted_share": "Share of the answer's words in runs copied from a source, 0 to 1.",
    "longest_copied_words": "Words of the longest run copied from a source.",
    "evidence_position": "Mean place of the evidence in its source, 0 the beginning and 1 the end.",
    "embedded_share": "Share of the answer's sentences near one of a source by embedding; null where that was off.",
    "copied_share": "Share of the answer copied from its question's passages, 0 to 1.",
    "judge_score": "Score by a language model, 0 to 1; null where nobody judged.",
    "judge_scores": "Scores by criterion of the rubric, with reasons.",
    "judge_reason": "The judge's reason.",
    "synthetic": "True: the row was written by a model.",
    "digital_source_type": "C2PA's term for how the row came about.",
    "question_model": "Model that wrote the question.",
    "question_model_revision": "Its revision.",
    "answer_model": "Model that wrote the answer.",
    "answer_model_revision": "Its revision.",
    "doc_ids": "Documents that the row rests on, by hash of their text.",
    "urls": "Where those documents were found.",
    "licenses": "Licences of those documents as stated.",
    "license": "Those licences as one SPDX expression.",
    "duties": "What the licences ask of whoever passes the row on.",
    "attribution": "Source, licence and URL of every document and copy of it.",
    "question_tokens": "Tokens of the question's text.",
    "answer_tokens": "Tokens of the answer's text.",
    "lineage": "Run, prompts, requests, steps and passages behind the row.",
}
"""Column -> a sentence. A column of another version of the schema has none, and its type says what is known."""
