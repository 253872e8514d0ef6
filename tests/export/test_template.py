from __future__ import annotations

from pathlib import Path

import pytest

from factory.domains.config import DomainConfig
from factory.domains.pack import shipped_packs
from factory.errors import ConfigError
from factory.export.interleaved import joined
from factory.export.template import read_template, template_of

OWN = "# {{ document }}\n\n{{pairs}}\n<!-- pair -->\nQ {{question}}\nA {{answer}}\n"


def test_a_template_is_filled_once_and_what_is_put_in_is_left_as_it_is() -> None:
    told = template_of(OWN).render("about {{pairs}}", [("q1 {{answer}}", "a1"), ("q2", "a2")])
    assert told == "# about {{pairs}}\n\nQ q1 {{answer}}\nA a1\n\nQ q2\nA a2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{document}} {{pairs}}", "0 lines `<!-- pair -->`"),
        (
            "{{document}}\n<!-- pair -->\n{{question}} {{answer}}",
            "placeholders document where document and pairs belong",
        ),
        ("{{document}} {{pairs}}\n<!-- pair -->\n{{question}} {{anwser}}", "placeholders question, anwser"),
        ("{{document}} {{pairs}}\n<!-- pair -->\n{{question}} {{question}} {{answer}}", "question, question, answer"),
    ],
)
def test_a_template_that_would_lose_something_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        template_of(text)


def test_every_pack_has_a_template_and_a_file_wins_over_it(tmp_path: Path) -> None:
    for name in shipped_packs():
        assert template_of(read_template(None, DomainConfig(name=name)))
    (tmp_path / "mine.md").write_text(OWN)
    assert read_template(str(tmp_path / "mine.md"), DomainConfig()) == OWN
    with pytest.raises(ConfigError, match="cannot be read"):
        read_template(str(tmp_path / "none.md"), DomainConfig())


def test_a_document_is_put_together_of_its_chunks_in_order_and_once() -> None:
    text = "First part. Second part.\n\nThird."
    spans = ((26, 32), (0, 11), (12, 24), (0, 11))
    chunks = [{"span_start": start, "span_end": stop, "text": text[start:stop]} for start, stop in spans]
    assert joined(chunks) == text
