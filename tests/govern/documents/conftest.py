from __future__ import annotations

import pytest

from factory.govern.facts import Facts, facts_of
from factory.publish.manifest import GeneratorTerms
from tests.publish.world import World

OWNER = 'Example "Ltd" | [press](http://evil.example)\n- **Version** (`version`): forged <b>'
"""An owner whose words would open markup, or forge an answer, wherever they were taken as anything but text."""

MODELS = ("toy/question", "toy/answer", "toy/judge")
GOVERNANCE = {
    "owner": OWNER,
    "contact": "data@example.org",
    "homepage": "https://example.org/toy",
    "intended_uses": ["tuning a tutor"],
    "prohibited_uses": ["marking exams"],
    "legal_basis": "licences of the sources",
    "licence_policy": "open licences",
    "collection": "crawled from January to March 2026",
    "crawled": True,
    "crawlers": ["examplebot"],
    "public_datasets": ["Example Pages, https://example.org/pages"],
    "user_data": False,
    "rights_reservation": "robots.txt was honoured",
    "illegal_content": "hosts were chosen by hand",
    "models": [
        {
            "name": name,
            "supplier": "Toy Labs",
            "released": "2025-11-30",
            "location": f"https://example.org/models/{name}",
            "summary": f"https://example.org/summaries/{name}",
        }
        for name in MODELS
    ],
    "known_bias": ["English alone"],
    "limitations": ["short answers"],
    "personal_data": "no",
    "confidentiality": "green",
    "maintenance": "write to us",
    "retention_days": 30,
    "review_board": "board decision 7",
}
CLOCK = {
    "started": "2026-01-01T00:00:00+00:00",
    "steps": {
        "question_1": ["2026-01-01T00:01:00+00:00", "2026-01-01T00:02:00+00:00"],
        "answer": ["2026-01-01T00:02:00+00:00", None],
    },
}


@pytest.fixture(scope="session")
def facts(worked: World) -> Facts:
    """Facts of a dataset whose publisher has stated everything."""
    terms = tuple(
        GeneratorTerms(role, f"toy/{role}", "r1", "Apache-2.0" if role != "judge" else "Toy Licence 1", "no limits")
        for role in ("question", "answer", "judge")
    )
    publication = {"governance": GOVERNANCE, "clock": CLOCK, "generators": terms, "languages": ("en", "de")}
    return facts_of(worked.publish(version="stated", **publication).manifest)


@pytest.fixture(scope="session")
def silent(worked: World) -> Facts:
    """Facts of a dataset whose publisher has said nothing."""
    return facts_of(worked.publish(version="silent").manifest)
