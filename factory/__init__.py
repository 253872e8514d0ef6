"""Corpus-derived synthetic data factory: every published row can prove where it came from.

The rooms, in the order data walks through them: corpus, select, concepts, questions, curate, answers,
publish, evaluate. `engine` calls language models, `store` keeps bytes, `run` plans and executes units,
`domains` holds prompts, `cli` the `factory` command.
"""

import os

__version__ = "0.1.0"

# Before pyarrow is imported, since the library reads it once; processes that this one starts inherit it. Arrow's own
# allocator (mimalloc) makes workers slower and larger: deduplication of 200,000 questions took 3.84 s on one core, 2.39
# on two and 526 MiB a worker, with the system's 3.56, 2.16 and 434 (decision 0006). Of a run over 10,000 documents it
# changed neither time nor the driver's memory.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
