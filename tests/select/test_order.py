from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from factory.config import FactoryConfig
from factory.corpus.config import CorpusConfig
from factory.engine.config import EngineConfig, ModelConfig
from factory.engine.tokenizer import Tokenizer
from factory.run.units import Unit
from factory.select.config import LanguageConfig, QualityConfig, SelectConfig
from factory.select.order import filters_of
from factory.select.step import select_step
from factory.store.base import Store
from factory.store.config import StoreConfig
from tests.corpus.shards import range_over, write_jsonl
from tests.select.test_language import ENGLISH, GERMAN

QUALITY = QualityConfig(min_words=20, max_duplicate_line_share=0.5)


def config_with(**select: Any) -> FactoryConfig:
    return FactoryConfig(
        corpus=CorpusConfig(kind="files", paths=("unused",)),
        model=ModelConfig(id="m", license="MIT", output_terms="none"),
        engine=EngineConfig(kind="scripted"),
        store=StoreConfig(root="unused"),
        select=SelectConfig(**select),
    )


def names(config: FactoryConfig) -> list[str]:
    return [each.name for each in filters_of(config)]


def test_quality_and_language_are_off_until_asked_for() -> None:
    assert not {"quality", "language"} & set(names(config_with()))


def test_the_cheaper_filter_is_asked_first() -> None:
    both = names(config_with(quality=QUALITY, language=LanguageConfig(languages=("en",))))
    assert [name for name in both if name in ("licence", "length", "quality", "language")] == [
        "licence",
        "length",
        "quality",
        "language",
    ]


def test_reasons_and_findings_are_committed(local_store: Store, tmp_path: Path) -> None:
    config = config_with(
        min_characters=20,
        quality=QUALITY,
        language=LanguageConfig(languages=("en",)),
        chunk_tokens=64,
    )
    texts = [ENGLISH, GERMAN, f"{ENGLISH}\n\n{GERMAN}", "A line of a few words.\n" * 9, "1234 " * 30, "Too few words."]
    range_ = range_over(write_jsonl(tmp_path / "a.jsonl", [{"text": text} for text in texts]))
    step = select_step(config, Tokenizer("words"))
    step.prepare(local_store)
    unit = Unit(range_.range_id, parameters=orjson.loads(orjson.dumps({"range": range_.to_json()})))
    result = step.work(local_store, unit)
    rows = [row for table in result.tables for row in table.to_pylist()]
    assert {row["shard_row"] for row in rows} == {0}
    for row in rows:
        assert row["lang"] == "en"
        assert row["lang_prob"] > 0.8
        assert dict(row["quality"]) == {"words": float(len(ENGLISH.split())), "duplicate_line_share": 0.0}
    assert [(reject.evidence["row"], reject.reason) for reject in result.rejects] == [
        (1, "language"),
        (2, "mixed_language"),
        (3, "max_duplicate_line_share"),
        (4, "no_language"),
        (5, "too_short"),
    ]
