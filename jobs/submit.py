"""Submits a run to a Ray cluster: `python -m jobs.submit preset=production cluster.address=http://HEAD:8265`.

Takes what `jobs.run` takes, follows the job's log, and ends with the job's exit code (docs/cluster.md).
"""

from __future__ import annotations

import sys

from factory.cluster.command import main
from factory.leaving import leave

if __name__ == "__main__":
    leave(main(sys.argv[1:]))
