"""`python -m tests.faults --seeds 20`: every case with every seed, a line a trial, one JSON object at the end.

Kept: results in docs/reliability.jsonl, and below .faults/ undisturbed references, by the state of the code, and the
folders of trials that failed. Killed anywhere and started again it goes on with the trials that have no result; trials
that failed are tried again. Exit code 1 when any trial failed.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path

from filelock import FileLock, Timeout

from tests.faults.case import Case
from tests.faults.catalogue import all_cases, chosen, trials
from tests.faults.code_state import CodeState, code_state
from tests.faults.document import DOCUMENT, rewrite, table
from tests.faults.jobs import worked
from tests.faults.processes import end, marked
from tests.faults.results import RESULTS, Kept, Result, closing_object, rows_of
from tests.runs import REPOSITORY

DEFAULT_SEEDS = 2
VLLM_SEEDS = 3
"""Seeds of a case with a real model at most, unless more are asked for by name: a trial takes minutes."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seeds", type=_count, default=DEFAULT_SEEDS, help=f"seeds a case (default {DEFAULT_SEEDS})")
    parser.add_argument(
        "--vllm-seeds", type=_count, help=f"seeds a case with a real model (default at most {VLLM_SEEDS})"
    )
    parser.add_argument("--case", action="append", default=[], help="only cases whose name holds this; may be repeated")
    parser.add_argument("--engine", choices=["scripted", "vllm"], help="only cases with this engine")
    parser.add_argument("--quick", action="store_true", help="only the selection that `make test` runs")
    parser.add_argument("--jobs", type=_count, default=1, help="trials at a time (default 1; 2 on two free cores)")
    parser.add_argument("--older", action="store_true", help="take results of other states of the code for this one's")
    parser.add_argument("--again", action="store_true", help="try also what has a result already")
    parser.add_argument("--table", action="store_true", help="write the table of what is kept, and run nothing")
    parser.add_argument("--list", action="store_true", help="print the cases and run none")
    parser.add_argument("--keep-docs", action="store_true", help="leave docs/reliability.md as it is")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where results are kept (a file of JSON lines)")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / ".faults", help="where trials are worked")
    options = parser.parse_args(arguments)
    known = all_cases()
    cases = chosen(known, options.case, options.engine, options.quick)
    if options.list:
        print("\n".join(f"{case.name}  ({case.store}, {case.engine}; {', '.join(case.executors)})" for case in cases))
        return 0
    if not cases:
        print(f"no case is called {' or '.join(options.case)}; --list names them", file=sys.stderr)
        return 2
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it, and so its runs
    options.folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(options.folder / "lock", timeout=0):
            return _suite(options, known, cases)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on with the trials that have no result", file=sys.stderr)
        return 130
    except BrokenProcessPool:
        print("a process of the suite was killed (for want of memory?); the same command goes on", file=sys.stderr)
        return 1
    except Timeout:
        print(f"another fault suite is at work in {options.folder}", file=sys.stderr)
        return 2


def _suite(options: argparse.Namespace, known: Sequence[Case], cases: Sequence[Case]) -> int:
    end(marked(f"{options.folder}/"))  # what a suite that was killed has left running
    state = code_state(REPOSITORY)
    kept = Kept(options.results, state)
    vllm_seeds = options.vllm_seeds if options.vllm_seeds is not None else min(options.seeds, VLLM_SEEDS)
    missing = {case.name: why for case in cases if case.needs is not None and (why := case.needs()) is not None}
    for name, why in missing.items():
        print(f"left out: {name}: {why}", flush=True)
    wanted = list(trials([case for case in cases if case.name not in missing], options.seeds, vllm_seeds))
    if options.table:
        wanted = []
    print(f"{len(wanted)} trials of {len(cases)} cases at {state.name}{_changed(state)}", flush=True)
    results: list[Result] = []
    left = []
    for case, seed in wanted:
        before = None if options.again else kept.get(case, seed, options.older)
        if before is None or not before.ok:
            left.append((case, seed))
            continue
        results.append(before)
        print(_line(len(results), len(wanted), before, again=True), flush=True)
    with closing(worked(left, options.folder, state.code, options.jobs)) as coming:
        for result in coming:
            results.append(result)
            print(_line(len(results), len(wanted), result), flush=True)
            if code_state(REPOSITORY).code != state.code:
                print("the code was changed while the suite ran; start it again", file=sys.stderr)
                return 1
            if result.seconds:  # else it did not begin, which says nothing about the case
                kept.put(result)
    rows = rows_of(known, kept)
    generated = table(rows, known, state, _machine_line(), missing)
    print("\n" + generated)
    if not options.keep_docs:
        DOCUMENT.write_text(rewrite(DOCUMENT.read_text(), generated))
    untried = sorted({case.name for case in cases} - {each.case for each in results}) if not options.table else []
    for name in untried:
        print(f"no trial of {name}: {missing.get(name, 'no seed of it was asked for')}", file=sys.stderr)
    summary = closing_object(results, state, {each for row in rows for each in row.states})
    print(json.dumps({**summary, "untried": untried}), flush=True)
    return exit_code(results, options.table)


def exit_code(results: Sequence[Result], table_only: bool) -> int:
    """0 where there were trials and all held; 2 where there was none, which proves nothing."""
    if not results:
        return 0 if table_only else 2
    return 0 if all(each.ok for each in results) else 1


def _count(text: str) -> int:
    if int(text) < 0:
        raise argparse.ArgumentTypeError(f"{text} is no number of seeds")
    return int(text)


def _line(number: int, total: int, result: Result, again: bool = False) -> str:
    verdict = "ok    " if result.ok else "FAILED"
    where = f" at {', '.join(result.moments)}" if result.moments else ""
    line = (
        f"[{number}/{total}] {verdict} {result.case}, seed {result.seed}, {result.executor}{where}: "
        f"lost {result.lost}, doubled {result.doubled}, re-paid {result.repaid}, re-done {result.redone} "
        f"of {result.in_flight} in flight, {result.reruns} re-runs, {result.seconds:.0f} s{' (kept)' if again else ''}"
    )
    problems = [f"    {problem}" for problem in result.problems]
    return "\n".join([line, *problems, *([f"    it lies in {result.folder}"] if result.folder else [])])


def _changed(state: CodeState) -> str:
    return ", with changes that are not committed" if state.dirty else ""


def _machine_line() -> str:
    from tests.bench.figures import machine_now

    machine = machine_now()
    return (
        f"{time.strftime('%Y-%m-%d')}, {machine['processor']}, {machine['cores']} cores; Python {machine['python']}, "
        f"Ray {machine['ray']}; load {machine['load_average_at_start']} when the table was written"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
