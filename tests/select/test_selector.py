from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from factory.config import FactoryConfig
from factory.engine.tokenizer import Tokenizer
from factory.errors import ConfigError
from factory.run.compose import compose
from factory.select.config import SelectConfig, SelectorConfig
from factory.select.filters import Candidate, Length
from factory.select.order import filters_of
from factory.select.selector import _SCORERS, Selector, other_domain, selector_filter
from factory.select.selector_artefact import Kept, save
from factory.select.step import SelectStep
from factory.store.base import Store
from factory.store.local import LocalStore
from tests.corpora import text_of
from tests.corpus.shards import range_over, write_jsonl
from tests.select.test_selector_artefact import draft
from tests.select.test_step import unit_of
from tests.select.training.fields import computing


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return save(LocalStore(str(tmp_path / "training")), draft(), lambda _: "report")


def config_with(tmp_path: Path, kept: Kept, **selector: Any) -> FactoryConfig:
    settings = {"path": f"{tmp_path}/training/{kept.prefix}", **selector}
    return compose(
        ["engine=scripted", "store.root=unused", *(f"select.selector.{key}={value}" for key, value in settings.items())]
    )


def selector_of(config: FactoryConfig) -> Selector:
    found = selector_filter(config)
    assert found is not None
    return found


def document(text: str) -> Candidate:
    return Candidate(text, "s", "MIT", "")


def test_documents_below_the_threshold_are_rejected_with_score_and_threshold(
    tmp_path: Path, kept: Kept, local_store: Store
) -> None:
    selector = selector_of(config_with(tmp_path, kept, sha256=kept.manifest.sha256))
    selector.prepare(local_store)
    documents = [document(text_of(800)), document(computing(800)), document("🙂")]
    verdicts = selector.open(local_store)(documents)
    assert verdicts[0] is None
    assert [verdict.reason for verdict in verdicts[1:] if verdict] == ["off_domain", "off_domain"]
    assert verdicts[2] is not None
    assert verdicts[2].evidence == {"score": 1.0, "threshold": 6.5}
    assert documents[0].findings["domain_score"] > 9
    assert documents[1].findings["domain_score"] < 2


def test_it_comes_last_and_is_off_without_a_path(tmp_path: Path, kept: Kept) -> None:
    assert filters_of(config_with(tmp_path, kept))[-1].name == "selector"
    assert selector_filter(compose(["engine=scripted", "store.root=unused"])) is None


def test_workers_need_the_runs_own_store_only(tmp_path: Path, kept: Kept, local_store: Store) -> None:
    selector = selector_of(config_with(tmp_path, kept))
    selector.prepare(local_store)
    assert [info.key for info in local_store.list("selectors/")] == [f"selectors/{kept.manifest.model_sha256}.bin"]
    (tmp_path / "training").rename(tmp_path / "elsewhere")
    travelled: Selector = pickle.loads(pickle.dumps(selector))
    travelled.prepare(local_store)
    _SCORERS.clear()
    assert travelled.open(local_store)([document(text_of(801))]) == [None]


def test_the_threshold_is_the_artefacts_unless_set(tmp_path: Path, kept: Kept, local_store: Store) -> None:
    assert selector_of(config_with(tmp_path, kept)).threshold == 6.5
    strict = selector_of(config_with(tmp_path, kept, threshold=10.0))
    strict.prepare(local_store)
    (verdict,) = strict.open(local_store)([document("a polynomial and a server request")])
    assert verdict is not None
    assert verdict.evidence["threshold"] == 10


def test_identity_is_what_decides_a_score_and_not_where_it_lies(tmp_path: Path, kept: Kept) -> None:
    here = selector_of(config_with(tmp_path, kept))
    copied = save(LocalStore(str(tmp_path / "copy")), draft(), lambda _: "another report")
    there = selector_of(config_with(tmp_path, copied, path=f"{tmp_path}/copy/{copied.prefix}"))
    assert here.identity() == there.identity()
    assert here.identity() != selector_of(config_with(tmp_path, kept, threshold=7.0)).identity()


def test_a_wrong_digest_or_place_stops_before_anything_starts(tmp_path: Path, kept: Kept) -> None:
    with pytest.raises(ConfigError, match=r"select\.selector\.sha256"):
        filters_of(config_with(tmp_path, kept, sha256="0" * 64))
    with pytest.raises(ConfigError, match="there is no selector"):
        filters_of(config_with(tmp_path, kept, path=f"{tmp_path}/nowhere"))


def test_a_model_changed_after_planning_is_refused(tmp_path: Path, kept: Kept, local_store: Store) -> None:
    selector = selector_of(config_with(tmp_path, kept))
    (tmp_path / "training" / kept.prefix / "model.bin").write_bytes(b"something else")
    with pytest.raises(ConfigError, match="its manifest says"):
        selector.prepare(local_store)
    _SCORERS.clear()
    with pytest.raises(ConfigError, match="is not in"):
        selector.open(local_store)
    local_store.put(selector.key, b"something else")
    with pytest.raises(ConfigError, match="its manifest says"):
        selector.open(local_store)


def test_in_the_step_scores_travel_with_documents_and_rejects_say_why(
    tmp_path: Path, kept: Kept, local_store: Store
) -> None:
    selector = selector_of(config_with(tmp_path, kept))
    step = SelectStep(SelectConfig(min_characters=20), Tokenizer("words"), (Length(20, None), selector))
    step.prepare(local_store)
    path = write_jsonl(tmp_path / "a.jsonl", [{"text": text_of(810)}, {"text": computing(810)}, {"text": "short"}])
    result = step.work(local_store, unit_of(range_over(path)))
    rows = [row for table in result.tables for row in table.to_pylist()]
    assert {row["text"][:20] for row in rows} == {text_of(810)[:20]}
    assert all(row["domain_score"] > 9 for row in rows)
    assert [reject.reason for reject in result.rejects] == ["off_domain", "too_short"]
    assert result.rejects[0].evidence["score"] < 2


def test_a_manifest_that_was_edited_is_refused_even_where_no_digest_was_asked_for(tmp_path: Path, kept: Kept) -> None:
    path = tmp_path / "training" / kept.prefix / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"threshold":6.5', b'"threshold":1.5'))
    with pytest.raises(ConfigError, match="is not what training wrote"):
        selector_filter(config_with(tmp_path, kept))


@pytest.mark.parametrize("name", ["ratings.parquet", "report.html"])
@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"other")])
def test_ratings_and_report_belong_to_a_selector(
    name: str, change: Callable[[Path], object], tmp_path: Path, kept: Kept
) -> None:
    change(tmp_path / "training" / kept.prefix / name)
    with pytest.raises(ConfigError, match=f"{name} is not the file that the selector's manifest names"):
        selector_filter(config_with(tmp_path, kept))


@pytest.mark.parametrize("key", [{"sha256": "a" * 64}, {"threshold": 7.0}])
def test_settings_of_a_selector_without_one_are_refused(key: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is given without select\.selector\.path"):
        SelectorConfig(**key)


def test_a_selector_of_another_field_is_noted_and_of_the_same_or_for_the_general_pack_is_not(
    tmp_path: Path, kept: Kept
) -> None:
    found = selector_of(config_with(tmp_path, kept))
    assert other_domain([found], "biomedical") == "the selector was trained for maths, this run's domain is biomedical"
    assert other_domain([found], "maths") is None
    assert other_domain([found], "general") is None
    assert other_domain([], "biomedical") is None
