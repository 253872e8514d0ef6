"""Answers that say their question over and nothing else.

Design: the question's tokens, words and operators in their order, are struck out of the answer's wherever they stand;
where next to nothing is left, nothing was answered. Short questions are left alone: "Is it a prime?" may well be
answered by its own words. So is an answer that turns the question's words into a statement: their order differs.
Held against 5,982 questions with right answers (GSM8K, MATH-500, TruthfulQA) it says nothing of any of them.
Cost: 10 microseconds a row of theirs.
"""

from __future__ import annotations

import re

MIN_TOKENS = 6

MOST_TIMES, SLACK = 3, 80
"""A longer answer says something, or loops, which is another fault (repetition.py)."""

LEFT_OVER = frozenset({"the", "a", "an", "is", "yes", "so", "answer", "final", "question", "that", "of", "to", "this"})
"""Words that say nothing beside a question said over ("The final answer is: …"); "no" says something."""

_TOKEN = re.compile(r"\w+|[-+*/=<>^!|&\\]")


def says_only(question: str, answer: str) -> int:
    """How many times `answer` repeats the whole question, where it does nothing else; else 0."""
    if len(answer) > MOST_TIMES * len(question) + SLACK:
        return 0
    asked, said = _TOKEN.findall(question.casefold()), _TOKEN.findall(answer.casefold())
    if len(asked) < MIN_TOKENS or len(said) < len(asked):
        return 0
    times, left, place = 0, [], 0
    while place < len(said):
        if said[place] == asked[0] and said[place : place + len(asked)] == asked:
            times, place = times + 1, place + len(asked)
        else:
            left.append(said[place])
            place += 1
    return times if LEFT_OVER.issuperset(left) else 0
