"""Prompts: one pass, turns, what is shared first, and every mistake named when loading."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.domains.prompt import Prompt, check_prompt
from factory.engine.api import Message
from factory.errors import ConfigError

CONVERSATION = """Say what it is about.
A
<!-- assistant -->
about A
<!-- user -->
{{document}} / {{ concepts }}"""


def check(template: str, system: str = "") -> None:
    check_prompt(Prompt("p", template, system), frozenset({"document"}), frozenset({"concepts"}), "pack/p.md")


def test_a_file_is_a_conversation_that_ends_with_this_requests_turn() -> None:
    prompt = Prompt("p", CONVERSATION, "Be brief.")
    assert prompt.messages(document="D", concepts="C", unused="x") == (
        Message("system", "Be brief."),
        Message("user", "Say what it is about.\nA"),
        Message("assistant", "about A"),
        Message("user", "D / C"),
    )
    assert prompt.render(document="D", concepts="C") == "D / C"


def test_text_before_the_first_turn_line_may_be_left_out() -> None:
    prompt = Prompt("p", "<!-- user -->\nA\n<!-- assistant -->\nB\n<!-- user -->\n{{document}}")
    assert [message.role for message in prompt.messages(document="D")] == ["user", "assistant", "user"]


@given(st.text() | st.sampled_from(["{{concepts}}", "{{document}}", "\n<!-- assistant -->\n", "\\1 \\g<0>"]), st.text())
def test_inserted_text_is_never_looked_at_again(document: str, concepts: str) -> None:
    messages = Prompt("p", CONVERSATION).messages(document=document, concepts=concepts)
    assert len(messages) == 3
    assert messages[-1].content == f"{document} / {concepts}"


def test_id_changes_with_template_and_system_only() -> None:
    assert Prompt("a", "{{document}}").prompt_id == Prompt("b", "{{document}}").prompt_id
    assert Prompt("a", "{{document}}").prompt_id != Prompt("a", "{{document}} ").prompt_id
    assert Prompt("a", "{{document}}").prompt_id != Prompt("a", "{{document}}", "s").prompt_id


@pytest.mark.parametrize(
    ("template", "system", "said"),
    [
        ("{{document}} {{documnt}}", "", "uses {{documnt}}"),
        ("{{concepts}}", "", "lacks {{document}}"),
        ("{{document}} {concepts}", "", "'{concepts}'"),
        ("{{document}} {{concepts}", "", "'{concepts}'"),
        ("{{document}}\n<!-- assistant -->\nx", "", "turns user, assistant"),
        ("<!-- assistant -->\nx\n<!-- user -->\n{{document}}", "", "turns assistant, user"),
        ("{{document}}", "for {{document}}", "system message"),
    ],
)
def test_what_cannot_work_is_refused_with_the_file_named(template: str, system: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check(template, system)
    assert "pack/p.md" in caught.value.what
    assert said in caught.value.what
    assert caught.value.cause
    assert caught.value.remedy


def test_latex_braces_are_no_placeholders() -> None:
    check(r"Simplify $x^{{2}}$ and $\frac{1}{{n}^2}$ in {{document}}. A JSON object: {}")
