"""README.md of an export: what it is of, how it is read, what it obliges to. Rendered from the manifest alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from factory.publish.card import markdown_code, markdown_table, markdown_text
from factory.publish.manifest import Manifest

ERASURE = (
    "These rows are copies. A withdrawal or erasure in the root that they came from does not reach them: "
    "`factory impact` names exports below the root, others have to be made anew. "
    "`factory verify DIR --root ROOT` says whether the dataset has changed since."
)


def render_card(manifest: Manifest) -> str:
    source, recipe, totals = manifest["source"], manifest["recipe"], manifest["totals"]
    counts = totals["counts"]
    left = ", ".join(f"{number:,} {reason}" for reason, number in counts["left_out"].items()) or "none"
    asked = [
        *(f"`{markdown_code(each)}`" for each in recipe["where"]),
        *(["verified rows only"] if recipe["verified"] else []),
    ]
    lines = [
        f"# {source['name']} {source['version']} as {manifest['form']}",
        "",
        f"Made by `factory export` from the dataset {source['name']}, version {source['version']} (manifest "
        f"`{source['manifest_sha256'][:16]}`), whose state then was: {markdown_text(manifest['standing'])}.",
        "",
        "**Machine-made text**: every row says so in `synthetic` and `digital_source_type`; nothing is hidden in text."
        if manifest["synthetic"] is True
        else "Rows say in `synthetic` whether a model wrote them; nothing is hidden in text.",
        "",
        f"- rows: {totals['rows']:,} ({', '.join(f'{name} {rows:,}' for name, rows in totals['splits'].items())})",
        f"- of the dataset: {counts['read']:,} rows read, {counts['used']:,} used; left out: {left}",
        f"- chosen by: {', '.join(asked) or 'everything in these splits'}",
        f"- licence of the dataset: {markdown_text(manifest['license']['dataset'])}; of the sources: "
        f"{markdown_text(manifest['license']['combined_sources']) or 'not stated'}",
        f"- duties: {', '.join(totals['duties']) or 'none'}; ATTRIBUTION.md names the sources",
        "",
        markdown_table(
            ("role", "written by", "licence", "what it says about outputs"),
            list(dict.fromkeys(map(_generator, manifest["generators"]))),
        ),
        *_facts(manifest),
        "## Loading",
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        f"rows = load_dataset({_loader(recipe['file_format'])}, data_files={_pattern(recipe)})",
        "```",
        "",
        "## Erasure",
        "",
        ERASURE,
        "",
    ]
    return "\n".join(lines)


def _generator(generator: Mapping[str, Any]) -> tuple[str, ...]:
    names = ("role", "model", "license", "output_terms")
    return tuple(str(generator[name]) for name in names)


def _facts(manifest: Manifest) -> list[str]:
    facts = manifest["totals"]["counts"]["facts"]
    return [*(f"- {name.replace('_', ' ')}: {number:,}" for name, number in facts.items()), ""] if facts else []


def _loader(file_format: str) -> str:
    return '"parquet"' if file_format == "parquet" else '"json"'


def _pattern(recipe: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f'"{split}": "data/{split}-*"' for split in recipe["splits"]) + "}"
