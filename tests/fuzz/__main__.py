"""`python -m tests.fuzz`: the long, random fuzzing of every parser, for as long as it is given.

Design: rounds over all files of targets, each file a pytest process of its own (a parser that takes the process with it
is a failure with a name, not the end of the run), each round with more examples a test than the one before. Examples
that failed are kept in .fuzz/examples and tried first next time. Nothing is cut off in the middle but by the clock; the
last line of stdout is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.harness import COUNTS, EXAMPLES

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FIRST_EXAMPLES, MOST_EXAMPLES = 200, 20_000


def main(arguments: list[str] | None = None) -> int:
    args = parser().parse_args(arguments)
    ends = time.monotonic() + 60 * args.minutes
    families = sorted(path for path in HERE.glob("test_*.py") if path.stem != "test_targets" and args.only in path.stem)
    counts: Counter[str] = Counter()
    failures: dict[str, str] = {}
    examples, rounds = args.examples, 0
    while families and time.monotonic() < ends:
        for family in families:
            if (left := ends - time.monotonic()) <= 0:
                break
            counted, failed = run_family(family, examples, left)
            counts.update(counted)
            failures |= failed
            print(
                f"{family.stem}: {sum(counted.values()):,} examples, {len(failed)} failed", file=sys.stderr, flush=True
            )
        examples, rounds = min(2 * examples, MOST_EXAMPLES), rounds + 1
    for name, said in sorted(failures.items()):
        print(f"FAILED {name}: {said}", file=sys.stderr)
    result = {
        "targets": len(counts),
        "examples": counts.total(),
        "failures": len(failures),
        "rounds": rounds,
        "failed": sorted(failures),
        "minutes": args.minutes,
    }
    print(json.dumps(result))
    return 1 if failures else 0


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="make fuzz MINUTES=N",
        description="Fuzzes every parser that meets untrusted bytes. Failing examples are kept in .fuzz/ and tried "
        "first the next time; `pytest tests/fuzz` runs the short, fixed part that `make test` has.",
    )
    found.add_argument("--minutes", type=float, default=10, help="how long (default 10)")
    found.add_argument("--only", default="", help="only files with this in their name, for example stored")
    found.add_argument("--examples", type=int, default=FIRST_EXAMPLES, help="examples a test in the first round")
    return found


def run_family(family: Path, examples: int, seconds: float) -> tuple[Counter[str], dict[str, str]]:
    """Examples by test, and what failed. A file that the clock ends counts what it had finished."""
    with tempfile.TemporaryDirectory(prefix="factory-fuzz-") as folder:
        counts = Path(folder) / "counts"
        environment = {**os.environ, EXAMPLES: str(examples), COUNTS: str(counts)}
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--timeout=0",
            "--tb=short",
            str(family),
        ]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        ended = False
        try:
            said, _ = process.communicate(timeout=max(1.0, seconds))
        except subprocess.TimeoutExpired:
            ended = True
            process.send_signal(signal.SIGINT)  # pytest ends, and writes what it counted
            try:
                said, _ = process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                said, _ = process.communicate()
        counted: Counter[str] = Counter()
        if counts.exists():
            for line in counts.read_text(encoding="utf-8").splitlines():
                name, _, number = line.partition("\t")
                counted[name] += int(number)
    failed = {match[1]: match[2] for match in re.finditer(r"^FAILED \S*?(test_\S+)(?: - (.*))?$", said, re.MULTILINE)}
    if process.returncode not in (0, 1) and not ended:
        failed[family.stem] = f"the process ended with {process.returncode}: {said[-2000:]}"
    if failed:
        print(said[-20_000:], file=sys.stderr)
    return counted, failed


if __name__ == "__main__":
    sys.exit(main())
