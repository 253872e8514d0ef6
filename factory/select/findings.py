"""What the filters found in the documents they let pass, as counts that a run's record and report show.

Names are "<finding>=<value>", so that units add up: `lang=en` documents, `masked=email` spans, `duty=share-alike`
documents, `score=7` documents whose domain score is 7 to 8, `licence=MIT` documents. Of licences a unit names
`LICENCES` at most, the first it meets; those beyond are counted together, so that a corpus that states each document's
licence in words of its own does not write them all into a commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from factory.licences.expression import combine

LICENCES = 64
OTHER_LICENCES = "(others)"


def count_findings(found: Counter[str], findings: Mapping[str, Any], licence: str) -> None:
    """Adds one document's findings, and its licence as an SPDX expression, to `found`."""
    name = f"licence={combine([licence])}"
    if name not in found and sum(key.startswith("licence=") for key in found) >= LICENCES:
        name = f"licence={OTHER_LICENCES}"
    found[name] += 1
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
