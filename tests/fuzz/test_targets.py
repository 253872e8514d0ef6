"""Every module that parses has a fuzz target, or a reason why not; every target is a function that there is.

What counts as parsing is a call that turns bytes or text into structure (`PARSING`). A module that makes one is either
named by a target, or read through another module's target, or stands in EXEMPT with its reason. So a new parser is
noticed by the test suite, not by its first crash.
"""

from __future__ import annotations

import ast
import importlib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = sorted(path.stem for path in Path(__file__).parent.glob("test_*.py") if path.stem != "test_targets")

PARSING = {
    "loads",
    "safe_load",
    "ParquetFile",
    "read_table",
    "read_metadata",
    "open_file",
    "open_stream",
    "literal_eval",
    "parse_override",
    "model_validate",
    "validate_json",
    "read_mapping",
    "read_mappings",
    "mapping_in",
    "read_reply",
    "rows_of",
    "DictReader",
    "load_model",
    "from_file",
    "from_pretrained",
    "fromisoformat",
    "parsedate_to_datetime",
    "urlsplit",
    "parse_yaml",
    "loadtxt",
    "fromstring",
    "strptime",
    "unpack",
}
"""Last names of calls that parse. `read` and `int` would name every second module."""

PARSING_ATTRIBUTES = {("np", "load"), ("json", "load"), ("ast", "parse"), ("gzip", "decompress"), ("pickle", "load")}

_OWN_CHILD = "reads what its own child process, or another part of the same run, handed it"
_ROOT_JSON = "reads an object of a root through store.objects (fuzzed) and looks at named fields"
_ROOT_FILES = "reads Parquet or rows that the product wrote into a root or a dataset; `factory verify` checks it"
_MODEL_FILES = "hands a model folder that the user named to a library; its files are hashed in engine.models (fuzzed)"

EXEMPT = {
    **dict.fromkeys(
        (
            "factory.answers.verify.maths",
            "factory.answers.verify.maths_process",
            "factory.answers.verify.sandbox_process",
            "factory.corpus.docstrings",
            "factory.engine.notes",
            "factory.export.gather",
            "factory.store.scratch",
            "factory.mix.spool",
            "factory.mix.write",
            "factory.publish.attribution",
            "factory.run.execute",
            "factory.select.parts",
            "factory.select.training.fasttext_process",
        ),
        _OWN_CHILD,
    ),
    **dict.fromkeys(
        (
            "factory.cli.status",
            "factory.concepts.graph.edges",
            "factory.evaluate.gather",
            "factory.govern.erasure.edit",
            "factory.mix.job",
            "factory.export.generator",
            "factory.export.job",
            "factory.publish.finalise",
            "factory.publish.proof",
            "factory.publish.replay",
            "factory.run.diagnosis",
            "factory.run.ledger",
            "factory.run.publication",
            "factory.run.registration",
            "factory.run.shared_stage",
            "factory.run.steps",
            "factory.select.training.corpus_pass",
        ),
        _ROOT_JSON,
    ),
    **dict.fromkeys(
        (
            "factory.cli.show",
            "factory.curate.decon.hits",
            "factory.curate.index.build",
            "factory.curate.step",
            "factory.evaluate.dataset.reading",
            "factory.evaluate.distributions",
            "factory.govern.erasure.mixes",
            "factory.govern.erasure.shards",
            "factory.govern.erasure.units",
            "factory.govern.check.shards",
            "factory.mix.verify",
            "factory.export.source",
            "factory.publish.required",
            "factory.publish.shards",
        ),
        _ROOT_FILES,
    ),
    **dict.fromkeys(
        (
            "factory.evaluate.dataset.perplexity",
            "factory.evaluate.privacy.losses",
            "factory.export.tokenizing",
            "factory.evaluate.utility.words_classifier",
            "factory.select.lid",
            "factory.select.training.embedding",
        ),
        _MODEL_FILES,
    ),
    "factory.govern.bundle": "reads prompts.json of a dataset after its hash was held against the manifest",
    "factory.evaluate.dataset.real_data": "reads through corpus.small_tables.rows_of (fuzzed)",
    "factory.govern.schemas": "reads the schemas that are shipped beside it",
    "factory.review.prepare": "reads through corpus.small_tables.rows_of (fuzzed)",
    "factory.tasks.published_records": "reads published rows, and through corpus.small_tables.rows_of (fuzzed)",
    "factory.trouble.proxy": "reads the address that the user of the proxy gives, and passes bytes on as they are",
    "factory.publish.wording": "reads prompts.json of a dataset, whose hash is proven first",
    "factory.domains.code.checks": "code of a pack: publish.gates.own.look takes whatever its gates raise",
    "factory.run.witness": "reads the line of JSON that its driver handed it",
    "factory.mix.duplicates": "no parser: its own function is called rows_of",
}
"""Module -> why it has no target of its own. docs/fuzzing.md says what that leaves open."""


def targets() -> dict[str, list[str]]:
    """Dotted name -> the tests that stand for it."""
    found: dict[str, list[str]] = {}
    for family in FAMILIES:
        module = importlib.import_module(f"tests.fuzz.{family}")
        for name, test in vars(module).items():
            for target in getattr(test, "fuzz_targets", ()) if name.startswith("test_") else ():
                found.setdefault(target, []).append(f"{family}.{name}")
    return found


@cache
def parsing_modules() -> frozenset[str]:
    found = set()
    for path in sorted((ROOT / "factory").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(parses(node) for node in ast.walk(tree)):
            found.add(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    return frozenset(found)


def parses(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        return node.func.id in PARSING
    if isinstance(node.func, ast.Attribute):
        owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
        return node.func.attr in PARSING or (owner, node.func.attr) in PARSING_ATTRIBUTES
    return False


def resolved(dotted: str) -> Any:
    """The thing that a dotted name means; raises where there is none."""
    parts = dotted.split(".")
    for split in range(len(parts) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:split]))
        except ModuleNotFoundError:
            continue
        for name in parts[split:]:
            found = getattr(found, name)
        return found
    raise ModuleNotFoundError(dotted)


def test_every_target_is_there() -> None:
    found = targets()
    assert len(found) > 80
    for dotted in found:
        assert callable(resolved(dotted)), dotted


def test_every_module_that_parses_has_a_target_or_a_reason() -> None:
    covered = {module for target in targets() for module in prefixes(target)}
    missing = sorted(parsing_modules() - covered - EXEMPT.keys())
    assert not missing, f"no fuzz target names a function of {', '.join(missing)} (tests/fuzz/test_targets.py)"


def prefixes(dotted: str) -> set[str]:
    parts = dotted.split(".")
    return {".".join(parts[:length]) for length in range(2, len(parts))}


@pytest.mark.parametrize("module", sorted(EXEMPT))
def test_every_reason_is_of_a_module_that_parses(module: str) -> None:
    assert module in parsing_modules()
