"""The process that trains one fastText model, and nothing else.

Run by path, with the folder that holds `settings.json` and `train.txt`; writes `model.bin` there.

With one thread fastText 0.10.4 sets the first tenth of its input matrix and trains on whatever the allocator left
in the rest: «Encountered NaN» where that was used memory (5 of 6 runs in a process that had done other work, 4 of 4
in a fresh one with a small vocabulary), nothing wrong where it came fresh from the kernel. So the caller starts
this process with ENVIRONMENT, which makes glibc hand out zeroed memory: the same model every time. Where the
variable means nothing, the caller's checks and further attempts are left.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ENVIRONMENT = {"MALLOC_PERTURB_": "255"}
"""glibc fills new memory with the complement of this byte: zero. With 1 every run above ended in NaN."""


def main(folder: Path) -> int:
    import fasttext

    settings = json.loads((folder / "settings.json").read_text())
    try:
        model = fasttext.train_supervised(input=str(folder / "train.txt"), verbose=0, **settings)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 3
    model.save_model(str(folder / "model.bin"))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
