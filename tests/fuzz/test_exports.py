"""An export of somebody else: its manifest forged with care, its files damaged. It is verified or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import strategies as st

from factory.export.encode import encoded, read_back
from factory.export.job import export
from factory.export.manifest import EXPORT
from factory.export.recipe import FORMATS, Recipe
from factory.export.source import open_source
from factory.export.verify import verify_export
from factory.publish.manifest import seal
from factory.store.local import LocalStore
from tests.fuzz.breaking import HOSTILE_LEAVES, broken_bytes
from tests.fuzz.harness import fuzzed, refused
from tests.fuzz.test_published import places
from tests.publish.world import make_world

TABLE = pa.table({"prompt": ["a", "b"] * 20, "synthetic": [True, False] * 20})
COLUMNS = [{"name": "prompt", "type": "string"}, {"name": "synthetic", "type": "bool"}]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[LocalStore, dict[str, Any]]:
    root = LocalStore(str(tmp_path_factory.mktemp("published")))
    source = open_source(f"{root.root}/{make_world(root, documents=6).publish().prefix}")
    out = LocalStore(str(Path(root.root) / "exports" / "chat"))
    export(source, Recipe("chat", file_format="jsonl"), out, "draft", processes=1)
    return out, orjson.loads(out.get(EXPORT))


@fuzzed("factory.export.verify.verify_export", share=0.4, draw=st.data())
def test_a_forged_manifest_is_not_verified_and_nothing_is_raised(
    made: tuple[LocalStore, dict[str, Any]], draw: st.DataObject
) -> None:
    store, manifest = made
    forged = orjson.loads(orjson.dumps(manifest))
    path = draw.draw(st.sampled_from(list(places(forged))))
    inner = forged
    for key in path[:-1]:
        inner = inner[key]
    leaf = draw.draw(st.sampled_from(HOSTILE_LEAVES))
    if draw.draw(st.booleans()):
        del inner[path[-1]]
    else:
        inner[path[-1]] = leaf
    store.put(EXPORT, seal(forged))
    try:
        found = verify_export(store)
        assert found.checks
        assert all(isinstance(check.ok, bool) for check in found.checks)
        str(found.checks).encode()
    finally:
        store.put(EXPORT, seal(manifest))


def test_the_export_itself_is_verified(made: tuple[LocalStore, dict[str, Any]]) -> None:
    assert verify_export(made[0]).ok


@fuzzed(
    "factory.export.encode.read_back",
    data=broken_bytes([encoded(TABLE, kind, {"form": "chat"}) for kind in FORMATS]),
    kind=st.sampled_from(list(FORMATS)),
    size=st.integers(0, 2000),
)
def test_a_file_is_read_back_or_refused(data: bytes, kind: str, size: int) -> None:
    with refused(ValueError):
        rows, found, _ = read_back(data, kind, size, COLUMNS, ["synthetic"])
        assert len(found["synthetic"]) == rows
