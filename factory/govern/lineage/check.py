"""What is wrong with run events: against a schema, and between each other. Offline.

Design: the schema (schemas/openlineage/run-event.json) is our own writing of what OpenLineage 2-0-2 and the facets that
we write require; the published files are not shipped. It is stricter where we are: a facet that we do not write, or a
field that none of ours has, is a problem too. The rules between events are the standard's words (one START and one of
COMPLETE, FAIL, ABORT a run) and those without which a catalogue shows a broken graph.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from factory.govern.lineage.names import FACETS, schema_url
from factory.govern.schemas import load_schema

Event = dict[str, Any]

ENDS = ("COMPLETE", "FAIL", "ABORT")
LISTED = 50
"""Problems that are told: a file that is wrong all over is known to be by then."""


def problems(events: Sequence[Event]) -> list[str]:
    """Empty where all is good. `events` are in the order of the file."""
    found = list(islice(misshapen(events), LISTED))
    if not events:
        found.append("there is no event")
    return (found or [*_unpaired(events), *_orphans(events), *_unknown_tables(events), *_wrong_facets(events)])[:LISTED]


@cache
def validator() -> Draft202012Validator:
    return Draft202012Validator(load_schema("openlineage/run-event.json"), format_checker=_formats())


def _formats() -> FormatChecker:
    """UUIDs, and times with a date, a time and a zone; jsonschema itself checks times only with another package."""
    checker = FormatChecker(formats=["uuid"])

    @checker.checks("date-time", raises=ValueError)
    def timed(value: object) -> bool:
        return not isinstance(value, str) or ("T" in value and datetime.fromisoformat(value).tzinfo is not None)

    return checker


def misshapen(events: Iterable[Event]) -> Iterator[str]:
    """What the schema says of each, with the number of its line."""
    for number, event in enumerate(events, start=1):
        for error in validator().iter_errors(event):
            where = ".".join(map(str, error.absolute_path)) or "the event"
            yield f"line {number}: {where}: {error.message[:300]}"


def _unpaired(events: Sequence[Event]) -> Iterator[str]:
    """Runs that do not have exactly one START and one end, or end before they start."""
    states: dict[str, list[Event]] = {}
    for event in events:
        states.setdefault(event["run"]["runId"], []).append(event)
    for run, told in states.items():
        kinds = Counter(event["eventType"] for event in told)
        job, ends = told[0]["job"]["name"], sum(kinds[end] for end in ENDS)
        if kinds["START"] != 1 or ends != 1:
            yield f"run {run} of {job} has {kinds['START']} START and {ends} of {', '.join(ENDS)}, not one of each"
        elif told[0]["eventType"] != "START" or _time(told[0]) > max(_time(event) for event in told):
            yield f"run {run} of {job} does not begin with its START"
        if len({event["job"]["name"] for event in told}) > 1:
            yield f"run {run} is of more than one job"


def _orphans(events: Sequence[Event]) -> Iterator[str]:
    """Parents and roots that no event is of."""
    known = {(event["run"]["runId"], event["job"]["name"]) for event in events}
    for event in events:
        parent = event["run"]["facets"].get("parent")
        for relation in (parent, parent.get("root")) if parent else ():
            if relation and (relation["run"]["runId"], relation["job"]["name"]) not in known:
                yield f"{event['job']['name']} names the parent {relation['job']['name']}, of which there is no event"


def _unknown_tables(events: Sequence[Event]) -> Iterator[str]:
    """Tables that are read and that nobody wrote, but for the corpus, which the run reads itself; and columns said to
    come from tables that the job does not read, or that do not have them."""
    corpus = {table["name"] for event in events if _kind(event) == "RUN" for table in event["inputs"]}
    written = {table["name"] for event in events for table in event["outputs"]}
    columns = {table["name"]: _columns(table) for event in events for table in event["outputs"] if _columns(table)}
    for event in events:
        job, read = event["job"]["name"], {table["name"] for table in event["inputs"]}
        for name in sorted(read - written - corpus):
            yield f"{job} reads {name}, which nothing wrote"
        for table in event["outputs"]:
            for field in _lineage_fields(table):
                if field["name"] not in read:
                    yield f"{job} takes a column of {table['name']} from {field['name']}, which it does not read"
                elif field["name"] in columns and field["field"] not in columns[field["name"]]:
                    yield f"{job} names the column {field['field']} of {field['name']}, which has none of that name"


def _wrong_facets(events: Iterable[Event]) -> Iterator[str]:
    """Facets whose schema is not the one that belongs to their key."""
    known = {key: schema_url(key) for key in FACETS}
    for event in events:
        for key, facet in _facets(event):
            url = facet["_schemaURL"]
            right = [known[name] for name in (key, f"run_{key}") if name in known]
            if url not in right:
                yield f"{event['job']['name']}: the facet {key} names the schema {url}, and not {' or '.join(right)}"


def _facets(event: Event) -> Iterator[tuple[str, Any]]:
    yield from event["run"]["facets"].items()
    yield from event["job"]["facets"].items()
    for table in (*event["inputs"], *event["outputs"]):
        for group in ("facets", "inputFacets", "outputFacets"):
            yield from table.get(group, {}).items()


def _kind(event: Event) -> str:
    return str(event["job"]["facets"]["jobType"]["jobType"])


def _columns(table: Event) -> set[str]:
    return {column["name"] for column in table.get("facets", {}).get("schema", {}).get("fields", [])}


def _lineage_fields(table: Event) -> Iterator[Event]:
    lineage = table.get("facets", {}).get("columnLineage")
    if lineage is not None:
        for column in lineage["fields"].values():
            yield from column["inputFields"]
        yield from lineage["dataset"]


def _time(event: Event) -> datetime:
    return datetime.fromisoformat(event["eventTime"])
