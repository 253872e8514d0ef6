"""Public layouts of terminologies, read as entries: ICD-10-CM, MeSH, SNOMED CT. Their licences are between their
publishers and whoever downloads them, so none comes with the factory.

Design: one function a layout from lines to entries, streaming where the layout allows it; SNOMED CT's descriptions lie
in any order, so those of a concept are gathered first. A line that is not in the layout is an error with its number,
never skipped: half a terminology finds half of its terms, and nobody would see which.

Cost: 2 to 5 microseconds a line; SNOMED CT holds its terms in memory, about 400 bytes each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from factory.errors import ConfigError
from factory.vocabulary.entries import Entry

Lines = Iterable[tuple[int, str]]
"""Lines without their ends, each with its number from 1."""


def read_layout(path: Path, layout: str) -> Iterator[Entry]:
    """The entries of a file in a layout of LAYOUTS. Raises ConfigError where it cannot be read or has another one."""
    read = LAYOUTS[layout]
    try:
        with path.open(encoding="utf-8-sig") as file:
            lines = ((number, line.rstrip("\r\n")) for number, line in enumerate(file, 1))
            yield from read(lines)
    except _NotTheLayoutError as error:
        raise ConfigError(
            f"{path}:{error.line}: {error.what}",
            cause=f"the file is not in the layout `{layout}`, or it is damaged",
            remedy="docs/vocabulary.md says which file of a release each layout is",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror or error}", remedy="name a file that is here"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8: {error}", remedy="unpack it first, or save it as UTF-8") from None


class _NotTheLayoutError(Exception):
    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line, self.what = line, what


_ORDER = re.compile(r"^\d{5} ([A-Z][0-9A-Z]{2,6}) *([01]) ")
_CODE = re.compile(r"^([A-Z]\d[0-9A-Z](?:\.?[0-9A-Z]{1,4})?)\s+(\S.*)$")
DESCRIPTION_COLUMN = 77
"""Where the long description begins in a line of the order file, from 0."""


def icd10cm_order(lines: Lines) -> Iterator[Entry]:
    """The order file (icd10cm_order_YYYY.txt): fixed columns with order number, code, whether it is valid for billing,
    short and long description."""
    for number, line in lines:
        if not line.strip():
            continue
        found = _ORDER.match(line)
        term = line[DESCRIPTION_COLUMN:].strip()
        if found is None or not term:
            raise _NotTheLayoutError(number, "no line of order number, code, flag and two descriptions")
        yield _diagnosis(found[1], term)


def icd10cm_codes(lines: Lines) -> Iterator[Entry]:
    """Tabular text (icd10cm_codes_YYYY.txt, or codes with a dot): a code, white space, its description."""
    for number, line in lines:
        if not line.strip():
            continue
        found = _CODE.match(line.strip())
        if found is None:
            raise _NotTheLayoutError(number, "no line of a code and its description")
        yield _diagnosis(found[1].replace(".", ""), found[2])


_UNSPECIFIED = re.compile(r",? (?:unspecified|not elsewhere classified)$")


def _diagnosis(code: str, term: str) -> Entry:
    dotted = f"{code[:3]}.{code[3:]}" if len(code) > 3 else code
    short = _UNSPECIFIED.sub("", term)
    return Entry(term, dotted, "", (short,) if short != term else (), "disease")


_FIELD = re.compile(r"^([A-Z][A-Z0-9 ]*?) = ?(.*)$")


def mesh_ascii(lines: Lines) -> Iterator[Entry]:
    """Descriptors (dYYYY.bin) and supplementary concepts (cYYYY.bin) in MeSH's ASCII layout: records of KEY = VALUE."""
    record: dict[str, list[str]] = {}
    begun = 0
    for number, line in lines:
        if line.strip() == "*NEWRECORD":
            if record:
                yield _mesh_entry(record, begun)
            record, begun = {}, number
        elif line.strip():
            found = _FIELD.match(line)
            if found is None or not begun:
                raise _NotTheLayoutError(number, "neither *NEWRECORD nor KEY = VALUE")
            record.setdefault(found[1], []).append(found[2].strip())
    if record:
        yield _mesh_entry(record, begun)


def _mesh_entry(record: Mapping[str, list[str]], line: int) -> Entry:
    name = next((record[key][0] for key in ("MH", "NM", "SH") if record.get(key)), "")
    if not name:
        raise _NotTheLayoutError(line, "a record without MH, NM or SH")
    # An entry is "name|type|date|…"; only its name is a way of writing the term.
    written = (value.split("|")[0].strip() for key in ("ENTRY", "PRINT ENTRY", "SY") for value in record.get(key, ()))
    synonyms = tuple(dict.fromkeys(each for each in written if each and each != name))
    definition = next((record[key][0] for key in ("MS", "NO") if record.get(key)), "")
    return Entry(name, next(iter(record.get("UI", ())), ""), definition, synonyms, _mesh_kind(record))


_TREES = {"A": "anatomy", "B": "organism", "C": "disease", "E": "procedure", "F": "behaviour", "G": "process"}


def _mesh_kind(record: Mapping[str, list[str]]) -> str:
    """A chemical with a pharmacological action is a drug; other kinds are the branch of the tree."""
    branches = {number[:1] for number in record.get("MN", ())}
    if "D" in branches or record.get("NM"):
        return "drug" if record.get("PA") else "chemical"
    return next((_TREES[branch] for branch in sorted(branches) if branch in _TREES), "")


FULL_NAME, DEFINITION = "900000000000003001", "900000000000550004"
"""Kinds of description; any other is a way of writing the concept."""
_TAG = re.compile(r"^(.*\S) \(([^()]+)\)$")
_KINDS = {
    "disorder": "disease", "finding": "finding", "procedure": "procedure", "body structure": "anatomy",
    "organism": "organism", "substance": "chemical", "product": "drug", "medicinal product": "drug",
    "medicinal product form": "drug", "clinical drug": "drug",
}  # fmt: skip
_PRODUCT = re.compile(r"^Product containing (?:only |precisely )?")


@dataclass
class _Concept:
    names: list[str] = field(default_factory=list)
    tag: str = ""
    full: str = ""
    definition: str = ""


def snomed_tsv(lines: Lines) -> Iterator[Entry]:
    """A description or text definition file in the layout of SNOMED CT's release format 2: tab-separated with a header.
    Inactive descriptions are left out; the tag of the full name ("(disorder)") says the kind."""
    concepts: dict[str, _Concept] = {}
    columns: list[str] = []
    for number, line in lines:
        cells = line.split("\t")
        if not columns:
            if missing := [name for name in ("active", "conceptId", "typeId", "term") if name not in cells]:
                raise _NotTheLayoutError(number, f"the header lacks {', '.join(missing)}")
            columns = cells
            continue
        if not line.strip():
            continue
        if len(cells) != len(columns):
            raise _NotTheLayoutError(number, f"it has {len(cells)} fields, the header {len(columns)}")
        row = dict(zip(columns, cells, strict=True))
        if row["active"] == "1":
            _describe(concepts.setdefault(row["conceptId"], _Concept()), row["typeId"], row["term"].strip())
    for code, concept in concepts.items():
        names = list(dict.fromkeys(name for name in (*concept.names, concept.full) if name))
        if names:
            kind = _KINDS.get(concept.tag, concept.tag)
            yield Entry(names[0], code, concept.definition, tuple(names[1:]), kind)


def _describe(concept: _Concept, kind: str, term: str) -> None:
    if kind == FULL_NAME:
        tagged = _TAG.match(term)
        concept.full, concept.tag = (_PRODUCT.sub("", tagged[1]), tagged[2]) if tagged else (term, "")
    elif kind == DEFINITION:
        concept.definition = term
    else:
        concept.names.append(term)


LAYOUTS: Mapping[str, Callable[[Lines], Iterator[Entry]]] = {
    "icd10cm-order": icd10cm_order,
    "icd10cm-codes": icd10cm_codes,
    "mesh": mesh_ascii,
    "snomed": snomed_tsv,
}
"""Name of a layout -> its reader."""
