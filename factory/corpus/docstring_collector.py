"""Collects documentation from installed packages. Run as a process of its own by `docstrings`:

    python -m factory.corpus.docstring_collector PACKAGE…      (JSON lines to stdout, one a document)

Design: importing every module of four scientific packages warns, prints and changes global state, so it happens
where nobody notices. A document is the docstring of a public module, class, function, method or property of at
least 400 characters, headed by its name; a text met twice is kept where it was met first. Modules are taken by
depth and name, members by name, so content and order depend on the installed versions alone.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import os
import pkgutil
import random
import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

MIN_CHARACTERS = 400
"""Shorter docstrings say what the name says already."""

PYTHON = "python"

LICENSES = {
    "numpy": "BSD-3-Clause",
    "scipy": "BSD-3-Clause",
    "sympy": "BSD-3-Clause",
    "networkx": "BSD-3-Clause",
    PYTHON: "PSF-2.0",
}

NOT_DOCUMENTATION = {"tests", "test", "testing", "conftest", "setup", "benchmarks", "bench", "galgebra", "this"}
"""Modules that hold no documentation, cannot be imported outside their test suite, or print when imported."""

_ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,}")


@dataclass(frozen=True)
class Documented:
    """`name` as users import it; `home` the module whose source holds it; `kind` "module", "class" (also
    functions) or "member" of a class."""

    name: str
    home: str
    kind: str
    text: str


def collect(package: str) -> Iterator[dict[str, str]]:
    """Rows of the built-in corpus: text, source, license, url."""
    version = python_version() if package == PYTHON else importlib.import_module(package).__version__
    found = topics() if package == PYTHON else documented(package)
    seen: set[str] = set()
    for item in found:
        body = inspect.cleandoc(item.text).strip()
        # An address of an object in memory differs from process to process.
        if len(body) < MIN_CHARACTERS or body in seen or _ADDRESS.search(body):
            continue
        seen.add(body)
        yield {
            "text": f"{item.name}\n\n{body}\n",
            "source": f"{package} {version}",
            "license": LICENSES[package],
            "url": url_of(package, version, item),
        }


def python_version() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def topics() -> Iterator[Documented]:
    """The language topics that `help()` shows."""
    from pydoc_data.topics import topics as texts

    for name in sorted(texts):
        yield Documented(f"Python: {name}", name, "module", texts[name])


def documented(package: str) -> Iterator[Documented]:
    for module in _modules(package):
        yield Documented(module.__name__, module.__name__, "module", _doc(module))
        for name in sorted(_public_names(module)):
            try:
                value = getattr(module, name)
            except Exception:  # a lazy or deprecated attribute
                continue
            if isinstance(value, ModuleType) or not _belongs(value, package):
                continue
            home = str(getattr(value, "__module__", None) or module.__name__)
            public = f"{module.__name__}.{name}"
            yield Documented(public, home, "class", _doc(value))
            if inspect.isclass(value):
                yield from _members(value, public, home)


def _modules(package: str) -> list[ModuleType]:
    """Public modules that can be imported, the shallow ones first."""
    root = importlib.import_module(package)
    found, names = [root], [package]
    while names:
        deeper = []
        for name in names:
            for info in pkgutil.iter_modules(getattr(sys.modules[name], "__path__", ()), f"{name}."):
                last = info.name.rpartition(".")[2]
                if last.startswith("_") or last in NOT_DOCUMENTATION:
                    continue
                try:
                    module = importlib.import_module(info.name)
                except (Exception, SystemExit):  # an optional dependency that is not installed
                    continue
                found.append(module)
                deeper.append(info.name)
        names = deeper
    return sorted(found, key=lambda module: (module.__name__.count("."), module.__name__))


def _public_names(module: ModuleType) -> list[str]:
    names = getattr(module, "__all__", None) or dir(module)
    return [name for name in names if isinstance(name, str) and not name.startswith("_")]


def _belongs(value: Any, package: str) -> bool:
    """Whether the object is the package's own; compiled functions often do not say where they come from."""
    if not (callable(value) or inspect.isclass(value)):
        return False
    home = getattr(value, "__module__", None)
    return home is None or str(home).partition(".")[0] == package


def _members(owner: type, public: str, home: str) -> Iterator[Documented]:
    for name, value in sorted(vars(owner).items()):
        if not name.startswith("_") and not inspect.isclass(value):
            yield Documented(f"{public}.{name}", home, "member", _doc(value))


def _doc(value: Any) -> str:
    """The object's own docstring; instances show their class's, which is not theirs."""
    text = getattr(value, "__doc__", None)
    if not isinstance(text, str) or (not inspect.isclass(value) and text == type(value).__doc__):
        return ""
    return text


def url_of(package: str, version: str, item: Documented) -> str:
    """The page of the installed version's documentation that holds the text; for sympy, whose pages follow no
    rule, the source file that does."""
    if package == PYTHON:
        return f"https://docs.python.org/{version.rpartition('.')[0]}/{topic_page(item.home)}#{item.home}"
    if package == "numpy":
        base = f"https://numpy.org/doc/{version.rpartition('.')[0]}"
        return f"{base}/search.html?q={item.name}" if item.kind == "module" else _generated(base, "", item.name)
    if package == "scipy":
        base = f"https://docs.scipy.org/doc/scipy-{version}"
        if item.kind == "module":
            return f"{base}/reference/{item.name.removeprefix('scipy.').removeprefix('scipy') or 'index'}.html"
        return _generated(base, "", item.name)
    if package == "networkx":
        base = f"https://networkx.org/documentation/networkx-{version}"
        if item.kind == "module":
            return f"{base}/search.html?q={item.name}"
        last = item.name.split(".")[-2:] if item.kind == "member" else item.name.split(".")[-1:]
        if item.home.startswith("networkx.classes") and item.name.count(".") <= 2:
            return _generated(base, "classes/", item.name)
        folder = next((name for name in ("algorithms", "readwrite") if item.home.startswith(f"networkx.{name}")), "")
        return _generated(base, f"{folder}/" if folder else "", ".".join([item.home, *last]))
    return f"https://github.com/sympy/sympy/blob/{version}/{_source_file(item.home)}"


def _generated(base: str, folder: str, name: str) -> str:
    return f"{base}/reference/{folder}generated/{name}.html"


def _source_file(module: str) -> str:
    path = module.replace(".", "/")
    loaded = sys.modules.get(module)
    return f"{path}/__init__.py" if hasattr(loaded, "__path__") else f"{path}.py"


_TOPIC_PAGES = {
    "reference/simple_stmts.html": "assert assignment augassign break continue del global import nonlocal pass raise "
    "return yield",
    "reference/compound_stmts.html": "async class compound else for function if try while with",
    "reference/expressions.html": "atom-identifiers atom-literals attribute-references await binary bitwise booleans "
    "calls comparisons conversions dict exprlists in lambda lists operator-summary power shifting slicings "
    "subscriptions unary",
    "reference/lexical_analysis.html": "floating id-classes identifiers imaginary integers numbers strings",
    "reference/datamodel.html": "attribute-access callable-types context-managers customization numeric-types objects "
    "sequence-types specialnames types",
    "reference/executionmodel.html": "dynamic-features exceptions execmodel naming",
    "library/pdb.html": "debugger",
    "library/string.html": "formatstrings",
}
_PAGE_OF_TOPIC = {topic: page for page, listed in _TOPIC_PAGES.items() for topic in listed.split()}


def topic_page(topic: str) -> str:
    """What is in no chapter of the reference describes a built-in type."""
    return _PAGE_OF_TOPIC.get(topic, "library/stdtypes.html")


def _fix_randomness() -> None:
    """SciPy 1.17 writes the docstrings of its distributions when imported, with examples drawn without a seed."""
    import numpy as np

    unseeded = np.random.default_rng

    @functools.wraps(unseeded)
    def seeded(seed: Any = None) -> Any:
        return unseeded(0 if seed is None else seed)

    np.random.default_rng = seeded
    np.random.seed(0)
    random.seed(0)


def main(packages: list[str]) -> None:
    rows = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What modules print when imported, also from C, must not get between the rows.
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    _fix_randomness()
    for package in packages:
        for row in collect(package):
            rows.write(json.dumps({"package": package, **row}) + "\n")
    rows.close()
    # Some of the imported libraries keep threads that would delay a normal end.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
