"""What a pack sets holds behind presets and before the command line, and nothing else may be set by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from factory.errors import ConfigError
from factory.run.compose import compose
from factory.run.record import run_id_of
from tests.runs import factory_cli

SETTINGS = """
settings:
  answer: {require: not_wrong}
  gate:
    min_samples: 7
    severity: {max_refusals: error}
    balance: [{column: level, min_share: 0.1}]
  select:
    pii: {action: mask}
"""


def pack(folder: Path, more: str = SETTINGS) -> str:
    folder.mkdir()
    (folder / "pack.yaml").write_text(f"extends: general\nname: physics\ndescription: Physics.\n{more}")
    return f"domain.path={folder}"


def test_a_pack_comes_behind_the_preset_and_before_the_command(tmp_path: Path) -> None:
    config = compose(["preset=production", pack(tmp_path / "p"), "answer.require=verified"])
    assert config.gate.min_samples == 7  # production says 1000
    assert config.gate.severity.max_refusals == "error"
    assert config.gate.balance[0].column == "level"
    assert config.select.pii.action == "mask"
    assert config.answer.require == "verified"
    assert config.answer.samples == 8  # of the preset, in a section of which the pack sets another key


def test_what_one_pack_set_is_gone_in_the_next_command(tmp_path: Path) -> None:
    with_pack = compose([pack(tmp_path / "p")])
    without = compose([])
    assert (with_pack.answer.require, without.answer.require) == ("not_wrong", "any")


def test_a_pack_without_settings_leaves_the_run_what_it_was(tmp_path: Path) -> None:
    models: dict[str, object] = {"generator": {"revision": "r"}}
    path = pack(tmp_path / "p", "")
    assert compose([path]).recipe() == {**compose([]).recipe(), "domain": {"name": "general", "path": path[12:]}}
    assert run_id_of(compose([]), models) == run_id_of(compose(["domain.variant=null"]), models)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("answer: {requir: any}", "answer.requir: unknown key; did you mean `require`?"),
        ("gate: {max_refusals: 3}", "gate.max_refusals: Input should be less than or equal to 1"),
        ("gates: {min_samples: 3}", "gates: not a section that a pack sets; did you mean `gate`?"),
        ("store: {root: /elsewhere}", "store: not a section that a pack sets"),
        ("engine: {kind: scripted}", "engine: not a section"),
        ("corpus: {paths: [/x]}", "corpus: not a section"),
        ("judge: {model: {id: x}}", "judge.model: models are the run's choice"),
        ("answer: {verify: {code: {without_network_barrier: true}}}", "who lowers the sandbox has to say so"),
        ("curate: {benchmarks: [{name: a, path: b, fields: [c]}]}", "curate.benchmarks: it names files of one machine"),
        ("answer: 3", "answer: it holds no keys"),
    ],
)
def test_what_a_pack_cannot_set_is_refused_with_its_file(tmp_path: Path, settings: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose([pack(tmp_path / "p", f"settings: {{{settings}}}\n")])
    assert said in caught.value.what
    assert "p/pack.yaml" in caught.value.what
    assert "sections a pack may set" in caught.value.remedy


def test_factory_config_says_what_is_the_packs_and_what_the_command_changed(tmp_path: Path) -> None:
    said = factory_cli("config", "preset=demo", pack(tmp_path / "p"), "gate.min_samples=9")
    assert said.code == 0
    assert "answer.require=not_wrong\n" in said.stderr
    assert "gate.min_samples=7 (the command says 9)" in said.stderr
    assert '"min_samples": 9' in said.stdout
