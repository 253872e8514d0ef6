from __future__ import annotations

import re
from typing import Any

import pytest

from factory.config import FactoryConfig
from factory.errors import ConfigError
from factory.run.compose import compose, compose_entry, describe_keys, known_keys
from factory.run.record import run_id_of

MODELS: dict[str, object] = {"generator": {"revision": "r1"}}


@pytest.mark.parametrize("preset", ["demo", "paper", "production"])
def test_every_preset_is_usable(preset: str) -> None:
    assert isinstance(compose([f"preset={preset}"]), FactoryConfig)


def test_the_paper_preset_has_the_papers_numbers() -> None:
    config = compose(["preset=paper"])
    assert (config.extract.max_topics, config.extract.min_concepts, config.extract.max_concepts) == (5, 5, 20)
    assert (config.question.level_1_questions, config.question.level_2_questions) == (5, 5)
    assert (config.question.concepts_per_question, config.answer.samples) == (3, 1)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("select.unit_row=3", "did you mean `select.unit_rows`"),
        ("+select.unit_rowz=3", "did you mean `unit_rows`"),
        ("preset=dmeo", "choose one of: demo, paper, production"),
        ("select.unit_rows=0", "select.unit_rows: Input should be greater than or equal to 1"),
        ("select.unit_rows=many", "select.unit_rows: Input should be a valid integer"),
        ("select.chunk_tokens=100000", "above model.max_model_len"),
        ("judge.rubric=answer", "judge.sampling.max_tokens=458 fits"),
        ("model=custom", "model.id, model.license, model.output_terms"),
        ("corpus=files", "corpus.kind=files needs corpus.paths"),
        ("engine=openai", "engine.base_url"),
        ("question.levels=[1,1]", "question.levels=[1, 1] names a level twice"),
        ("select.unit_rows=0", "`factory config` prints every key"),
        ("publish.validation=0.9", ""),
    ],
)
def test_a_mistake_is_named_by_its_key_with_a_suggestion(override: str, said: str) -> None:
    if not said:
        with pytest.raises(ConfigError, match="leave nothing for train"):
            compose([override, "publish.test=0.2"])
        return
    with pytest.raises(ConfigError) as caught:
        compose([override])
    assert said in str(caught.value)


@pytest.mark.parametrize("job", ["mix", "evaluate"])
def test_a_mistake_in_the_keys_of_another_job_points_to_that_jobs_own_list(job: str) -> None:
    from factory.evaluate.dataset.command import EVALUATE
    from factory.mix.command import MIX

    entry: Any = {"mix": MIX, "evaluate": EVALUATE}[job]
    for override in ("nonsense.of.a.kind=1", "seed=-1"):
        with pytest.raises(ConfigError) as caught:
            compose_entry(
                entry, [override, "mix.parts=[]", "store.root=x"] if job == "mix" else [override, "dataset=x"]
            )
        assert f"python -m jobs.{job} --help" in str(caught.value)


def test_every_key_of_the_schema_can_be_overridden_without_a_plus() -> None:
    config = compose(["curate.threshold=0.8", "prices.engine_hour=2.5", "gate.min_yield=null", "limit=7"])
    assert (config.curate.threshold, config.prices.engine_hour, config.gate.min_yield) == (0.8, 2.5, None)
    assert config.limit == 7
    assert "curate.threshold" in known_keys()


def test_types_and_defaults_are_in_a_users_words() -> None:
    rows = {row["key"]: row for row in describe_keys()}
    for row in rows.values():
        assert not re.search(
            r"Annotated|FieldInfo|Optional|<function|factory\.|None|True|False", row["type"] + row["default"]
        ), row
    assert rows["question.levels"]["type"] == "list of 1 | 2 | 3"
    assert rows["tasks.instruction.kinds"]["type"].endswith("(at least 1 items)")
    assert rows["limit"]["type"] == "int | null (>= 1)"
    assert rows["curate.benchmarks"]["type"].startswith("list of {name, path, ")


def test_a_list_whose_items_are_all_wrong_is_not_also_called_too_short() -> None:
    with pytest.raises(ConfigError) as found:
        compose(["preset=demo", "question.levels=[4]"])
    assert str(found.value).count("question.levels") == 1


def test_run_id_depends_on_what_changes_rows_and_on_nothing_else() -> None:
    plain = run_id_of(compose([]), MODELS)
    same = ["store.root=/elsewhere", "cluster.cpus=1", "engine.units_in_flight=3", "prices.engine_hour=9"]
    same += ["cluster.job.cpus=1", "engine.node_labels={a: b}", "engine.min_replicas=1"]
    assert run_id_of(compose(same), MODELS) == plain
    for change in ("seed=18", "limit=5", "select.chunk_tokens=300", "answer.samples=2", "curate.threshold=0.9"):
        assert run_id_of(compose([change]), MODELS) != plain
    assert run_id_of(compose([]), {"generator": {"revision": "r2"}}) != plain


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("engine.extra={block_size: 32}", "extra", {"block_size": 32}),
        ("engine.extra.block_size=32", "extra", {"block_size": 32}),
        ("engine.node_labels={ray.io/accelerator-type: '!H100'}", "node_labels", {"ray.io/accelerator-type": "!H100"}),
        ("engine.resources={rack: 1}", "resources", {"rack": 1.0}),
    ],
)
def test_keys_that_hold_any_names_take_them_as_other_keys_take_values(override: str, key: str, value: object) -> None:
    assert getattr(compose(["preset=demo", override]).engine, key) == value
