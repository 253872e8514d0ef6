"""The checks.py of a pack: where it lies, what it is named by, and how a worker comes to its functions.

Design: what travels to workers is a path and a hash. A worker reads the file, holds it against the hash and runs those
very bytes, so that two machines never check by different code; on a cluster that was sent the working tree, a pack in
it is found below the worker's own folder. Nothing is written beside the file (no bytecode). Data files that it may read
are hashed with it: a longer vocabulary gives other verdicts.
"""

from __future__ import annotations

import difflib
import functools
import re
import sys
import traceback
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.domains.checks import Checks, Gate
from factory.errors import ConfigError
from factory.identity import fingerprint, sha256_hex

_GATE_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True)
class PackCode:
    """`path` is absolute, `below` the same relative to the folder the command was given in (None outside of it)."""

    path: str
    below: str | None
    sha256: str
    data: str
    """Hash of the files it may read, by name and content."""

    @classmethod
    def of(cls, path: Path, data: Sequence[Path]) -> PackCode:
        whole = path.resolve()
        here = Path.cwd()
        below = whole.relative_to(here).as_posix() if whole.is_relative_to(here) else None
        read = {each.relative_to(path.parent).as_posix(): sha256_hex(each.read_bytes()) for each in data}
        return cls(str(whole), below, sha256_hex(path.read_bytes()), fingerprint(read))

    def identity(self) -> dict[str, str]:
        return {"checks": self.sha256, "data": self.data}

    def load(self) -> Checks:
        """Its functions. Raises ConfigError where the file is not here, has changed, or cannot be used."""
        return _loaded(self)


@functools.lru_cache(maxsize=8)
def _loaded(code: PackCode) -> Checks:
    path, data = _found(code)
    name = f"factory_pack_checks_{code.sha256[:16]}"
    module = types.ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses look their module up by name
    try:
        exec(compile(data, str(path), "exec", dont_inherit=True), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ConfigError(
            f"{where(error, str(path))}: the pack's code cannot be loaded: {in_words(error)}",
            cause="a slip in the file, or a package that is not installed here",
            remedy="`factory domain check PACK` loads it and tries it on the pack's items",
        ) from None
    return _read(path, vars(module))


def _found(code: PackCode) -> tuple[Path, bytes]:
    places = [Path(code.path), *([Path.cwd() / code.below] if code.below is not None else [])]
    there = [(path, path.read_bytes()) for path in places if path.is_file()]
    for path, data in there:
        if sha256_hex(data) == code.sha256:
            return path, data
    if there:
        raise ConfigError(
            f"{there[0][0]} is not the file that the run was started with",
            cause="it was edited meanwhile, or this machine has another version of the pack",
            remedy="start the run again; on a cluster, give every node the same pack",
        )
    raise ConfigError(
        f"{code.path} is not here",
        cause="the pack lies on the machine that the command was given on, and this worker is on another one",
        remedy="keep the pack in the working tree, which is sent to the cluster, or where every node has it",
    )


def _read(path: Path, defined: Mapping[str, Any]) -> Checks:
    verify: Any = defined.get("verify")
    gates: Any = defined.get("gates", {})
    problems = []
    if "verify" in defined and not callable(verify):
        problems.append("`verify` is no function")
    if not isinstance(gates, Mapping):
        problems.append("`gates` is no mapping from names to Gate")
    else:
        problems += [problem for name, gate in gates.items() for problem in _gate_problems(name, gate)]
    if "verify" not in defined and "gates" not in defined:
        own = [name for name, value in defined.items() if not name.startswith("_") and not isinstance(value, type)]
        near = [name for key in ("verify", "gates") for name in difflib.get_close_matches(key, own, n=1)]
        problems.append(f"it defines neither `verify` nor `gates`{f'; is `{near[0]}` meant?' if near else ''}")
    if problems:
        raise ConfigError(
            f"{path} is not usable:\n" + "\n".join(f"  - {problem}" for problem in problems),
            remedy="factory/domains/checks.py says what it may define, with an example",
        )
    return Checks(str(path), verify, dict(gates))


def _gate_problems(name: Any, given: Any) -> list[str]:
    if not isinstance(name, str) or not _GATE_NAME.fullmatch(name):
        return [f"gates: {name!r} is no name (lower-case letters, digits and _)"]
    if not isinstance(given, Gate):
        return [f"gates.{name} is a {type(given).__name__}, no factory.domains.checks.Gate"]
    gate: Any = given  # its fields hold whatever the file put there
    problems = []
    if not callable(gate.find):
        problems.append(f"gates.{name}: `find` is no function")
    if gate.threshold is not None and not 0 <= gate.threshold <= 1:
        problems.append(f"gates.{name}: threshold={gate.threshold} is no share (0 to 1, or None)")
    if gate.severity not in ("error", "warn"):
        problems.append(f"gates.{name}: severity={gate.severity!r} is neither `error` nor `warn`")
    if not isinstance(gate.passages, bool):
        problems.append(f"gates.{name}: passages={gate.passages!r} is neither True nor False")
    if not isinstance(gate.vocabulary, str | None):
        problems.append(f"gates.{name}: vocabulary={gate.vocabulary!r} is no kind of terms")
    return problems


def where(error: BaseException, path: str) -> str:
    """File and line of the pack's code in which an error arose."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return f"{path}:{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return f"{path}:{lines[-1]}" if lines else path


LONGEST_WORDS = 300


def in_words(error: BaseException) -> str:
    """Class and message of an error, on one line."""
    try:
        said = " ".join(str(error).split())
    except Exception:  # of an exception class of the pack's own
        said = ""
    name = type(error).__name__
    return f"{name}: {said}"[:LONGEST_WORDS] if said else name
