"""One small function in every language, right and wrong, and cases of it."""

from __future__ import annotations

from dataclasses import dataclass

from factory.answers.programs.cases import Case
from factory.answers.programs.languages import LANGUAGES
from factory.answers.verify.limits import Limits

LIMITS = Limits(
    cpu_seconds=1, wall_seconds=60, memory_bytes=256 << 20, processes=24, file_bytes=8 << 20, output_bytes=64 << 10
)


@dataclass(frozen=True)
class Planted:
    """`signature`, a right program, a wrong one and cases that the right one passes."""

    signature: str
    right: str
    wrong: str
    cases: tuple[Case, ...]


def doubling(call: str, form: str = "{}") -> tuple[Case, ...]:
    return tuple(Case(call.format(n), form.format(2 * n)) for n in (3, 10, -4))


SHELL = Planted("double()", 'double() { echo "$(($1 * 2))"; }', 'double() { echo "$1"; }', doubling("double {}"))
PLANTED = {
    "python": Planted(
        "def double(n: int) -> int:",
        "def double(n):\n    print('on the way')\n    return 2 * n\n\n\nif __name__ == '__main__':\n    print(input())",
        "def double(n):\n    return n",
        doubling("double({})"),
    ),
    "javascript": Planted(
        "function double(n)",
        "function double(n) { console.log('on the way'); return 2 * n; }",
        "function double(n) { return n; }",
        doubling("double({})"),
    ),
    "bash": SHELL,
    "sh": SHELL,
    "c": Planted(
        "int twice(int n)",
        "int twice(int n) { return 2 * n; }",
        "int twice(int n) { return n; }",
        doubling('printf("%d\\n", twice({}));'),
    ),
    "cpp": Planted(
        "int twice(int n)",
        "int twice(int n) { return 2 * n; }",
        "int twice(int n) { return n; }",
        doubling("std::cout << twice({});"),
    ),
}
HERE = [name for name, language in LANGUAGES.items() if language.missing() is None]
"""Languages that this machine can run; Python and the shells of every system are among them."""
