from __future__ import annotations

import pytest

from factory.answers.repetition import repetition

PROSE = (
    "A prime number has exactly two divisors. To see that there are infinitely many, suppose there were finitely many "
    "and multiply them all together, then add one. The result leaves remainder one on division by each of them, so "
    "some prime that is not on the list divides it, which contradicts the assumption. Hence no finite list is complete."
)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (PROSE + "\nTherefore the result is the same.\n" * 30, "line"),
        (PROSE[:100] + " and so on and so forth again" * 40, "words"),
        ("ha" * 400, "characters"),
        ("=" * 500, "characters"),
        ("the the the the the the the the the " * 10, "words"),
    ],
)
def test_loops_are_seen_and_shown(text: str, rule: str) -> None:
    found = repetition(text)
    assert found is not None
    assert found["rule"] == rule
    assert found["repeated"] in text


@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        "42",
        "",
        "\n".join(f"{number} x 7 = {number * 7}" for number in range(1, 21)),
        "def f(x):\n    if x:\n        return 1\n    else:\n        return 0\n\n\ndef g(x):\n    return 0\n",
        "$$\\begin{pmatrix} 1 & 0 & 0 \\\\ 0 & 1 & 0 \\\\ 0 & 0 & 1 \\end{pmatrix}$$ is its own inverse.",
        " ".join(f"Step {n}: divide {97 * n} by {n + 2}, which leaves {97 * n % (n + 2)}." for n in range(1, 30)),
    ],
)
def test_ordinary_answers_pass(text: str) -> None:
    assert repetition(text) is None
