"""What a run says beside its steps."""

from __future__ import annotations

from factory.publish.config import PublishConfig
from factory.run.runner import empty_splits_note


def test_a_split_that_was_asked_for_and_got_no_row_is_told() -> None:
    rows = {"train_rows": 300, "validation_rows": 0, "test_rows": 0}
    both = empty_splits_note(PublishConfig(), rows)
    assert both is not None
    assert "no row is in validation or test (publish.validation=0.02, publish.test=0.02)" in both
    one = empty_splits_note(PublishConfig(), {**rows, "validation_rows": 6})
    assert one is not None
    assert "no row is in test (" in one
    assert empty_splits_note(PublishConfig(validation=0, test=0), rows) is None
    assert empty_splits_note(PublishConfig(), {"validation_rows": 6, "test_rows": 5}) is None
