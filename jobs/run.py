"""Runs the factory: `python -m jobs.run preset=demo store.root=DIR`, with the usual Hydra overrides.

`-m` (or `--multirun`) sweeps: `python -m jobs.run -m preset=demo seed=1,2,3`. The last line of stdout is one
JSON object: run, dataset, report, samples, requests made by this execution, seconds.
"""

from __future__ import annotations

import sys

from factory.leaving import leave
from factory.run.command import main

if __name__ == "__main__":
    leave(main(sys.argv[1:]))
