"""`python -m tests.bench [NAME]` (`--help` lists the names): a table, then one JSON object.

Without a name all run but those of ON_REQUEST, and their tables in docs/benchmarks.md are rewritten (`--keep-docs`
leaves them). `--tiny` uses sizes that prove the benchmark works and measure nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable, Sequence

from tests.bench import (
    classification,
    cluster,
    decon,
    dedup,
    engine,
    evaluate,
    graph,
    impact,
    packs,
    pipeline,
    programs,
    requests_load,
    resume,
    retrieval,
    select,
    units,
    watched,
)
from tests.bench.figures import DOCUMENT, Figures, closing_line, machine_now, rewrite, text_table

BENCHMARKS: dict[str, Callable[[argparse.Namespace], Figures]] = {
    "pipeline": pipeline.measure,
    "resume": resume.measure,
    "select": select.measure,
    "decon": decon.measure,
    "graph": graph.measure,
    "dedup": dedup.measure,
    "evaluate": evaluate.measure,
    "impact": impact.measure,
    "packs": packs.measure,
    "programs": programs.measure,
    "units": units.measure,
    "cluster": cluster.measure,
    "engine": engine.measure,
    "watched": watched.measure,
    "requests": requests_load.measure,
    "retrieval": retrieval.measure,
    "classification": classification.measure,
}

ON_REQUEST = ("retrieval", "classification")
"""They need a corpus that is not in the project."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("name", nargs="?", choices=sorted(BENCHMARKS), help="one of them; none: all")
    parser.add_argument("--tiny", action="store_true", help="smallest sizes")
    parser.add_argument("--keep-docs", action="store_true", help="leave docs/benchmarks.md as it is")
    for module in (
        pipeline,
        resume,
        select,
        decon,
        graph,
        dedup,
        engine,
        requests_load,
        evaluate,
        impact,
        packs,
        programs,
        retrieval,
        units,
        watched,
        cluster,
    ):
        module.add_arguments(parser)
    options = parser.parse_args(arguments)
    results = []
    for name in [options.name] if options.name else [name for name in BENCHMARKS if name not in ON_REQUEST]:
        machine = machine_now()
        figures = dataclasses.replace(BENCHMARKS[name](options), machine=machine)
        print(text_table(figures), flush=True)
        results.append(figures)
    if options.name is None and not options.keep_docs and not options.tiny:
        text = DOCUMENT.read_text()
        for figures in results:
            text = rewrite(text, figures)
        DOCUMENT.write_text(text)
    print(closing_line(results), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
