"""What tests and a program have to do with each other by name, read without running either.

Design: tests run elsewhere than the program, with Python's own builtins and standard library. A module that the
program imports is imported there as well, for tests that use it. Where the program defines a name that is a builtin, or
a module that tests look into, nobody can say which of the two a test means: `ambiguous`.
"""

from __future__ import annotations

import ast
import builtins
import doctest
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What Python's own parser raises; MemoryError where expressions are nested too deeply for it."""

BUILTIN = frozenset(dir(builtins))


@dataclass(frozen=True)
class Surface:
    """`defined`: names the program binds at module level; `imports`: its imports from the standard library, a line
    each; `ambiguous`: names in tests that could be the program's or Python's."""

    defined: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    ambiguous: tuple[str, ...] = ()


def surface_of(code: str, tests: Sequence[str]) -> Surface:
    """Of code that cannot be read: nothing; it says so itself when it is loaded."""
    try:
        body = ast.parse(code).body
    except UNREADABLE:
        return Surface()
    imports: dict[str, str] = {}
    defined: set[str] = set()
    for node in _at_module_level(body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name, line in _imported(node):
                if line:
                    imports[name] = line
                else:
                    defined.add(name)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            defined.add(node.id)
    used, looked_into = _used(tests)
    ambiguous = used & defined & (BUILTIN | imports.keys())
    ambiguous |= looked_into & defined & sys.stdlib_module_names
    return Surface(
        tuple(sorted(defined - imports.keys())), tuple(imports[name] for name in imports), tuple(sorted(ambiguous))
    )


def _at_module_level(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """Nodes of a module, without those inside functions, classes, lambdas and comprehensions."""
    waiting: list[ast.AST] = list(body)
    inner = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (*inner, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            waiting.extend(ast.iter_child_nodes(node))


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Names that an import binds, each with the import alone where it is of the standard library, else with ""."""
    for alias in node.names:
        if alias.name == "*":
            continue
        source = node.module or "" if isinstance(node, ast.ImportFrom) else alias.name
        root = source.partition(".")[0]
        standard = root in sys.stdlib_module_names and not (isinstance(node, ast.ImportFrom) and node.level)
        one = ast.ImportFrom(node.module, [alias], 0) if isinstance(node, ast.ImportFrom) else ast.Import([alias])
        name = alias.asname or (alias.name if isinstance(node, ast.ImportFrom) else root)
        yield name, ast.unparse(one) if standard else ""


def _used(tests: Sequence[str]) -> tuple[set[str], set[str]]:
    """Names that tests read and do not bind themselves, and those of them whose attributes they read."""
    read: set[str] = set()
    bound: set[str] = set()
    looked_into: set[str] = set()
    for source in (part for test in tests for part in _sources(test)):
        try:
            nodes = list(ast.walk(ast.parse(source)))
        except UNREADABLE:
            continue
        for node in nodes:
            if isinstance(node, ast.Name):
                (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                looked_into.add(node.value.id)
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                bound.add(node.name)
            elif isinstance(node, ast.arg):
                bound.add(node.arg)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                bound.update(name for name, line in _imported(node) if line)
    return read - bound, looked_into - bound


def _sources(test: str) -> list[str]:
    try:
        return [example.source for example in doctest.DocTestParser().get_examples(test)] or [test]
    except ValueError:
        return [test]
