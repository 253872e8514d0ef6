"""From the store to the coverage and diversity part of a report.

Design: three independent readings (graph, questions, embeddings); what cannot be read is left out and named, as in the
rest of the report. Cost: docs/level3.md says what a million questions take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from factory.errors import FactoryError
from factory.evaluate.diversity.config import DiversityConfig
from factory.evaluate.diversity.facts import DiversityFacts
from factory.evaluate.facts import StepFacts
from factory.section import checked
from factory.store.base import Store

Found = TypeVar("Found")


def gather_diversity(
    store: Store,
    run: str,
    steps: Sequence[StepFacts],
    sample_keys: Sequence[str],
    config: Mapping[str, Any],
    problems: list[str],
) -> DiversityFacts:
    """`config` is the section `diversity` of the run, or what replaces it; empty in older records."""
    from factory.evaluate.diversity.gather_graph import gather_graph
    from factory.evaluate.diversity.gather_questions import gather_questions

    by_name = {step.name: step for step in steps if step.finished}
    folders = {name: step.folder for name, step in by_name.items()}
    settings = _attempt("its settings", problems, lambda: checked(DiversityConfig, config)) or DiversityConfig()
    walk = by_name.get("walk")
    reasons = dict(walk.reasons.get("input", {})) if walk else {}
    graph = _attempt(
        "coverage of the graph",
        problems,
        lambda: gather_graph(store, run, sample_keys, walk.count("inputs") if walk else 0, reasons),
    )
    compared = settings if settings.model is not None else None
    questions = _attempt(
        "saturation and starts of questions", problems, lambda: gather_questions(store, run, folders, compared)
    )
    merge = by_name.get("merge")
    documents = int(merge.facts.get("documents", 0)) if merge else 0
    similarity = None
    if questions is not None and compared is not None and questions.drawn:
        from factory.evaluate.diversity.embedding import similarity_of

        drawn = questions.drawn
        similarity = _attempt("likeness of questions", problems, lambda: similarity_of(compared, drawn, documents))
    coverage, picture = graph or (None, None)
    if coverage is not None and walk is not None:
        drawn_far, taken_far = (int(walk.facts.get(f"implicit_{name}", 0)) for name in ("drawn", "taken"))
        coverage = replace(coverage, implicit_drawn=drawn_far, implicit_taken=taken_far)
    return DiversityFacts(
        coverage=coverage,
        curves=questions.curves if questions else (),
        similarity=similarity,
        similarity_off=settings.model is None,
        starts=questions.starts if questions else (),
        starts_of=questions.every if questions else 1,
        picture=picture,
    )


def _attempt(what: str, problems: list[str], look: Callable[[], Found]) -> Found | None:
    """What `look` found; None, and a line in `problems`, where it could not."""
    try:
        return look()
    except KeyError as error:
        problems.append(f"{what}: {error.args[0] if error.args else error} is gone")
    except FactoryError as error:
        problems.append(f"{what}: {error.what}" + (f"; {error.remedy}" if error.remedy else ""))
    except (OSError, ValueError, IndexError) as error:
        problems.append(f"{what}: {error}")
    return None
