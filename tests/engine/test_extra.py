from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

from factory.engine.extra import VLLM_TUNING, identity_of_extra
from factory.run.compose import compose
from factory.run.settings import load_settings

BASE = ["engine=scripted", "corpus=docstrings", "store.root=/nowhere"]


def test_what_can_change_text_is_identity_and_tuning_is_not() -> None:
    assert identity_of_extra("vllm", {"quantization": "fp8", "max_num_seqs": 8}) == {"quantization": "fp8"}
    assert identity_of_extra("vllm", {"hf_overrides": {}, "dtype": "half", "max_model_len": 9}).keys() == {
        "hf_overrides", "dtype", "max_model_len",
    }  # fmt: skip
    assert identity_of_extra("scripted", {"shares": {"refusal": 0.3}, "die_on": "x"}) == {"shares": {"refusal": 0.3}}
    assert identity_of_extra("openai", {"quantization": "fp8"}) == {}


def test_other_shares_are_another_run_and_trouble_on_demand_is_not() -> None:
    plain, other, dying = (
        load_settings(compose([*BASE, *more]))
        for more in ((), ("+engine.extra.shares.refusal=0.3",), ("+engine.extra.die_on=poison",))
    )
    assert plain.run == dying.run != other.run
    assert "engine_extra" not in plain.model_identity("generator")
    assert plain.model_identity("generator") == dying.model_identity("generator") != other.model_identity("generator")


def test_tuning_that_is_named_exists_in_vllm() -> None:
    found = importlib.util.find_spec("vllm")
    if found is None or found.origin is None:
        pytest.skip("vLLM is not installed")
    tree = ast.parse((Path(found.origin).parent / "engine" / "arg_utils.py").read_text())
    (arguments,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "EngineArgs")
    known = {ast.unparse(node.target) for node in arguments.body if isinstance(node, ast.AnnAssign)}
    assert known >= VLLM_TUNING
