"""The pack `biomedical`: its planted items, its old name, and a run of it from passages to published rows."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from factory.domains.config import DomainConfig
from factory.domains.examine import examine
from factory.domains.pack import PACKS, load_pack
from factory.errors import ConfigError
from factory.run.compose import compose


def test_every_planted_item_comes_out_as_expected_and_both_ways() -> None:
    found = examine(DomainConfig(name="biomedical"))
    assert found.defects == ()
    assert found.notes == ()
    assert found.tried is not None
    assert found.tried.items >= 40
    assert all(bad and good for bad, good in found.tried.gates.values())


def test_the_code_of_the_pack_is_what_it_is_named_by() -> None:
    files = load_pack(DomainConfig(name="biomedical")).files
    assert {"doses.py", "advice.py", "drug_names.py", "writing.py", "data/inn_stems.txt"} <= files.keys()


@pytest.mark.parametrize("typed", ["domain=biomedicine", "domain.name=biomedicine"])
def test_the_old_name_leads_to_the_new_one(typed: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_pack(compose([typed, "engine=scripted", "store.root=/nowhere"]).domain)
    assert "biomedical" in f"{refused.value.what} {refused.value.remedy}"


def test_a_run_is_strict_unless_the_command_says_otherwise() -> None:
    config = compose(["domain=biomedical", "engine=scripted", "store.root=/nowhere"])
    assert config.answer.require == "not_wrong"
    assert config.gate.max_personal_data == 0
    assert config.gate.severity.max_personal_data == "error"
    loose = compose(["domain=biomedical", "engine=scripted", "store.root=/nowhere", "answer.require=any"])
    assert loose.answer.require == "any"


def test_items_name_every_gate_more_than_once() -> None:
    lines = (PACKS / "biomedical" / "items.jsonl").read_text(encoding="utf-8").splitlines()
    asked = Counter(gate for line in lines for gate in json.loads(line)["gates"])
    assert min(asked.values()) >= 4
