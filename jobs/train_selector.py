"""Trains a selector: `python -m jobs.train_selector domain=maths corpus=files corpus.paths=[DIR] store.root=DIR`.

The last line of stdout is one JSON object: fingerprint and path of the selector, digest of its manifest, metrics,
report, requests made by this execution, seconds.
"""

from __future__ import annotations

import sys

from factory.leaving import leave
from factory.select.training.command import main

if __name__ == "__main__":
    leave(main(sys.argv[1:]))
