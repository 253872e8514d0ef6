"""What each step's rows are made by: its version, and a digest of every module its code reaches.

Design: a step's folder is named by STEP_VERSION, a number
raised by hand, so that an edited comment does not throw away what a model was paid for. The price is that
somebody can change rows and forget the number. `step_sources.json` remembers the sources each version was
seen with; test_step_sources.py compares. Only rooms that can change a row are followed: the runner, stores,
engines and reports are named by their own versions or leave rows alone. Digests are of the syntax tree
without docstrings, so comments, wording and formatting never ask for anything.

    .venv/bin/python -m tests.run.step_sources              # records the steps whose version was raised
    .venv/bin/python -m tests.run.step_sources sketch match # and these, whose rows a change leaves as they were
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.runs import REPOSITORY

RECORDED = Path(__file__).with_name("step_sources.json")

ROOMS = (
    "corpus", "select", "concepts", "questions", "curate", "answers", "publish", "domains", "identity", "licences",
    "tables", "tasks",
)  # fmt: skip
"""Parts of `factory` whose code can change what rows come out of a step."""

STEPS = {
    "select": "factory.select.step",
    "document_sketch": "factory.select.document_sketch",
    "document_decide": "factory.select.document_repeats",
    "merge": "factory.select.merge",
    "extract": "factory.concepts.extract",
    "walk_subjects": "factory.concepts.walks.subjects_step",
    "walk": "factory.concepts.walks.walk_step",
    "visits": "factory.concepts.walks.visits_step",
    "pair": "factory.concepts.walks.pair_step",
    "question_1": "factory.questions.level1",
    "question_2": "factory.questions.level2",
    "question_3": "factory.questions.level3",
    "task_question": "factory.tasks.question",
    "task_answer": "factory.tasks.answer",
    "sketch": "factory.curate.sketch",
    "match": "factory.curate.match",
    "compare": "factory.curate.compare",
    "decide": "factory.curate.decide",
    "curate": "factory.curate.step",
    "recheck": "factory.curate.index.recheck",
    "segment": "factory.curate.index.segment_step",
    "semantic_sketch": "factory.curate.semantic.sketch",
    "graph_pairs": "factory.concepts.graph.pairs",
    "graph_edges": "factory.concepts.graph.edges",
    "graph_index": "factory.concepts.graph.segments",
    "graph_merges": "factory.concepts.graph.merges",
    "graph_joined": "factory.concepts.graph.joined",
    "answer": "factory.answers.step",
    "check": "factory.answers.check",
    "judge": "factory.answers.judge.step",
    "samples": "factory.publish.samples",
    "gate": "factory.publish.gates.step",
    "shards": "factory.publish.shards",
    "assign": "factory.select.training.assignments",
    "write_documents": "factory.select.training.write_documents",
    "corpus_pass": "factory.select.training.corpus_pass",
    "sample_documents": "factory.select.training.sample",
    "rate_documents": "factory.select.training.rate_documents",
}

Sources = dict[str, dict[str, object]]
"""Step -> {"version": its STEP_VERSION, "modules": {module: digest}}."""


def current(repository: Path = REPOSITORY) -> Sources:
    return {
        step: {"version": _version(repository, module), "modules": _reached(repository, module)}
        for step, module in STEPS.items()
    }


def recorded() -> Sources:
    sources: Sources = json.loads(RECORDED.read_text())
    return sources


def record(sources: Sources) -> None:
    RECORDED.write_text(json.dumps(sources, indent=1, sort_keys=True) + "\n")


def changed(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """Modules of a step whose code is not what was recorded, by name."""
    then, today = _modules(before), _modules(now)
    return sorted(name for name in then.keys() | today.keys() if then.get(name) != today.get(name))


def complaints(before: Sources, now: Sources) -> list[str]:
    """One line for every step whose sources or version are not as recorded."""
    lines = []
    for step, sources in now.items():
        then = before.get(step, {"version": 0, "modules": {}})
        modules = ", ".join(changed(then, sources))
        if sources["version"] != then["version"]:
            lines.append(f"{step}: STEP_VERSION is {sources['version']}, recorded is {then['version']}: record it")
        elif modules:
            lines.append(f"{step}: changed in {modules}, but STEP_VERSION is still {sources['version']}")
    return lines


def _version(repository: Path, module: str) -> int:
    version = _read(repository, module).version
    if version is None:
        raise LookupError(f"{module} has no STEP_VERSION")
    return version


class Source(NamedTuple):
    """What a module says: its digest, the number assigned to STEP_VERSION (None without one), and what it imports:
    (module, names) of each statement, no names for `import module`."""

    digest: str
    version: int | None
    imports: tuple[tuple[str, tuple[str, ...]], ...]


@cache
def _source(text: str) -> Source:
    """Parsed once a text: the steps reach most modules again and again."""
    tree = ast.parse(text)
    return Source(digest=_digest_of(tree), version=_version_in(tree), imports=tuple(_imports_in(tree)))


def _version_in(tree: ast.Module) -> int | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "STEP_VERSION" for t in node.targets
        ):
            return int(ast.literal_eval(node.value))
    return None


def _imports_in(tree: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, tuple(item.name for item in node.names)
        elif isinstance(node, ast.Import):
            yield from ((item.name, ()) for item in node.names)


def _digest_of(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [line for line in node.body if not _is_text(line)] or [ast.Pass()]
    return hashlib.sha256(_shape(tree).encode()).hexdigest()[:16]


def _shape(node: object) -> str:
    """A syntax tree as text. `ast.dump` writes empty fields, and Python 3.12 and 3.13 have others than 3.11."""
    if isinstance(node, ast.AST):
        fields = ",".join(f"{name}={_shape(value)}" for name, value in ast.iter_fields(node) if value not in (None, []))
        return f"{type(node).__name__}({fields})"
    if isinstance(node, list):
        return "[" + ",".join(_shape(item) for item in node) + "]"
    return repr(node)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _reached(repository: Path, module: str) -> dict[str, str]:
    digests: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in digests:
            continue
        source = _read(repository, name)
        waiting.extend(_imported(repository, source))
        digests[name] = source.digest
    return dict(sorted(digests.items()))


def _imported(repository: Path, source: Source) -> Iterator[str]:
    for module, names in source.imports:
        if _followed(module):
            candidates = (module, *(f"{module}.{name}" for name in names)) if names else (module,)
            yield from (name for name in candidates if not names or _path(repository, name).exists())


def _followed(module: str) -> bool:
    parts = module.split(".")
    return parts[0] == "factory" and len(parts) > 1 and parts[1] in ROOMS


def _path(repository: Path, module: str) -> Path:
    return repository / (module.replace(".", "/") + ".py")


def _read(repository: Path, module: str) -> Source:
    return _source(_path(repository, module).read_text())


def _modules(sources: Mapping[str, object]) -> Mapping[str, str]:
    modules = sources["modules"]
    assert isinstance(modules, dict)
    return modules


def main(acknowledged: Sequence[str]) -> int:
    if unknown := set(acknowledged) - STEPS.keys():
        print(f"unknown steps: {', '.join(sorted(unknown))}; known: {', '.join(STEPS)}", file=sys.stderr)
        return 2
    before, now = (recorded() if RECORDED.exists() else {}), current()
    kept = {
        step: sources
        if step not in before or step in acknowledged or sources["version"] != before[step]["version"]
        else before[step]
        for step, sources in now.items()
    }
    record(kept)
    left = complaints(kept, now)
    for line in left:
        print(f"{line}: raise it, or name {line.split(':')[0]} here if its rows stay as they were", file=sys.stderr)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
