from __future__ import annotations

import pyarrow as pa
import pytest

from factory.export.where import conditions, meeting

TABLE = pa.table(
    {
        "level": pa.array([1, 2, None, 3], pa.int8()),
        "score": [0.5, None, 0.9, 0.1],
        "checked": [True, False, None, True],
        "duties": pa.array([["a", "b"], [], None, ["b"]], pa.list_(pa.string())),
        "tags": pa.array(
            [
                [{"name": "skill", "value": "act"}, {"name": "bloom", "value": "apply"}],
                None,
                [],
                [{"name": "bloom", "value": "create"}],
            ]
        ),
        "lineage": pa.array([{"run": "x"}, {"run": "y"}, None, {"run": None}]),
    }
)


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        (["level=1,3"], [0, 3]),
        (["level!=1"], [1, 3]),
        (["score>0.4"], [0, 2]),
        (["score<=0.5", "level=3"], [3]),
        (["checked=true"], [0, 3]),
        (["duties=b"], [0, 3]),
        (["duties!=a"], [1, 3]),
        (["tags.bloom=apply,create"], [0, 3]),
        (["tags.bloom!=create"], [0]),
        (["tags.skill=act"], [0]),
        (["tags.kind=apply"], []),
        (["lineage.run=x,z"], [0]),
        (["lineage.run!=x"], [1]),
        ([], [0, 1, 2, 3]),
    ],
)
def test_rows_that_meet_every_condition_and_what_is_not_known_meets_none(given: list[str], rows: list[int]) -> None:
    asked = conditions(given, TABLE.schema)
    assert meeting(TABLE, asked).nonzero()[0].tolist() == rows
