"""Corpus-derived synthetic data factory: every published row can prove where it came from.

The rooms, in the order data walks through them: corpus, select, concepts, questions, curate, answers,
publish, evaluate. `engine` calls language models, `store` keeps bytes, `run` plans and executes units,
`domains` holds prompts, `cli` the `factory` command.
"""

__version__ = "0.1.0"
