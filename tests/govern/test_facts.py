from __future__ import annotations

from dataclasses import replace

import pytest

from factory.errors import ConfigError
from factory.govern.facts import facts_of
from factory.identity import sha256_hex
from factory.publish.manifest import MANIFEST, seal
from tests.publish.world import World

GOVERNANCE = {"owner": "Example Ltd", "intended_uses": ["tuning a tutor"], "thresholds": {"privacy": ["auc<=0.6"]}}
CLOCK = {"started": "2026-01-01T00:00:00+00:00", "steps": {"answer": ["2026-01-01T00:01:00+00:00", None]}}


def test_facts_are_what_the_manifest_says(worked: World) -> None:
    published = worked.publish(version="facts", governance=GOVERNANCE, clock=CLOCK)
    facts = facts_of(published.manifest)
    sealed = worked.store.get(f"{published.prefix}/{MANIFEST}")
    assert facts.prefix == published.prefix
    assert facts.manifest.sha256 == sha256_hex(sealed) == sha256_hex(seal(published.manifest))
    assert facts.manifest.bytes == len(sealed)
    assert facts.rows == sum(split.rows for split in facts.splits) == published.manifest["totals"]["rows"]
    assert {path for split in facts.splits for path in split.files} == {
        file.path for file in facts.files if file.rows is not None
    }
    assert sum(facts.sources["licenses"].values()) == facts.sources["places"] > 0
    answer = facts.step("answer")
    assert answer is not None
    assert (answer.began, answer.ended) == ("2026-01-01T00:01:00+00:00", None)
    assert facts.governance.owner == "Example Ltd"
    assert facts.governance.intended_uses == ("tuning a tutor",)
    assert facts.governance.legal_basis is None


def test_a_model_is_told_with_the_steps_it_worked(worked: World) -> None:
    facts = facts_of(worked.publish(version="models").manifest)
    worked_by = {model.role: model.steps for model in facts.models}
    assert worked_by == {"question": ("question_1",), "answer": ("answer",)}
    assert all(model.sampling for model in facts.models)


def test_an_engine_without_weights_is_not_given_hashes_of_weights(worked: World) -> None:
    model = facts_of(worked.publish(version="hashes").manifest).models[0]
    assert model.hashes == {"weights": "w", "tokenizer": "t", "chat_template": "c"}
    scripted = {"weights": "x", "tokenizer": "x", "chat_template": "x", "dtype": "bfloat16", "revision": "scripted-1"}
    bare = replace(model, identity=scripted)
    assert bare.hashes == {"engine": "x"}
    assert bare.settings == {"dtype": "bfloat16"}


def test_governance_that_this_version_does_not_know_is_named(worked: World) -> None:
    manifest = worked.publish(version="strange").manifest
    with pytest.raises(ConfigError, match="own3r"):
        facts_of({**manifest, "governance": {"own3r": "x"}})


def test_a_file_that_the_manifest_does_not_list_is_a_key_error(worked: World) -> None:
    facts = facts_of(worked.publish(version="files").manifest)
    assert facts.file("README.md").rows is None
    with pytest.raises(KeyError):
        facts.file("data/none.parquet")
