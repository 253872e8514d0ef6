"""What the filters found in the documents they let pass, as counts that a run's record and report show.

Names are "<finding>=<value>", so that units add up: `lang=en` documents, `masked=email` spans, `duty=share-alike`
documents, `score=7` documents whose domain score is 7 to 8.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any


def count_findings(found: Counter[str], findings: Mapping[str, Any]) -> None:
    """Adds one document's findings to `found`."""
    if (language := findings.get("lang")) is not None:
        found[f"lang={language}"] += 1
    found.update(f"masked={span['kind']}" for span in findings.get("masked") or ())
    found.update(f"duty={duty}" for duty in findings.get("duties") or ())
    if (score := findings.get("domain_score")) is not None:
        found[f"score={int(score)}"] += 1


def findings_of(facts: Mapping[str, int], kind: str) -> dict[str, int]:
    """Value -> count of one kind of finding ("lang", "masked", "duty", "score") in a step's facts."""
    prefix = f"{kind}="
    return {name.removeprefix(prefix): count for name, count in facts.items() if name.startswith(prefix)}
