"""What is asked of the observation of a run and cannot be had is said when it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from factory.observe.session import observing
from factory.run.compose import compose
from factory.store.base import Store


@pytest.mark.parametrize(("port", "told"), [("null", True), ("0", False)])
def test_a_file_of_targets_without_an_endpoint_is_told_of(
    local_store: Store, tmp_path: Path, port: str, told: bool
) -> None:
    asked = [f"observe.metrics_discovery={tmp_path}", f"observe.metrics_port={port}"]
    said: list[str] = []
    with pytest.raises(InterruptedError), observing(compose([*BASE, *asked]), "run0", local_store, said.append):
        raise InterruptedError
    assert any("metrics_discovery has no effect" in line for line in said) is told


BASE = ("preset=demo", "engine=scripted", "store.root=root")
