"""`--as interleaved`: a document and all questions and answers about it as one text, for continued pretraining.

Format: a column `text`, TRL's standard language modelling type. Text with its own questions behind it is what
instruction pre-training learns from (Cheng et al. 2024, arXiv 2406.14491).

Design: rows that rest on the same documents become one text: those of one document follow it, those across two follow
both. Documents are the run's committed copies, found through each row's lineage, whole as far as they lie in one file;
a document of more chunks than a file holds is told by the part that was asked about. What is between two chunks was
white space and is put back as a blank or an empty line. Licences, duties and attribution are those of all its rows.
Cost: each file of documents read once, those of a second document once a part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from factory.export.carried import melted
from factory.export.recipe import Recipe
from factory.export.run_of import require_run
from factory.export.shaped import Shaped
from factory.export.source import Source
from factory.export.template import template_of
from factory.run.outputs import resolve
from factory.store.base import Store
from factory.store.parquet import read_parquet

COLUMNS = ("messages", "question", "answer", "lineage")
REMOVED, SEVERAL_TURNS = "document_removed", "not_one_question_and_answer"

Documents = Mapping[tuple[str, str], str]
"""(name of the file, document id) -> text."""


def check(source: Source, recipe: Recipe) -> None:
    """Raises ConfigError for a dataset without a run, or a template that is none."""
    require_run(source, recipe)
    template_of(recipe.template)


def files_of(rows: pa.Table) -> list[str]:
    """The file of documents in which each row's first passage lies."""
    return [sources[0]["file"] for sources in pc.struct_field(rows.column("lineage"), "sources").to_pylist()]


def shape(source: Source, recipe: Recipe, rows: pa.Table) -> Shaped:
    template = template_of(recipe.template)
    told_apart = pc.fill_null(pc.equal(pc.list_value_length(rows.column("messages")), 2), False)
    several = rows.num_rows - int(pc.sum(told_apart).as_py() or 0)
    rows = rows.filter(told_apart)
    places = [_documents_of(sources) for sources in pc.struct_field(rows.column("lineage"), "sources").to_pylist()]
    texts = _texts(require_run(source, recipe), {place for each in places for place in each})
    groups: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for number, each in enumerate(places):
        groups.setdefault(each, []).append(number)
    whole = {each: numbers for each, numbers in groups.items() if all(texts.get(place) for place in each)}
    questions, answers = (rows.column(name).to_pylist() for name in ("question", "answer"))
    documents = ["\n\n".join(texts[place] for place in each) for each in whole]
    told = [
        template.render(document, [(questions[number], answers[number]) for number in numbers])
        for document, numbers in zip(documents, whole.values(), strict=True)
    ]
    columns = {
        "text": (told, pa.string()),
        "pairs": ([len(numbers) for numbers in whole.values()], pa.int32()),
        "document_characters": ([len(document) for document in documents], pa.int64()),
    }
    lost = rows.num_rows - sum(map(len, whole.values()))
    facts = {"characters": sum(map(len, told)), "document_characters": sum(map(len, documents))}
    left_out = {reason: number for reason, number in ((REMOVED, lost), (SEVERAL_TURNS, several)) if number}
    return Shaped(melted(source, columns, rows, list(whole.values())), left_out, facts)


def _documents_of(sources: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """The documents of a row, each once, in the order of its passages."""
    return tuple(dict.fromkeys((str(source["file"]), str(source["doc_id"])) for source in sources))


def _texts(root: Store, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Texts of documents, each file read once."""
    by_file: dict[str, set[str]] = {}
    for file, doc_id in wanted:
        by_file.setdefault(file, set()).add(doc_id)
    found: dict[tuple[str, str], str] = {}
    for file, ids in sorted(by_file.items()):
        table = read_parquet(root, resolve(root, file).key, ["doc_id", "text", "span_start", "span_end"])
        listed = pc.is_in(table.column("doc_id"), value_set=pa.array(sorted(ids)))
        chunks: dict[str, list[Mapping[str, Any]]] = {}
        for row in table.filter(listed).to_pylist():
            chunks.setdefault(row["doc_id"], []).append(row)
        found |= {(file, doc_id): joined(rows) for doc_id, rows in chunks.items()}
    return found


def joined(chunks: Sequence[Mapping[str, Any]]) -> str:
    """A document of its chunks; a document that was met several times has each of them once."""
    pieces: list[str] = []
    end = None
    for chunk in sorted({(row["span_start"], row["span_end"], row["text"]) for row in chunks}):
        start, stop, text = chunk
        gap = 0 if end is None else start - end
        pieces.append("" if gap <= 0 else " " if gap == 1 else "\n\n")
        pieces.append(text)
        end = stop
    return "".join(pieces)
