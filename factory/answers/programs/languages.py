"""The languages in which programs are asked for: one entry each says how a program and one call of it become a file,
what compiles and runs that file, and how what it prints is compared.

Design: a case is a call and what it gives; the call stands in the file, what it gives never does, so a program that
reads all it can reach still has to work it out. Python and JavaScript print a value, which is compared as a value; the
others print text. Interpreters are taken from the system's folders, the only ones that the sandbox has.

Adding one is an entry here and a case in tests/answers/programs/test_languages.py.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"

PYTHON = "python"
"""Stands, first in a command, for the Python that the sandbox itself runs with."""


@dataclass(frozen=True)
class Language:
    """`fences` are the names that open a block of it; `needs` the executable that has to be there (None: the sandbox's
    Python). `file` holds `layout` with {program} and {call} filled in. `name` finds what a signature declares, in its
    first group. `empty` is a body that does nothing, of {signature} and {name}. `form` says, in a prompt, how a case is
    written. `address_mib` is the address space that its runtime reserves whatever it uses; 0 for that of the limits."""

    title: str
    fences: frozenset[str]
    needs: str | None
    file: str
    layout: str
    run: tuple[str, ...]
    compile: tuple[str, ...]
    name: re.Pattern[str]
    empty: str
    gives: Literal["python", "json", "text"]
    form: str
    address_mib: int = 0

    def missing(self) -> str | None:
        """The executable that is not on this machine; None where everything is."""
        return None if self.needs is None or shutil.which(self.needs, path=SYSTEM_PATH) else self.needs


_C_NAME = re.compile(r"([A-Za-z_]\w*)\s*\(")

_PYTHON_LAYOUT = """\
import sys
sys.modules["answer"] = module = type(sys)("answer")
try:
    exec(compile({program!r}, "answer.py", "exec", dont_inherit=True), module.__dict__)
    given = repr(eval(compile({call!r}, "case", "eval"), module.__dict__))
except Exception as error:
    given = "raises " + type(error).__name__
print("\\n" + given)
"""

LANGUAGES: Mapping[str, Language] = {
    "python": Language(
        title="Python",
        fences=frozenset({"", "python", "py", "python3"}),
        needs=None,
        file="case.py",
        layout=_PYTHON_LAYOUT,
        run=(PYTHON, "-I", "-S", "-B", "case.py"),
        compile=(),
        name=re.compile(r"\b(?:def|class)\s+([A-Za-z_]\w*)"),
        empty="{signature}\n    return None",
        gives="python",
        form="call: an expression such as f([1, 2]); expected: its value as Python writes it, or raises ValueError",
    ),
    "javascript": Language(
        title="JavaScript",
        fences=frozenset({"javascript", "js", "node"}),
        needs="node",
        file="case.js",
        layout="{program}\n;console.log('\\n' + JSON.stringify(({call})));\n",
        run=("node", "case.js"),
        compile=(),
        name=re.compile(r"\b(?:function\*?|class)\s+([A-Za-z_$][\w$]*)"),
        empty="{signature} {{ }}",
        gives="json",
        form="call: an expression such as f([1, 2]); expected: its value as JSON",
        # V8 reserves far more than it uses: node 20 starts with 4 GiB of address space and not with 600 MB.
        address_mib=16_384,
    ),
    "bash": Language(
        title="Bash",
        fences=frozenset({"bash", "shell"}),
        needs="bash",
        file="case.bash",
        layout="{program}\n{call}\n",
        run=("bash", "--norc", "--noprofile", "case.bash"),
        compile=(),
        name=re.compile(r"(?:\bfunction\s+)?([A-Za-z_]\w*)\s*\(\s*\)"),
        empty="{name}() {{ :; }}",
        gives="text",
        form="call: a command such as f 'a b'; expected: what it prints",
    ),
    "sh": Language(
        title="POSIX shell",
        fences=frozenset({"sh"}),
        needs="sh",
        file="case.sh",
        layout="{program}\n{call}\n",
        run=("sh", "case.sh"),
        compile=(),
        name=re.compile(r"([A-Za-z_]\w*)\s*\(\s*\)"),
        empty="{name}() {{ :; }}",
        gives="text",
        form="call: a command such as f 'a b'; expected: what it prints",
    ),
    "c": Language(
        title="C",
        fences=frozenset({"c"}),
        needs="gcc",
        file="case.c",
        layout="#include <stdio.h>\n{program}\nint main(void) {{ {call}\nreturn 0; }}\n",
        run=("./case",),
        compile=("gcc", "-std=gnu17", "-O1", "-w", "-o", "case", "case.c", "-lm"),
        name=_C_NAME,
        empty="{signature} {{ return 0; }}",
        gives="text",
        form='call: a statement that prints, such as printf("%d\\n", f(2)); expected: what it prints',
    ),
    "cpp": Language(
        title="C++",
        fences=frozenset({"cpp", "c++", "cxx"}),
        needs="g++",
        file="case.cpp",
        layout="#include <iostream>\n#include <string>\n#include <vector>\n{program}\nint main() {{ {call}\n}}\n",
        run=("./case",),
        compile=("g++", "-std=c++17", "-O1", "-w", "-o", "case", "case.cpp"),
        name=_C_NAME,
        empty="{signature} {{ return {{}}; }}",
        gives="text",
        form="call: a statement that prints, such as std::cout << f(2); expected: what it prints",
    ),
}
"""Name in `tasks.program.languages` -> how it is run."""


def language_of(fence: str) -> str | None:
    """The language that a fenced block names; None for one that is not run."""
    named = fence.strip().partition(" ")[0].lower()
    return next((name for name, language in LANGUAGES.items() if named in language.fences), None)


def declared_name(language: Language, signature: str) -> str | None:
    """What a signature declares: the name that a case calls."""
    found = language.name.search(signature)
    return found[1] if found else None


_BLOCK = re.compile(r"^```(?P<fence>[^\n`]*)\n(?P<body>.*?)^```", re.MULTILINE | re.DOTALL)


def program_in(answer: str, language: str) -> str | None:
    """The program of an answer: its fenced blocks of the language, in order; None where there is none."""
    blocks = [block["body"] for block in _BLOCK.finditer(answer) if language_of(block["fence"]) == language]
    return "\n".join(blocks) if any(block.strip() for block in blocks) else None
