from __future__ import annotations

import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from factory.config import load_config
from factory.errors import ConfigError
from factory.licences.duties import duties_of
from factory.licences.stated import SPDX_IDS
from factory.select.config import LicenceConfig
from factory.select.filters import Candidate, Verdict
from factory.select.licence import Licence
from factory.store.base import Store


@pytest.fixture
def ask(local_store: Store) -> Any:
    def verdict(stated: str, **policy: Any) -> Verdict | None:
        (only,) = Licence(LicenceConfig(**policy)).open(local_store)([Candidate("text", "source", stated, "")])
        return only

    return verdict


NON_COMMERCIAL = [
    "CC-BY-NC-SA-3.0", "CC BY-NC-SA 3.0", "cc-by-nc-4.0", "by-nc", "CC-BY-NC", "cc by nc nd",
    "https://creativecommons.org/licenses/by-nc-sa/3.0/", "http://creativecommons.org/licenses/by-nd/4.0/deed.fr",
    "Creative Commons Attribution-NonCommercial 4.0 International", "non-commercial use only", "noncommercial",
    "CC BY-ND 4.0", "no derivatives", "MIT AND CC-BY-NC-4.0", "CC BY-NC 3.0 PL", "CC-BY-NC-SA 4.0, images apart",
    "for educational purposes only", "PolyForm-Noncommercial-1.0.0", "All rights reserved.",
    "UNLICENSED", "unlicensed", "MIT + Commons Clause", "Apache-2.0 WITH Commons-Clause", "CC BY NonComm",
    "CC-BY-N\u200bC-4.0", "\uff23\uff23-\uff22\uff39-\uff2e\uff23-4.0", "LicenseRef-Proprietary",
    "LicenseRef-Acme-Proprietary", "LicenseRef-CC-BY-NC-house", "confidential", "evaluation only",
    "Alle Rechte vorbehalten", "free for personal use", "Custom; not licensed for redistribution", "uso no comercial",
]  # fmt: skip

USE_RESTRICTED = [
    "BUSL-1.1", "Elastic-2.0", "FSL-1.1-ALv2", "FSL-1.1-MIT", "SUL-1.0", "PolyForm-Small-Business-1.0.0", "PPL",
    "MS-LPL", "CPOL-1.02", "C-UDA-1.0", "ASWF-Digital-Assets-1.0", "ASWF-Digital-Assets-1.1", "Hippocratic-2.1",
    "JSON", "BSD-3-Clause-No-Military-License", "BSD-3-Clause-No-Nuclear-License",
    "BSD-3-Clause-No-Nuclear-License-2014",
]  # fmt: skip


@pytest.mark.parametrize("unknown", ["keep", "reject", "quarantine"])
@pytest.mark.parametrize("stated", NON_COMMERCIAL)
def test_noncommercial_and_no_derivatives_never_pass_by_default(ask: Any, stated: str, unknown: str) -> None:
    verdict = ask(stated, unknown=unknown)
    assert verdict.reason == "licence_denied"
    assert verdict.side == "input"
    assert verdict.evidence["pattern"] in LicenceConfig().deny


def test_every_such_licence_of_the_spdx_list_is_denied_by_default(ask: Any) -> None:
    ids = [identifier for identifier in SPDX_IDS if {"NC", "ND"} & set(identifier.split("-"))]
    assert len(ids) > 25
    assert all(ask(identifier).reason == "licence_denied" for identifier in ids)


def test_exactly_the_licences_that_restrict_use_are_denied_by_default(ask: Any) -> None:
    restricting = {"non-commercial", "no-derivatives", "restricted-use"}
    denied = {identifier for identifier in SPDX_IDS if ask(identifier) is not None}
    assert set(USE_RESTRICTED) <= denied
    assert denied == {identifier for identifier in SPDX_IDS if restricting & set(duties_of(identifier))}


def test_source_available_is_not_copyleft(ask: Any) -> None:
    assert ask("SSPL-1.0") is None
    assert ask("BSD-3-Clause-No-Nuclear-Warranty") is None
    assert ask("Unlicense") is None


@pytest.mark.parametrize(
    "stated", ["CC BY but ask me first", "MIT WITH Foo-exception", "(MIT", "LicenseRef-MIT", "MIT, more or less"]
)
def test_words_that_mention_a_licence_are_not_allowed_as_that_licence(ask: Any, stated: str) -> None:
    allow = ("MIT", "MIT-*", "CC-BY-*")
    assert ask(stated, allow=allow, unknown="reject").reason == "licence_unknown"
    assert ask(stated, deny=("MIT*", "CC-BY-*")).reason == "licence_denied"


@pytest.mark.parametrize(
    ("stated", "duties"),
    [
        ("CC BY-SA 4.0", ["attribution", "changes", "share-alike"]),
        ("GFDL-1.3-or-later", ["attribution", "changes", "notice", "share-alike"]),
        ("public domain", []),
        ("MIT OR Apache-2.0", ["notice"]),
        ("", ["unknown"]),
    ],
)
def test_share_alike_is_kept_and_marked(local_store: Store, stated: str, duties: list[str]) -> None:
    document = Candidate("text", "source", stated, "")
    assert Licence(LicenceConfig()).open(local_store)([document]) == [None]
    assert document.findings["duties"] == duties


def test_the_evidence_says_what_was_stated_and_what_decided(ask: Any) -> None:
    assert ask("MIT AND CC BY-NC 4.0").evidence == {
        "stated": "MIT AND CC BY-NC 4.0",
        "spdx": "CC-BY-NC-4.0 AND MIT",
        "part": "CC-BY-NC-4.0",
        "pattern": "*-NC-*",
    }
    assert len(ask("non-commercial " + "words " * 5000).evidence["stated"]) == 300


def test_all_parts_of_a_conjunction_and_one_of_the_alternatives_must_pass(ask: Any) -> None:
    allow = ("MIT", "CC-BY-*")
    assert ask("MIT AND CC-BY-4.0", allow=allow) is None
    assert ask("MIT AND GPL-3.0-only", allow=allow).reason == "licence_not_allowed"
    assert ask("MIT AND GPL-3.0-only", allow=allow).evidence["part"] == "GPL-3.0-only"
    assert ask("MIT OR GPL-3.0-only", allow=allow) is None
    assert ask("CC-BY-NC-4.0 OR MIT") is None
    assert ask("(CC-BY-NC-4.0 OR GPL-3.0-only) AND MIT", allow=allow).evidence["part"] == "GPL-3.0-only"
    assert ask("CC-BY-NC-4.0 AND GPL-3.0-only", allow=allow).reason == "licence_denied"


def test_deny_decides_over_allow_and_case_does_not_matter(ask: Any) -> None:
    assert ask("CC-BY-NC-4.0", allow=("cc-by-*",)).reason == "licence_denied"
    assert ask("CC-BY-4.0", allow=("cc-by-*",)) is None
    assert ask("CC BY-SA", allow=("CC-BY-SA-*",)) is None
    assert ask("CC-BY-NC-4.0", deny=()) is None
    assert ask("LicenseRef-house", deny=("licenseref-HOUSE",)).reason == "licence_denied"


@pytest.mark.parametrize(
    "stated", ["", "unknown", "House rules", "GPL-3.0-or-later AND others (per page)", "LicenseRef-house"]
)
def test_unknown_licences_follow_their_own_policy(ask: Any, stated: str) -> None:
    assert ask(stated) is None
    rejected = ask(stated, unknown="reject")
    assert (rejected.reason, rejected.side) == ("licence_unknown", "input")
    quarantined = ask(stated, unknown="quarantine")
    assert (quarantined.reason, quarantined.side) == ("licence_unknown", "quarantine")
    assert quarantined.evidence["part"].startswith("LicenseRef-")


def test_an_allow_list_may_name_what_is_unknown(ask: Any) -> None:
    assert ask("LicenseRef-house", allow=("LicenseRef-house",), unknown="reject") is None
    assert ask("", allow=("MIT",), unknown="reject").reason == "licence_unknown"
    assert ask("", allow=("MIT",)) is None
    assert ask("public domain", allow=("MIT",)).reason == "licence_not_allowed"


def test_a_known_alternative_makes_an_unknown_one_harmless(ask: Any) -> None:
    assert ask("House-rules OR MIT", unknown="reject") is None
    assert ask("House-rules OR CC-BY-NC-4.0", unknown="quarantine").side == "quarantine"


@pytest.mark.parametrize(
    ("pattern", "hint"), [("CC-BYSA-*", "CC-BY-SA-"), ("Apache2", "Apache-2.0"), ("mitt", "MIT"), ("GPLv3", "GPL-3.0")]
)
def test_a_pattern_that_meets_no_licence_is_refused_with_the_nearest(pattern: str, hint: str) -> None:
    with pytest.raises(ValidationError, match="meets no SPDX licence id") as refused:
        LicenceConfig(deny=(pattern,))
    assert f"did you mean `{hint}" in str(refused.value)


@pytest.mark.parametrize("pattern", ["Foo-Bar", "house", "mine-*", "abc", "our-own"])
def test_only_near_names_are_suggested(pattern: str) -> None:
    with pytest.raises(ValidationError, match="meets no SPDX licence id") as refused:
        LicenceConfig(allow=(pattern,))
    assert "did you mean" not in str(refused.value)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"licence": {"allow": []}}, r"allow=\[\] lets no licence pass; allow=null"),
        ({"licence": {"deny": ["*"]}}, r"deny leaves no licence to pass"),
        ({"licence": {"allow": ["CC-BY-NC-*"]}}, r"leaves nothing of select\.licence\.allow=\['CC-BY-NC-\*'\] to pass"),
        ({"licence": {"allow": ["LicenseRef-Proprietary"]}}, "leaves nothing of"),
        ({"pii": {"kinds": []}}, r"select\.pii\.kinds=\[\] looks for nothing; .* action=keep switches the filter off"),
        ({"quality": {"min_words": 10, "max_words": 3}}, r"select\.quality\.min_words=10 is above max_words=3"),
        (
            {"quality": {"min_mean_word_length": 9.0, "max_mean_word_length": 3.0}},
            r"min_mean_word_length=9\.0 is above max_mean_word_length=3\.0",
        ),
        ({"quality": {"max_words": 0}}, r"select\.quality\.max_words=0: every text has a word"),
        ({"quality": {"min_stop_words": 3, "stop_words": ["a", "b", "a"]}}, "asks for more than the 2 different"),
        ({"min_characters": 300, "max_characters": 200}, r"max_characters=200 is below select\.min_characters=300"),
    ],
)
def test_a_configuration_that_can_keep_nothing_is_refused(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config({"select": section})


def test_what_is_allowed_beyond_the_default_passes_once_it_is_no_longer_denied(ask: Any) -> None:
    assert ask("CC-BY-NC-4.0", allow=("CC-BY-NC-*",), deny=("*-ND-*",)) is None
    assert ask("LicenseRef-Proprietary", allow=("LicenseRef-Proprietary",), deny=(), unknown="reject") is None


def test_the_command_line_hears_of_it_as_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"select\.licence\.allow\.1: `CC-BYE-\*` meets no SPDX licence id"):
        load_config({"select": {"licence": {"allow": ["MIT", "CC-BYE-*"]}}})


def test_the_policy_is_its_identity_and_travels_to_workers() -> None:
    one, other = Licence(LicenceConfig()), Licence(LicenceConfig(unknown="reject"))
    assert one.identity() != other.identity()
    assert pickle.loads(pickle.dumps(one)) == one
