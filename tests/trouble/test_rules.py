"""Which requests a rule strikes, and that its text says all of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.errors import ConfigError
from factory.trouble.rules import Fault, Rule, Rules, parse_rule

PATTERNS = st.from_regex(r"[*/a-z0-9?=&._-]{1,20}", fullmatch=True).filter(
    lambda text: text == "*" or not (text.isupper() or text.partition("=")[0] in Rule.__dataclass_fields__)
)
RULES = st.builds(
    Rule,
    fault=st.sampled_from(Fault),
    method=st.sampled_from(["*", "PUT", "GET|HEAD"]),
    path=PATTERNS,
    share=st.floats(0.001, 1),
    count=st.none() | st.integers(1, 99),
    skip=st.integers(0, 99),
    at=st.none() | st.floats(0, 1),
    seconds=st.none() | st.floats(0, 600),
    rate=st.integers(1, 10**9),
)


@given(RULES)
def test_a_rule_reads_back_from_its_own_text(rule: Rule) -> None:
    assert parse_rule(str(rule)) == rule


def test_what_is_not_said_is_every_request_always() -> None:
    assert parse_rule("503") == Rule(Fault.UNAVAILABLE, "*", "*", share=1.0, count=None)
    assert parse_rule("reset */commits/*") == Rule(Fault.RESET, "*", "*/commits/*")
    assert parse_rule("reset-body PUT *uploadId=* share=0.5") == Rule(Fault.RESET_BODY, "PUT", "*uploadId=*", share=0.5)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "it is empty"),
        ("504", "there is no fault '504'"),
        ("503 share=2", "share=2 is not above 0 and at most 1"),
        ("503 share=no", "share=no is no number"),
        ("503 count=1.5", "count=1.5 is no whole number"),
        ("503 count=0", "count=0 is less than 1"),
        ("stall at=1.5", "at=1.5 does not lie between 0 and 1"),
        ("503 PUT */a */b", r"'\*/b' is neither a method, a pattern nor one of"),
    ],
)
def test_what_is_no_rule_is_refused_with_a_reason_and_an_example(line: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        parse_rule(line)
    assert "for example" in caught.value.remedy


def struck(rules: Rules, requests: int, method: str = "PUT", target: str = "/bucket/key") -> list[bool]:
    return [rules.draw(method, target) is not None for _ in range(requests)]


def rules_of(*lines: str, seed: int = 0) -> Rules:
    rules = Rules(seed)
    rules.replace(parse_rule(line) for line in lines)
    return rules


def test_method_and_path_choose_the_requests() -> None:
    rules = rules_of("503 PUT|POST */commits/*")
    assert rules.draw("PUT", "/bucket/root/commits/ab/u.json?x-id=PutObject") is not None
    assert rules.draw("POST", "/bucket/root/commits/ab/u.json") is not None
    assert rules.draw("GET", "/bucket/root/commits/ab/u.json") is None
    assert rules.draw("PUT", "/bucket/root/data/u.parquet") is None


def test_some_are_let_through_first_and_no_more_than_count_are_struck() -> None:
    rules = rules_of("reset skip=2 count=3")
    assert struck(rules, 7) == [False, False, True, True, True, False, False]
    (counts,) = rules.counts()
    assert (counts.matched, counts.struck) == (7, 3)


def test_the_same_seed_strikes_the_same_requests_and_another_one_others() -> None:
    first = struck(rules_of("503 share=0.3", seed=1), 200)
    assert first == struck(rules_of("503 share=0.3", seed=1), 200)
    assert first != struck(rules_of("503 share=0.3", seed=2), 200)
    assert 30 < sum(first) < 90


def test_other_requests_do_not_change_what_a_rule_draws() -> None:
    alone, among = rules_of("503 PUT share=0.3"), rules_of("503 PUT share=0.3")
    expected = struck(alone, 50)
    found = []
    for _ in range(50):
        found += struck(among, 1)
        struck(among, 3, method="GET")
    assert found == expected


def test_the_first_rule_that_strikes_decides_and_one_that_is_spent_lets_the_next_look() -> None:
    rules = rules_of("503 count=1", "reset count=1")
    faults = [rule.fault if (rule := rules.draw("GET", "/")) else None for _ in range(3)]
    assert faults == [Fault.UNAVAILABLE, Fault.RESET, None]


def test_rules_that_are_set_again_begin_anew() -> None:
    rules = rules_of("reset count=1")
    assert struck(rules, 2) == [True, False]
    rules.replace([parse_rule("reset count=1")])
    assert struck(rules, 2) == [True, False]
    rules.replace([])
    assert struck(rules, 2) == [False, False]
