"""`--as chat`: TRL's conversational language modelling format, a column `messages` of role and content.

Format: TRL 1.16, docs "Dataset formats and types"; also what `datasets` users and most trainers read.
"""

from __future__ import annotations

import pyarrow as pa

from factory.export.carried import carried_columns
from factory.export.recipe import Recipe
from factory.export.shaped import Shaped
from factory.export.source import Source

COLUMNS = ("messages",)


def shape(source: Source, recipe: Recipe, rows: pa.Table) -> Shaped:
    return Shaped(rows.select(["messages", *carried_columns(source)]))
