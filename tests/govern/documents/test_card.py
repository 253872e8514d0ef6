from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from factory.govern.documents import card
from factory.govern.documents.card import REQUIRED
from factory.govern.facts import Facts
from factory.publish.card import render_card
from factory.publish.finalise import standing
from tests.govern.documents.agreeing import disagreements
from tests.govern.documents.conftest import GOVERNANCE
from tests.publish.world import World

Front = dict[str, Any]


@pytest.fixture(scope="module")
def data(worked: World, facts: Facts) -> bytes:
    return worked.store.get(f"{facts.prefix}/{card.PATH}")


def changed(data: bytes, change: Callable[[Front], Any]) -> bytes:
    _, front, body = data.decode().split("---\n", 2)
    loaded = yaml.safe_load(front)
    change(loaded)
    return f"---\n{yaml.safe_dump(loaded)}---\n{body}".encode()


def test_the_card_says_what_the_facts_say(data: bytes, facts: Facts) -> None:
    claims = card.claims(data)
    assert disagreements(claims, facts) == []
    assert None not in (claims.rows, claims.splits, claims.licenses, claims.models, claims.steps, claims.gates)


def test_it_has_no_problem_whether_the_publisher_said_anything_or_not(
    worked: World, data: bytes, silent: Facts
) -> None:
    assert card.problems(data) == []
    assert card.problems(worked.store.get(f"{silent.prefix}/{card.PATH}")) == []


def test_machines_wrote_it_and_where_questions_were_found_so_were_they(
    worked: World, data: bytes, facts: Facts
) -> None:
    front = yaml.safe_load(data.decode().split("---\n")[1])
    assert {"synthetic", "machine-generated"} <= set(front["tags"])
    assert front["annotations_creators"] == ["machine-generated"]
    assert front["language_creators"] == ["machine-generated"]
    assert front["language"] == ["en", "de"]
    manifest = standing(worked.store, facts.prefix)
    assert manifest is not None
    found = {**manifest, "totals": {**manifest["totals"], "origins": {"extracted": 1, "created": 2}}}
    assert yaml.safe_load(render_card(found).split("---\n")[1])["language_creators"] == ["machine-generated", "found"]


def test_its_sizes_are_those_of_the_files(worked: World, data: bytes, facts: Facts) -> None:
    front = yaml.safe_load(data.decode().split("---\n")[1])
    folder = Path(worked.store.uri) / facts.prefix
    shards = list(folder.glob("data/*.parquet"))
    assert front["dataset_info"]["download_size"] == sum(path.stat().st_size for path in shards)
    matched = [path for file in front["configs"][0]["data_files"] for path in folder.glob(file["path"])]
    assert sorted(matched) == sorted(shards)


def test_the_publishers_words_and_the_way_to_the_other_documents_are_in_it(data: bytes, facts: Facts) -> None:
    text = data.decode()
    for key in ("contact", "maintenance", "review_board", "legal_basis"):
        assert str(GOVERNANCE[key]) in text
    assert "tuning a tutor" in text
    assert f"../records/{facts.version}/bundle-*" in text
    assert "[press](" not in text  # the owner's words open no link


def test_nothing_stated_is_said_to_be_so(worked: World, silent: Facts) -> None:
    assert "The publisher states nothing more." in worked.store.get(f"{silent.prefix}/{card.PATH}").decode()


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_field_is_named(data: bytes, name: str) -> None:
    assert card.problems(changed(data, lambda front: front.pop(name))) == [f"{name} is missing"]


FAULTS: dict[str, tuple[Callable[[Front], Any], str]] = {
    "not marked": (lambda front: front["tags"].remove("synthetic"), "tags lack synthetic"),
    "by people": (lambda front: front.update(annotations_creators=["crowdsourced"]), "lacks machine-generated"),
    "an unknown creator": (lambda front: front["language_creators"].append("robots"), "has robots"),
    "a licence by no name": (lambda front: front.update(license="other", license_name=""), "without license_name"),
    "another size": (lambda front: front.update(size_categories=["1M<n<10M"]), "size_categories is ['1M<n<10M']"),
    "a count": (lambda front: front["dataset_info"]["splits"][0].update(num_bytes=1), "dataset_size is not the sum"),
    "a split left out": (lambda front: front["configs"][0]["data_files"].pop(), "configs name the splits"),
    "no features": (lambda front: front["dataset_info"].pop("features"), "dataset_info has no features"),
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_is_told(data: bytes, fault: str) -> None:
    change, words = FAULTS[fault]
    assert any(words in problem for problem in card.problems(changed(data, change)))


def test_what_is_no_card_is_refused() -> None:
    for text in ("", "no front matter", "---\n[1, 2]\n---\n", "---\na: [\n---\n"):
        assert card.problems(text.encode())
        with pytest.raises(ValueError, match="front matter"):
            card.claims(text.encode())
