"""What to say beside an answer about a document or a model that found nothing: an id that nobody knows is no all-clear.

Design: the records of erasures say that a document was erased, and when; of models the names that the datasets' own
manifests give are listed, the nearest first. Steps are not searched, which would read the whole root: it is said who
does. Cost: a few small reads, and only of erasures where there were any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from factory.govern.erasure.known import erased_before
from factory.govern.erasure.records import unfinished
from factory.govern.withdrawals import standing_withdrawal
from factory.printable import one_line
from factory.store.base import Store

SHOWN = 6
"""Models of a root that are named at most."""

Revisions = Mapping[str, frozenset[str]]
"""Model -> its revisions, as the manifests of a root name them."""


def document_hints(root: Store, doc_id: str, rows: int) -> list[str]:
    """`rows` is how many rest on it. Raises StoreError where a record is damaged."""
    return list(_of_document(root, doc_id, rows))


def _of_document(root: Store, doc_id: str, rows: int) -> Iterator[str]:
    begun = erased_before(root, doc_id)
    if begun is not None:
        done = all(each.erasure != begun.erasure for each in unfinished(root))
        how = "erased from this root" if done else "to be erased from this root (it is not finished), begun"
        again = "; rows of it have come in since" if rows and done else ""
        yield one_line(
            f"it was {how} on {begun.at[:10]}, by {begun.by} (erasure {begun.erasure}: {begun.reason}){again}"
        )
    if rows:
        return
    withdrawal = standing_withdrawal(root, doc_id)
    if withdrawal is not None:
        yield one_line(f"it was withdrawn on {withdrawal.at[:10]} by {withdrawal.by}: {withdrawal.note}")
    if begun is None:
        yield (
            "no dataset or mix below this root knows this document: it gave no row that was published, or the id has a "
            "slip, or the root is another (steps were not searched: `factory erase --dry-run` does)"
        )


def model_hints(asked: str, rows: int, models: Revisions) -> list[str]:
    """`asked` is a model or ID@REVISION, `rows` how many it wrote or shaped."""
    return [] if rows else list(_of_model(asked, models))


def _of_model(asked: str, models: Revisions) -> Iterator[str]:
    name, _, revision = asked.partition("@")
    if name in models and (not revision or revision in models[name]):
        yield f"datasets below this root name {asked}, and none of them has a row of it"
        return
    if name in models:
        known = ", ".join(sorted(models[name])[:SHOWN]) or "none"
        yield f"no dataset below this root names revision {revision} of {name}: known are {known}"
        return
    lowered = {each.lower(): each for each in sorted(models)}
    near = [lowered[each] for each in get_close_matches(name.lower(), lowered, SHOWN, 0.0)]
    more = f", and {len(models) - len(near)} more" if len(models) > len(near) else ""
    named = f"; those it names are {', '.join(near)}{more}" if near else "; it names none at all"
    yield f"no dataset below this root names a model {name}{named}"
