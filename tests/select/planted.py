"""Synthetic documents with personal data planted in them, and clean technical ones that look as if: both seeded."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from factory.select.pii_kinds import KINDS
from tests.select.planted_kinds import DRAWS, LABELS
from tests.select.planted_values import LAST, Value


class Plant(NamedTuple):
    kind: str
    start: int
    end: int


class Planted(NamedTuple):
    text: str
    plants: tuple[Plant, ...]


PROSE = (
    "The committee met on Tuesday to review the draft, and most members asked for another week.",
    "A stack frame holds the return address and the local variables of a call.",
    "Let $f\\colon X \\to Y$ be continuous; then the preimage of an open set is open.",
    "Die Sitzung beginnt um 14 Uhr im großen Saal, Unterlagen liegen aus.",
    "La réunion de mardi est reportée à la semaine prochaine.",
    "def area(radius):\n    return 3.14159 * radius ** 2",
    "The river rises in the hills north of the town and reaches the sea after 212 kilometres.",
    "Los datos se guardan durante treinta días y después se borran.",
    "| step | seconds |\n| --- | --- |\n| read | 1.25 |\n| write | 0.75 |",
    "Order 66 was shipped in 3 boxes on 2024-03-18 and arrived two days later.",
    "See section 4.2 of the manual, or run `make help` for a list of targets.",
    "Привет, мир. 今日は良い天気です。 مرحبا بالعالم 🙂",
)

LABELLED = (
    "{label}: {value}",
    "{label} {value}",
    "Her {label} is {value}.",
    "<li>{label}: {value}</li>",
    "- {label}: {value}\n",
    '"{label}": "{value}",',
    "{label}={value}",
    "| {label} | {value} |",
    "My {label}: {value}, ask for {name}.",
    "({label}: {value})",
    "*{label}* {value}",
)
BARE = (
    "{name}, {value}, 2024",
    "Please use {value} from now on.",
    "{name} ({value}) wrote:",
    "[{value}]",
    "{value}\n{name}",
    "<td>{value}</td>",
    "… and {value}.",
    "'{value}'",
    "to: {value};",
    "* {value}\n",
    "Signed, {name}\n{value}\n",
    "{name}\t{value}\t12",
    "„{value}“",
)
PASSWORDS = (
    '{label} = "{value}"',
    "{label}: '{value}'",
    "export {label}={value}",
    '"{label}": "{value}",',
    "{label}={value}",
    "{label}: {value}\n",
    "The {label} is {value} until Friday.",
    "--{label}={value}",
    "{label} => '{value}'",
)
ADDRESSES = (
    "https://{value}@{host}/path",
    "git clone https://{value}@{host}/x.git",
    "DATABASE_URL=postgres://{value}@{host}:5432/app",
)


def planted_documents(count: int, seed: int) -> Iterator[Planted]:
    """Documents of some paragraphs with one to five values each; kinds take turns, so all are equally many."""
    rng = random.Random(seed)
    kinds: list[str] = []
    for _ in range(count):
        pieces: list[str] = []
        plants: list[Plant] = []
        length = 0
        for _ in range(rng.randint(1, 5)):
            if not kinds:
                kinds = list(KINDS)
                rng.shuffle(kinds)
            kind = kinds.pop()
            before = rng.choice(PROSE) + rng.choice(["\n", "\n\n", " "])
            value = DRAWS[kind](rng)
            around, place = surrounded(rng, kind, value)
            plants.append(Plant(kind, length + len(before) + place, length + len(before) + place + len(value.text)))
            after = rng.choice(["\n", "\n\n"])
            pieces += [before, around, after]
            length += len(before) + len(around) + len(after)
        text = "".join([*pieces, rng.choice(PROSE)])
        yield Planted(text, tuple(plants))


def surrounded(rng: random.Random, kind: str, value: Value) -> tuple[str, int]:
    """The value in a sentence, a table, markup or code, and where it begins there."""
    mark = "\x00"
    labels = LABELS.get(kind, (kind,))
    if kind == "password":
        template = rng.choice(PASSWORDS)
    elif kind == "url_credentials":
        template = rng.choice(ADDRESSES)
    elif value.needs_label or (kind in LABELS and rng.random() < 0.5):
        template = rng.choice(LABELLED)
    else:
        template = rng.choice(BARE)
    host = f"{rng.choice(LAST)}-systems.io"
    text = template.format(label=rng.choice(labels), value=mark, name=rng.choice(LAST).title(), host=host)
    return text.replace(mark, value.text), text.index(mark)


def clean_documents(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """(what it is, text): technical documents without anybody's data, each of several pieces of one sort."""
    from tests.select.clean_pieces import PIECES

    rng = random.Random(seed)
    sorts: Sequence[str] = sorted(PIECES)
    for number in range(count):
        sort = sorts[number % len(sorts)]
        pieces = [PIECES[sort](rng) for _ in range(rng.randint(4, 12))]
        yield sort, "\n".join([rng.choice(PROSE), *pieces, rng.choice(PROSE)])
