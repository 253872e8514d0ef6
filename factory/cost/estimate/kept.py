"""Where an estimate lies: `runs/<run>/estimate.json`, beside what the run leaves, never part of its identity."""

from __future__ import annotations

import orjson

from factory.cost.estimate.estimate import Estimate
from factory.errors import StoreError
from factory.store.base import AbsentObjectError, Store
from factory.store.objects import read_mapping, typed_in


def estimate_key(run: str) -> str:
    return f"runs/{run}/estimate.json"


def write_estimate(store: Store, estimate: Estimate) -> str:
    """Keeps it, in the place of an earlier one; gives its key."""
    key = estimate_key(estimate.run)
    store.put(key, orjson.dumps(estimate.to_json(), option=orjson.OPT_INDENT_2))
    return key


def read_estimate(store: Store, run: str, problems: list[str] | None = None) -> Estimate | None:
    """None where none was kept. One that cannot be read is named in `problems`; without those, raises StoreError."""
    key = estimate_key(run)
    try:
        return typed_in(Estimate, read_mapping(store, key, ("run", "steps")), store.uri, key)
    except AbsentObjectError:
        return None
    except StoreError as error:
        if problems is None:
            raise
        problems.append(f"the estimate of the run: {error.what}; {error.remedy}")
        return None
