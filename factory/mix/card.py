"""README.md of a mix, rendered from its manifest alone, so that `factory verify` can render it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from factory.licences.duties import MEANINGS
from factory.mix.manifest import LEFT_OUT, NOT_DRAWN, Manifest
from factory.printable import printable
from factory.publish.card import markdown_code as code
from factory.publish.card import markdown_table as table
from factory.publish.card import markdown_text as text
from factory.publish.front_matter import hub_licence, size_category
from factory.publish.manifest import ATTRIBUTION, MANIFEST


def render_card(manifest: Manifest) -> str:
    """Reads neither the manifest's digest nor its list of files, which depend on the card."""
    front = printable(yaml.safe_dump(_front(manifest), sort_keys=False, allow_unicode=True, width=1000))
    sections = (_introduction(manifest), _parts(manifest), _left_out(manifest), _licences(manifest), _inputs(manifest))
    return f"---\n{front}---\n\n" + "\n".join(sections)


def _front(manifest: Manifest) -> dict[str, Any]:
    rows = manifest["totals"]["rows"]
    roles = {part["role"] for part in manifest["parts"] if part["written"]}
    synthetic = ["synthetic"] if "synthetic" in roles else []
    return {
        **hub_licence(manifest["license"]["dataset"]),
        "pretty_name": manifest["name"],
        "tags": [*synthetic, "mixture", "supervised-fine-tuning"],
        "size_categories": [size_category(rows)],
        "task_categories": ["question-answering", "text-generation"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*.parquet"}]}],
    }


def _introduction(manifest: Manifest) -> str:
    totals, anchor = manifest["totals"], manifest["anchor"]
    share = anchor["rows"] / totals["rows"] if totals["rows"] else 0
    human = f"**{anchor['rows']:,} rows ({share:.1%}) were written by people**, {anchor['required']:,} were asked for"
    warning = (
        f"\n**Below the human anchor.** {anchor['rows']:,} human rows of {anchor['required']:,}: training sets without "
        "a little human data do markedly worse (arXiv 2410.13098). It was made anyway, as configured.\n"
        if anchor["flagged"]
        else ""
    )
    return (
        f"# {text(manifest['name'])}\n\nA training set of {totals['rows']:,} conversations and {totals['tokens']:,} "
        f"tokens (`{code(manifest['tokenizer'])}`), mixed from {len(manifest['parts'])} parts. {human}.\n{warning}\n"
        f"- version `{manifest['version']}`, made {manifest['created']}, seed {manifest['seed']}\n"
        + "".join(
            f"- erased since: {note['rows']:,} rows, on {note['at']} (erasure `{note['erasure']}`)\n"
            for note in manifest.get("erased", ())
        )
        + "- column `messages` is the chat; `part` and `role` say where a row comes from, `lineage` exactly\n"
        f"{_writers(manifest)}"
        "- one split, for training: what is to be measured with has to be kept elsewhere\n"
    )


def _writers(manifest: Manifest) -> str:
    """Who wrote the synthetic rows, part by part, as far as the inputs say."""
    lines = []
    for part in (part for part in manifest["parts"] if part["role"] == "synthetic"):
        own = [each for each in manifest["generators"] if each["part"] == part["name"]]
        models = ", ".join(sorted({f"`{code(each['model'])}`" for each in own if not each["dry_run"]}))
        found = [f"were written by language models ({models})"] if models else []
        if any(each["dry_run"] for each in own):
            found.append(
                "were **made by the scripted engine, which is no language model**: the output of a dry run, good for "
                "trying out pipelines and useless for training"
            )
        if any(each["part"] == part["name"] and not each["dataset"] for each in manifest["inputs"]):
            found.append("come from files that do not say which models wrote them")
        lines.append(f"- rows of part `{code(part['name'])}` {'; others '.join(found)}; marked as `synthetic`\n")
    return "".join(lines)


def _models(manifest: Manifest) -> str:
    rows = [
        (g["part"], f"{g['dataset']} {g['version']}", g["role"], g["model"], g["revision"], g["license"],
         g["output_terms"], "yes" if g["dry_run"] else "no")
        for g in manifest["generators"]
    ]  # fmt: skip
    if not rows:
        return ""
    head = ("part", "dataset", "role", "model", "revision", "licence", "what it says about outputs", "dry run")
    return f"\nThe models that wrote rows of published datasets:\n\n{table(head, rows)}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"


def _parts(manifest: Manifest) -> str:
    rows = [
        (part["name"], part["role"], _share(part["asked"]), _share(part[f"got_{manifest['unit']}"]),
         f"{part['written']:,}", f"{part['tokens']:,}")
        for part in manifest["parts"]
    ]  # fmt: skip
    head = ("part", "role", f"share asked ({manifest['unit']})", "share got", "rows", "tokens")
    strata = sorted({stratum for part in manifest["parts"] for stratum in part["strata"]})
    shown = ""
    if strata not in ([], [""]):
        lines = [
            (stratum or "(none)", *(f"{part['strata'].get(stratum, 0):,}" for part in manifest["parts"]))
            for stratum in strata
        ]
        column = manifest["recipe"]["mix"]["stratify"]["column"]
        shown = f"\nRows by `{code(str(column))}`:\n\n" + table(
            ("stratum", *(part["name"] for part in manifest["parts"])), lines
        )
    return f"## Parts\n\n{table(head, rows)}{shown}"


def _left_out(manifest: Manifest) -> str:
    reasons = sorted({reason for part in manifest["parts"] for reason in part["reasons"]})
    rows = [
        (part["name"], f"{part['read']:,}", *(f"{part['reasons'].get(reason, 0):,}" for reason in reasons),
         f"{part['written']:,}")
        for part in manifest["parts"]
    ]  # fmt: skip
    across = [
        f"{number:,} of {text(part['name'])} repeat {text(kept)}"
        for part in manifest["parts"]
        for kept, number in sorted(part["repeats"].items())
    ]
    repeats = f"Repeats by the part of the row that stayed: {'; '.join(across)}.\n" if across else ""
    names = ", ".join(sorted({text(str(one["benchmark"])) for one in manifest["benchmarks"] if "benchmark" in one}))
    number = len(manifest["benchmarks"])
    against = f"{number} benchmark file{'s' if number != 1 else ''}" + (f" ({names})" if names else "")
    return (
        f"## What became of every row\n\n{table(('part', 'read', *reasons, 'written'), rows)}\n"
        f"Rows were screened together: of repeats the human one stays, then the real one. {repeats}Benchmarks: "
        f"{against if number else 'none were given, so nothing was decontaminated'}. "
        f"[{LEFT_OUT}]({LEFT_OUT}) lists every row left out with its reason and the row it repeats; those "
        f"`{NOT_DRAWN}` were usable and are only counted.\n"
    )


def _licences(manifest: Manifest) -> str:
    licence = manifest["license"]
    sources = table(("licence (SPDX)", "rows"), [(name, f"{rows:,}") for name, rows in _most(licence["rows"])])
    duties = table(
        ("duty", "what it asks", "rows"),
        [
            (duty, meaning, f"{licence['duties'][duty]:,}")
            for duty, meaning in MEANINGS.items()
            if duty in licence["duties"]
        ],
    )
    conflicts = "; ".join(f"{text(one)} with {text(other)}" for one, other in licence["conflicts"])
    warning = (
        f"**Licences that do not go together in one work**: {conflicts}. Rows stay works of their own here.\n\n"
        if conflicts
        else ""
    )
    return (
        f"## Licences\n\nThe mix: `{code(licence['dataset'])}`. Its rows, combined: "
        f"`{code(licence['combined_sources'])}`. [{ATTRIBUTION}]({ATTRIBUTION}) lists every source.\n\n"
        f"{sources}\n{warning}What they ask of whoever passes "
        f"rows on (a reading aid, the licences decide):\n\n{duties}{_models(manifest)}"
    )


def _most(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


INPUTS_SHOWN = 50


def _inputs(manifest: Manifest) -> str:
    rows = [
        (
            each["part"],
            f"{each['dataset']} {each['version']}" if each["dataset"] else "–",
            each["name"],
            each["sha256"][:16],
        )
        for each in manifest["inputs"][:INPUTS_SHOWN]
    ]
    more = len(manifest["inputs"]) - len(rows)
    rest = f"\nand {more:,} more, in the manifest.\n" if more > 0 else ""
    software = ", ".join(f"{name} {version}" for name, version in sorted(manifest["software"].items()))
    return (
        f"## Provenance\n\n{table(('part', 'dataset', 'file', 'sha256'), rows)}{rest}\n[{MANIFEST}]({MANIFEST}) holds "
        f"every hash, count and key; {software}. Check with `factory verify PATH`.\n"
    )
