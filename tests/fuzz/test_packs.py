"""Domain packs, syllabi, rubrics and prompts that people write: loaded, or a ConfigError that names the file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example
from hypothesis import strategies as st

from factory.answers.judge.rubric import load_rubric
from factory.cost.money import read_prices
from factory.domains.config import DomainConfig
from factory.domains.examples import reply_schemas, slips
from factory.domains.items import read_items
from factory.domains.pack import PACKS, load_pack
from factory.domains.prompt import Prompt, check_prompt
from factory.domains.syllabus import load_syllabus
from factory.engine.api import Message
from factory.errors import ConfigError
from factory.run.pack_settings import Settable, leaves, pack_settings
from tests.fuzz.breaking import broken_bytes, broken_json, texts
from tests.fuzz.harness import fuzzed, refused
from tests.fuzz.test_config import YAMLS

PACK = yaml.safe_load((PACKS / "general" / "pack.yaml").read_text(encoding="utf-8")) | {
    "hints": "Use standard terms.",
    "benchmarks": ["gsm8k"],
    "subjects": {"Algebra": ["linear algebra"], "Other": []},
    "tags": {"bloom": ["remember", "apply"]},
    "strata": ["bloom", "subject"],
    "settings": {
        "answer": {"require": "not_wrong", "verify": {"kind": "auto"}},
        "gate": {"max_refusals": 0.1, "balance": [{"column": "level", "min_share": 0.1}], "pack": {"a": {}}},
    },
}
SYLLABUS = {
    "disciplines": [
        {
            "discipline": "Maths",
            "subjects": [
                {
                    "subject": "Graphs",
                    "levels": PACK["levels"][:2],
                    "topics": [{"topic": "Trees", "scope": "connected, no cycle", "terms": ["leaf", "root"]}],
                }
            ],
        }
    ],
    "genres": [{"genre": "note", "instructions": "Write a note."}],
}
GENERAL = load_pack(DomainConfig())
PLACES = dict.fromkeys(GENERAL.prompt("extract").placeholders, "3")
SCHEMA = reply_schemas(GENERAL, Settable())["extract"]
ITEM = {
    "question": "What is 2 + 2?",
    "answer": "It is 4.",
    "final_answer": "4",
    "passages": ["Two and two."],
    "level": 1,
    "concepts": ["Sum"],
    "verified": "yes",
    "gates": {"short": False},
}
RUBRIC = yaml.safe_load((PACKS / "general" / "rubrics" / "answer.yaml").read_text(encoding="utf-8"))


def yaml_of(valid: Any) -> st.SearchStrategy[bytes]:
    """Bytes of a YAML file that was to say `valid`."""
    whole = yaml.safe_dump(valid, allow_unicode=True).encode()
    said = broken_json(valid, 4).map(lambda value: yaml.safe_dump(value, allow_unicode=True).encode())
    hostile = st.sampled_from(YAMLS).map(lambda text: text.encode("utf-8", "surrogatepass"))
    key = st.sampled_from(sorted(valid))
    beside = st.tuples(key, st.sampled_from([text for text in YAMLS if text.startswith("a: ")])).map(
        lambda pair: whole + f"\n{pair[0]}{pair[1][1:]}".encode("utf-8", "surrogatepass")
    )
    return st.one_of(said, said, beside, hostile, broken_bytes([whole]))


@pytest.fixture(scope="module")
def folder(place: Path) -> Path:
    """A pack of the user's own."""
    pack = place / "pack"
    shutil.copytree(PACKS / "general", pack)
    return pack


@fuzzed(
    "factory.domains.pack.load_pack",
    "factory.domains.pack.read_yaml",
    "factory.run.pack_settings.pack_settings",
    "factory.yaml_text.parse_yaml",
    data=yaml_of(PACK),
)
@example(data=yaml.safe_dump({**PACK, "refusals": ["a{99999999999}"]}).encode())
@example(data=yaml.safe_dump({**PACK, "refusals": ["(" * 2000 + ")" * 2000]}).encode())
@example(data=yaml.safe_dump({**PACK, "extends": "../general"}).encode())
@example(data=b'name: "\\ud800"\n' + yaml.safe_dump({k: v for k, v in PACK.items() if k != "name"}).encode())
@example(
    data=yaml.safe_dump({**PACK, "description": "X"}).encode().replace(b"description: X", b'description: "\\ud800"')
)
def test_a_pack_is_loaded_or_refused(folder: Path, data: bytes) -> None:
    (folder / "pack.yaml").write_bytes(data)
    with refused(ConfigError):
        config = DomainConfig(path=str(folder))
        pack = load_pack(config)
        pack.identity()
        dict(leaves(pack_settings(config).values))
        for name in pack.prompts:
            pack.prompt(name).prompt_id.encode()


@fuzzed("factory.domains.syllabus.read_syllabus", "factory.domains.syllabus.load_syllabus", data=yaml_of(SYLLABUS))
@example(data=yaml.safe_dump({**SYLLABUS, "genres": [{"genre": ["a"], "instructions": {}}]}).encode())
def test_a_syllabus_is_loaded_or_refused(folder: Path, data: bytes) -> None:
    shutil.copy(PACKS / "general" / "pack.yaml", folder / "pack.yaml")
    (folder / "syllabus.yaml").write_bytes(data)
    try:
        with refused(ConfigError):
            syllabus = load_syllabus(DomainConfig(path=str(folder)))
            syllabus.identity()
    finally:
        (folder / "syllabus.yaml").unlink()


@fuzzed(
    "factory.domains.items.read_items",
    share=2,
    data=st.one_of(
        broken_json(ITEM, 4).map(lambda value: json.dumps(value).encode()), broken_bytes([json.dumps(ITEM).encode()])
    ),
)
@example(data=b"[" * 2000)
@example(data=b'{"question": "a", "answer": "b", "gates": {"a": 1}}')
def test_items_are_read_or_refused(place: Path, data: bytes) -> None:
    path = place / "items.jsonl"
    path.write_bytes(data)
    with refused(ConfigError):
        for item in read_items(path):
            assert item.verified or item.gates


@fuzzed("factory.answers.judge.rubric.load_rubric", share=2, data=yaml_of(RUBRIC))
@example(
    data=yaml.safe_dump({**RUBRIC, "criteria": [{**RUBRIC["criteria"][0], "scale": {10**400: "a", 1: "b"}}]}).encode()
)
@example(
    data=yaml.safe_dump({**RUBRIC, "criteria": [{**RUBRIC["criteria"][0], "scale": {2**64: "a", 1: "b"}}]}).encode()
)
@example(data=yaml.safe_dump({**RUBRIC, "criteria": [{**RUBRIC["criteria"][0], "weight": 1e308}] * 1}).encode())
def test_a_rubric_is_loaded_or_refused(place: Path, data: bytes) -> None:
    path = place / "own.yaml"
    path.write_bytes(data)
    with refused(ConfigError):
        rubric = load_rubric(str(path), DomainConfig())
        rubric.rubric_id.encode()
        rubric.text.encode()
        best = {criterion.name: criterion.scores[-1] for criterion in rubric.criteria}
        assert rubric.overall(best) == pytest.approx(1)
        assert rubric.response_schema


PRICES = {
    "prices": {
        "currency": "EUR",
        "gpu_hour": {"H100": 2.5},
        "million_prompt_tokens": 0.1,
        "million_generated_tokens": 0.4,
        "models": {"m": {"prompt": 0.1, "generated": 0.4}},
    }
}


@fuzzed("factory.cost.money.read_prices", share=2, data=yaml_of(PRICES))
def test_prices_are_read_or_refused(place: Path, data: bytes) -> None:
    path = place / "prices.yaml"
    path.write_bytes(data)
    with refused(ConfigError):
        assert read_prices(str(path)).currency


TEMPLATE = (
    "Read this.\n<!-- user -->\n{{document}}\n<!-- assistant -->\n{}\n<!-- user -->\n{{ document }} of {{levels}}"
)


@fuzzed(
    "factory.domains.prompt.check_prompt", share=4, template=texts(TEMPLATE), system=texts("You are.", "{{document}}")
)
def test_a_prompt_is_usable_or_refused(template: str, system: str) -> None:
    prompt = Prompt("extract", template, system)
    with refused(ConfigError):
        check_prompt(prompt, frozenset({"document"}), frozenset({"levels"}), "extract.md")
        messages = prompt.messages(document="DOC", levels="LEVELS")
        assert any("DOC" in message.content for message in messages)
        prompt.render(document="DOC", levels="LEVELS")


EXAMPLES = [turn.content for turn in GENERAL.prompt("extract").messages(**PLACES) if turn.role == "assistant"]


@fuzzed(
    "factory.domains.examples.slips",
    text=st.one_of(broken_json(json.loads(EXAMPLES[0])).map(json.dumps), texts(*EXAMPLES)),
)
def test_a_worked_example_fits_or_its_slip_is_said(text: str) -> None:
    found = list(slips([Message("assistant", text)], SCHEMA))
    assert len(found) <= 1
    assert (text in EXAMPLES) <= (not found)


@fuzzed(
    "factory.domains.pack.load_pack",
    data=broken_bytes([TEMPLATE.encode(), (PACKS / "general/prompts/extract.md").read_bytes()]),
)
def test_a_prompt_file_is_loaded_or_refused(folder: Path, data: bytes) -> None:
    shutil.copy(PACKS / "general" / "pack.yaml", folder / "pack.yaml")
    path = folder / "prompts" / "extract.md"
    before = path.read_bytes()
    path.write_bytes(data)
    try:
        with refused(ConfigError):
            load_pack(DomainConfig(path=str(folder))).identity()
    finally:
        path.write_bytes(before)
