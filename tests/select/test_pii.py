from __future__ import annotations

import importlib.util
import json
import pickle
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from factory.errors import ConfigError
from factory.select.config import PiiConfig
from factory.select.filters import Candidate, Verdict
from factory.select.pii import Pii, finder_of
from factory.select.pii_find import PATTERNS, Found, Masked, PatternFinder, mask
from factory.select.pii_kinds import KINDS, PLACEHOLDERS
from factory.store.base import Store
from tests.select.planted import clean_documents, planted_documents
from tests.select.planted_kinds import DRAWS

FIND = PatternFinder(KINDS)
PLANTED = list(planted_documents(1000, seed=2024))


def masked(text: str, **settings: Any) -> Masked:
    return mask(text, finder_of(PiiConfig(**settings)))


def test_every_kind_is_planted_and_every_kind_has_a_pattern() -> None:
    assert DRAWS.keys() == KINDS.keys() == {pattern.kind for pattern in PATTERNS}
    counts = Counter(plant.kind for document in PLANTED for plant in document.plants)
    assert min(counts[kind] for kind in KINDS) >= 50


def test_planted_data_is_found() -> None:
    planted: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for document in PLANTED:
        finds = FIND(document.text)
        for plant in document.plants:
            planted[plant.kind] += 1
            found[plant.kind] += any(
                each.kind == plant.kind and each.start <= plant.start and each.end >= plant.end for each in finds
            )
    recall = {kind: found[kind] / planted[kind] for kind in KINDS}
    print("\nrecall by kind\n" + "\n".join(f"{kind:18}{planted[kind]:5}{recall[kind]:8.3f}" for kind in KINDS))
    print(f"{'all':18}{planted.total():5}{found.total() / planted.total():8.4f}")
    assert found.total() / planted.total() >= 0.95
    assert min(recall.values()) >= 0.95, {kind: share for kind, share in recall.items() if share < 0.95}


def test_nothing_but_the_planted_data_is_found_in_those_documents() -> None:
    for document in PLANTED:
        for find in FIND(document.text):
            assert any(find.start < plant.end and find.end > plant.start for plant in document.plants), find


def test_clean_technical_documents_stay_as_they_are() -> None:
    documents: Counter[str] = Counter()
    hit: Counter[str] = Counter()
    for sort, text in clean_documents(2200, seed=2024):
        documents[sort] += 1
        hit[sort] += bool(FIND(text))
    rates = {sort: hit[sort] / documents[sort] for sort in documents}
    print(
        "\nfalse positives by sort\n" + "\n".join(f"{sort:14}{documents[sort]:5}{rates[sort]:8.3f}" for sort in rates)
    )
    assert hit.total() == 0, hit


@pytest.mark.parametrize(
    "text",
    [
        "git@github.com:foo/bar.git",
        "user@host and root@localhost",
        "name@2x.png, icon@3x.jpg",
        "@app.route('/x')\ndef x(): ...",
        r"\def\foo@bar.com{} \p@enum@ii.space",
        "y = x@w.T + a@b.is",
        "jane@example.com, joe@mail.example.org, x@host.test, y@z.invalid, me@machine.localhost",
        "ssh alice@build.acme.org",
        "scp a.txt bob@build.acme.org:/srv",
        "getty@tty1.service and wg-quick@wg0.service",
        "Message-ID: <20240102.1@mx.acme.org>",
        "react@18.2.0 @scope/pkg@next",
        "dev <123+dev@users.noreply.github.com>",
        "call (212) 555-0142 or 020 7946 0123",
        "ISBN 978-0-306-40615-7, doi:10.1000/123-456-7890",
        "part no. 212-736-5000",
        "from -2147483648 to +2147483647",
        "127.0.0.1 10.1.2.3 192.168.0.7 172.20.1.1 169.254.3.4 192.0.2.8 198.51.100.9 203.0.113.5 224.0.0.251 8.8.8.8",
        "fe80::1 ::1 fd00::5 2001:db8::8a2e:370:7334 std::vector a::b",
        "version 93.184.216.34, Chrome/91.0.147.124, lib-77.88.99.101.tar.gz",
        "93.184.216.0/24 and 2a00:1450:4001::/48",
        "12.3.4.5. Return values",
        "123-45-6789 078-05-1120 000-12-3456 666-12-3456 900-12-3456",
        "4242 4242 4242 4242 and 4111-1111-1111-1111",
        "4539148803436467",
        "DE89 3704 0044 0532 0130 00",
        "12345678Z and RSSMRA85T10A562S",
        "86095742719",
        "AB 12 34 56 Z, QQ 12 34 56 C",
        "AKIAIOSFODNN7EXAMPLE",
        "password = 'changeme'  password: ${DB_PASSWORD}  token = tokenizer.next_token()",
        "password = os.environ['X']  secret: <your-secret>  api_key = 'your-api-key-here'",
        "https://user:password@host/x postgres://postgres:postgres@db:5432/x https://$USER:$TOKEN@acme.org/",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIn0.SflKxwRJSMeKKF2QT4",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "sk-estimator-id-1 sk-toggleable__control--sk-item ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "01 02 03 04 05 and 00 06 31 41 59 26 ff",
        "d41d8cd98f00b204e9800998ecf8427e 550e8400-e29b-41d4-a716-446655440000",
        r"\def\foo\@bar.com{} \let\old\@foo.org U.S.\@ The \p\@enum.space",
        "see a@host.\nIt is. W@x.\nNet gain b@c\n.T",
        "npm/%40scope/pkg.io https://cdn.net/pkg%402.1.3/x.js https://medium.com/%40user.name x%40y",
        '"chat"@fr . "text"@en-gb.',
        "&#64;app.route A&#64;B \\u0040foo.bar \u200b@app.route\u200b",
    ],
)
def test_technical_look_alikes_are_nobodys(text: str) -> None:
    assert FIND(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to jane.doe@acme.co.uk.", "Write to <EMAIL>."),
        ("jane (at) acme [dot] org wrote", "<EMAIL> wrote"),
        ("Tel. 030 901820-33", "Tel. <PHONE>"),
        ("Ring +44 20 8946 0958 now", "Ring <PHONE> now"),
        ("(415) 655-2671 x12", "<PHONE>"),
        ("Visa 4539148803436467", "Visa <CREDIT_CARD>"),
        ("IBAN: GB33BUKB20201555555555.", "IBAN: <IBAN>."),
        ("SSN 536904399", "SSN <US_SSN>"),
        ("host 93.184.216.34:443", "host <IP_ADDRESS>:443"),
        ("http://bob:s3Cr8tv9@db.acme.io/x", "http://<URL_CREDENTIALS>@db.acme.io/x"),
        ('db_password = "Xk9#mQ2vLp"', 'db_password = "<PASSWORD>"'),
        ("PASSWORD=Xk9#mQ2vLp", "PASSWORD=<PASSWORD>"),
        ("mysql --password Xk9#mQ2vLp", "mysql --password <PASSWORD>"),
        ("write to jane\uff20acme.org now", "write to <EMAIL> now"),
        ("\uff4a\uff41\uff4e\uff45\uff20\uff41\uff43\uff4d\uff45\uff0e\uff43\uff4f\uff4d.", "<EMAIL>."),
        ("(\u200bjane@acme.org\u200b)", "(\u200b<EMAIL>\u200b)"),
        ("ja\u200bne\u200d@ac\u00adme.o\u2060rg, call +49 30 90\u200b18203", "<EMAIL>, call <PHONE>"),
        ("jane&#64;acme.org or joe&#x40;acme.org or jim&commat;acme.org", "<EMAIL> or <EMAIL> or <EMAIL>"),
        ("?to=jane%40acme.org&x=1", "?to=<EMAIL>&x=1"),
        ("https://jane%40acme.org@build.acme.org/x", "https://<EMAIL>@build.acme.org/x"),
        (r"\email{jane\@acme.org}", r"\email{<EMAIL>}"),
        (r'{"to": "jane\u0040acme.org"}', '{"to": "<EMAIL>"}'),
        ('"jane doe"@acme.org', "<EMAIL>"),
        ("write to jane@acme.\norg or joe@acme\n  .com.", "write to <EMAIL> or <EMAIL>."),
        ("write to jane@\nacme.org or joe@acme-\ncorp.org.", "write to <EMAIL> or <EMAIL>."),
    ],
)
def test_what_is_found_becomes_a_typed_placeholder(text: str, expected: str) -> None:
    assert masked(text).text == expected


def test_masked_spans_name_the_placeholders_of_the_masked_text() -> None:
    for document in PLANTED[:200]:
        result = mask(document.text, FIND)
        for find in result.spans:
            assert result.text[find.start : find.end] == PLACEHOLDERS[find.kind]
        assert result.spans == sorted(result.spans)
        assert len(result.spans) == sum(map(result.text.count, PLACEHOLDERS.values()))


def test_masking_a_masked_text_changes_nothing() -> None:
    for document in PLANTED:
        once = mask(document.text, FIND).text
        assert FIND(once) == []
        assert mask(once, FIND) == Masked(once, [], 0)


fragments = st.sampled_from(
    [
        "tel ", "+49 30 9018203", "415-655-2671", "4539 1488 0343 6467", "a@b", "joe@acme.org", "@", ".", "-", " ",
        "\n", "<", ">", "<EMAIL>", "<PHONE>", "password=", "'Xk9#mQ2vLp'", "://", "bob:s3Cr8tv9@acme.io",
        "93.184.216.34", "2a00:1450::8", "SSN ", "536-90-4399", "GB33BUKB20201555555555", "(at)", "0", "é", "\u202e",
        "\0", "🙂", "x", "PESEL ", "44051401458",
    ]
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(fragments, max_size=14).map("".join))
def test_masking_is_idempotent_and_deterministic_whatever_stands_together(text: str) -> None:
    first = mask(text, FIND)
    assert mask(text, FIND) == first
    assert FIND(first.text) == []


@given(st.text(max_size=200))
def test_any_text_can_be_masked(text: str) -> None:
    assert mask(mask(text, FIND).text, FIND).replaced == 0


SEEDS = (
    "1", "1 ", "4-", "4111 ", "01 ", "a", "a.", "@", "a@", "a@b.", "@a.", "a@b.co ", "2001:", "2a02:1:", "1.2.3.",
    "93.184.216.34 ", "+4", "00 1", "tel ", "tel 1 ", "password=", "password: ", "password='", 'pw:"', "token ",
    "key", "sk-aB3", "eyJ", "eyJhbGciOi.", "ghp_", "xox-", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "://",
    "://a:", "://a:b@", "DE89 ", "A1", "ABCDEF12", "(", "a(at)", "a (at) b.", "<EMAIL>", "\0", "🙂", "\u202eש",
    "İpassword=",
    "@a\n.", "@a-\nb", "@\n", "a%40b.", "&#64;a.", "\"@", "\uff20a.", "a\u200b", "a\u200b@b.co ",
    " ", "\n", "=", "ssh a@b.com ", "message-id: a@b.com ", "536-90-4399 ", "SG.", "hf_",
)  # fmt: skip
"""What could make a pattern start everywhere, or fail late, or back up."""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.kind)
def test_no_pattern_backtracks_without_bound(pattern: Any) -> None:
    """Linear work is 0.1 s a seed at most on the slowest machine; quadratic work would take hours."""
    for seed in SEEDS:
        for match in pattern.expression.finditer(seed * (100_000 // len(seed))):
            pattern.check(match)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", ["x", "1 ", "a@b.co ", "tel 1 ", "🙂", "\0", "\u202eשלום "])
def test_a_line_of_2_400_000_characters_is_masked(seed: str, local_store: Store) -> None:
    text = seed * (2_400_000 // len(seed)) + " jane.doe@acme.org"
    document = Candidate(text, "s", "MIT", "")
    Pii(PiiConfig(max_masked_share=None)).open(local_store)([document])
    assert document.text.endswith("<EMAIL>")


def judged(store: Store, text: str, **settings: Any) -> tuple[Verdict | None, Candidate]:
    document = Candidate(text, "source", "MIT", "")
    (verdict,) = Pii(PiiConfig(**settings)).open(store)([document])
    return verdict, document


def test_a_masked_document_goes_on_and_says_where_its_placeholders_are(local_store: Store) -> None:
    verdict, document = judged(local_store, "Ask jane@acme.org about the proof of the second lemma.")
    assert verdict is None
    assert document.text == "Ask <EMAIL> about the proof of the second lemma."
    assert document.findings["masked"] == [{"kind": "email", "start": 4, "end": 11}]
    verdict, document = judged(local_store, "Nothing here.")
    assert (verdict, document.findings["masked"]) == (None, [])


def test_a_rejected_document_shows_kinds_and_counts_but_no_value(local_store: Store) -> None:
    for planted in PLANTED[:300]:
        verdict, document = judged(local_store, planted.text, action="reject")
        assert verdict is not None
        assert (verdict.reason, verdict.side) == ("pii", "input")
        assert sum(verdict.evidence["kinds"].values()) >= 1
        shown = json.dumps([dict(verdict.evidence), document.findings, document.excerpt], ensure_ascii=False)
        for plant in planted.plants:
            assert planted.text[plant.start : plant.end] not in shown
    verdict, document = judged(local_store, "Nothing here.", action="reject")
    assert (verdict, document.text, document.excerpt) == (None, "Nothing here.", None)


def test_a_document_of_placeholders_is_no_document(local_store: Store) -> None:
    text = "\n".join(f"jane{number}@acme.org, +49 30 90{number}8203" for number in range(20, 60))
    verdict, document = judged(local_store, text)
    assert verdict is not None
    assert verdict.reason == "pii_heavy"
    assert verdict.evidence["masked_share"] > verdict.evidence["max_masked_share"] == 0.5
    assert verdict.evidence["kinds"] == {"email": 40, "phone": 40}
    assert "acme" not in document.text
    assert judged(local_store, text, max_masked_share=None)[0] is None


def test_kinds_values_and_domains_can_be_let_stand() -> None:
    text = "jane@acme.org, joe@lists.acme.org, info@other.org, +49 30 9018203"
    assert masked(text, kinds=("phone",)).text == "jane@acme.org, joe@lists.acme.org, info@other.org, <PHONE>"
    assert masked(text, allow_domains=("acme.org",)).text == "jane@acme.org, joe@lists.acme.org, <EMAIL>, <PHONE>"
    allowed = masked(text, allow_values=("+49309018203", "INFO@other.org"))
    assert allowed.text == "<EMAIL>, <EMAIL>, info@other.org, +49 30 9018203"


def test_an_unknown_kind_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValidationError, match="`credit_cards` is no kind of personal data; did you mean `credit_card`"):
        PiiConfig(kinds=("credit_cards",))


def test_overlapping_finds_become_one_and_leave_nothing_behind() -> None:
    result = masked("https://bob:s3Cr8tv9@acme.io and card 4539 1488 0343 6467-12")
    assert "s3Cr8" not in result.text
    assert masked("password = 'ghp_16C7e42F292c6912E7710c838347Ae178B4a'").text == "password = '<GITHUB_TOKEN>'"


def test_the_filter_travels_and_its_identity_is_all_its_settings(local_store: Store) -> None:
    one = Pii(PiiConfig())
    one.prepare(local_store)
    one.open(local_store)
    assert pickle.loads(pickle.dumps(one)) == one
    for changed in ({"action": "reject"}, {"kinds": ("email",)}, {"allow_values": ("x",)}, {"max_masked_share": None}):
        assert Pii(PiiConfig(**changed)).identity() != one.identity()  # type: ignore[arg-type]


@pytest.mark.skipif(importlib.util.find_spec("presidio_analyzer") is not None, reason="Presidio is installed")
def test_an_engine_that_is_not_installed_is_named_with_its_extra(local_store: Store) -> None:
    with pytest.raises(ConfigError, match=r"corpus-factory\[presidio\]"):
        Pii(PiiConfig(engine="presidio")).prepare(local_store)
    with pytest.raises(ConfigError, match=r"corpus-factory\[presidio\]"):
        Pii(PiiConfig(engine="presidio")).identity()


def test_presidio_finds_what_it_knows_and_our_patterns_the_rest(local_store: Store) -> None:
    pytest.importorskip("presidio_analyzer", reason="the extra `presidio` is optional")
    text = "Mail jane@acme.org, card 4539 1488 0343 6467, key ghp_16C7e42F292c6912E7710c838347Ae178B4a."
    verdict, document = judged(local_store, text, engine="presidio", max_masked_share=None)
    assert verdict is None
    assert document.text == "Mail <EMAIL>, card <CREDIT_CARD>, key <GITHUB_TOKEN>."
    assert mask(document.text, finder_of(PiiConfig(engine="presidio"))).replaced == 0
    assert "presidio" in Pii(PiiConfig(engine="presidio")).identity()


def test_finds_are_in_order_and_disjoint() -> None:
    for document in PLANTED[:200]:
        finds: list[Found] = FIND(document.text)
        assert all(earlier.end <= later.start for earlier, later in pairwise(finds))
