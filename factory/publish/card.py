"""The dataset card: README.md for people and for the Hugging Face hub, rendered from the manifest alone.

Design: one pure function of the manifest, so `verify` renders it again and compares bytes. The YAML front matter is
that of front_matter.py; the body says how the rows were made, what was turned away, under which licences, who answers
for the dataset, and what nobody has checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from factory.licences.duties import MEANINGS
from factory.printable import printable
from factory.publish.front_matter import front_matter
from factory.publish.manifest import ATTRIBUTION, MANIFEST, Manifest
from factory.publish.wording import PROMPTS


def render_card(manifest: Manifest) -> str:
    """README.md. Reads neither `files` entries of other files nor the manifest's digest, which depend on it."""
    front = printable(yaml.safe_dump(front_matter(manifest), sort_keys=False, allow_unicode=True, width=1000))
    sections = (
        _introduction(manifest),
        _loading(manifest),
        _making(manifest),
        _funnel(manifest),
        _gates(manifest),
        _licences(manifest),
        _limits(manifest),
        _governance(manifest),
        _provenance(manifest),
    )
    return f"---\n{front}---\n\n" + "\n".join(sections)


def _introduction(manifest: Manifest) -> str:
    models = sorted({generator["model"] for generator in manifest["generators"]})
    named = ", ".join(f"`{markdown_code(model)}`" for model in models)
    writers = f"**all of them written by language models** ({named}) from passages of real documents"
    if is_dry_run(manifest):
        writers = (
            "**made by the scripted engine, which is no language model**: the output of a dry run, good for trying "
            "out pipelines and useless for training"
        )
    return (
        f"# {markdown_text(manifest['name'])}\n\n"
        f"{manifest['totals']['rows']:,} question-answer pairs, {writers}. Each row names the "
        "passages, prompts and requests it came from.\n\n"
        f"- version `{manifest['version']}`, published {manifest['created']}\n"
        f"- domain `{markdown_code(manifest['domain'])}`; "
        f"language: {', '.join(manifest['languages']) or 'as in the corpus, not determined'}\n"
        f"- digital source type: <{manifest['digital_source_type']}>\n"
        + "".join(
            f"- erased since: {note['rows']:,} rows, on {note['at']} (erasure `{note['erasure']}`); what is said below "
            "of steps and gates is of the dataset as it was published\n"
            for note in manifest.get("erased", ())
        )
    )


def is_dry_run(manifest: Manifest) -> bool:
    """Whether any row's words came from the scripted engine."""
    return any(engine["kind"] == "scripted" for step in manifest["steps"] for engine in step["engines"])


def _loading(manifest: Manifest) -> str:
    table = markdown_table(
        ("split", "rows", "shards", "MiB"),
        [(s["name"], f"{s['rows']:,}", s["shards"], f"{s['bytes'] / 2**20:.2f}") for s in manifest["splits"]],
    )
    return (
        "## Loading\n\n```python\nfrom datasets import load_dataset\n\n"
        'rows = load_dataset("path/to/this/folder")\nprint(rows["train"][0]["messages"])\n```\n\n'
        f"`messages` is a chat of {_chat(manifest)}, which trainers such as TRL's `SFTTrainer` read as it "
        "is. Token counts are of the texts alone, under the tokenizer "
        f"`{markdown_code(manifest['tokenizer'])}`.\n\n{table}\n"
        f"Rows are shuffled by hash. Splits are by document ({manifest['split_rule']['validation']:.2%} validation, "
        f"{manifest['split_rule']['test']:.2%} test): no document has rows in two splits.\n"
        f"{_empty_splits(manifest)}"
    )


def _chat(manifest: Manifest) -> str:
    if "tasks" not in manifest["totals"]:
        return "one question and one answer"
    return "question and answer, with the passage where the question needs it and all turns of a dialogue"


def _empty_splits(manifest: Manifest) -> str:
    empty = manifest["split_rule"].get("empty")  # manifests without it keep the card they were published with
    if not empty:
        return ""
    return (
        f"\n**Without rows: {' and '.join(empty)}.** None of the documents behind the rows fell into "
        f"{'these splits' if len(empty) > 1 else 'this split'}, although the shares above were asked for; hold rows "
        "back yourself before training on all of them.\n"
    )


def _making(manifest: Manifest) -> str:
    lines = ["## How it was made\n"]
    for step in manifest["steps"]:
        sampling = step["identity"].get("sampling")
        detail = ""
        if sampling:
            detail = (
                f": temperature {sampling['temperature']}, top_p {sampling['top_p']}, at most "
                f"{sampling['max_tokens']} tokens, seed {sampling['seed']}"
            )
            detail += "".join(f"; engine {_engine(engine)}" for engine in step["engines"])
        lines.append(f"- **{step['name']}** (`{step['folder']}`, version {step['version']}){detail}")
    levels = ", ".join(f"level {level}: {count:,}" for level, count in sorted(manifest["totals"]["levels"].items()))
    origins = ", ".join(f"{name}: {count:,}" for name, count in sorted(manifest["totals"]["origins"].items()))
    lines.append(f"\nQuestions by level ({levels}) and origin ({origins}). Level 1 asks from a document,")
    lines.append("level 2 from a document and sampled concepts, level 3 across documents.\n")
    if tasks := manifest["totals"].get("tasks"):
        counted = ", ".join(f"{markdown_text(name)}: {count:,}" for name, count in sorted(tasks.items()))
        lines.append(f"Rows by task type, column `task` ({counted}); `task_data` holds what belongs to a row's task")
        lines.append("beside question and answer, as JSON.\n")
    return "\n".join(lines)


def _engine(engine: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(engine.get("versions", {}).items()))
    seeds = "a seed a request" if engine.get("seed_per_request") else "one seed an engine"
    return f"{engine['kind']} ({versions or 'versions not stated'}; {seeds})"


def _funnel(manifest: Manifest) -> str:
    rows = []
    for step in manifest["steps"]:
        counts = step["counts"]
        reasons = sorted(
            ((reason, number) for side in step["reasons"].values() for reason, number in side.items()),
            key=lambda pair: (-pair[1], pair[0]),
        )
        turned = ", ".join(f"{markdown_text(reason)} {number:,}" for reason, number in reasons) or "-"
        rows.append(
            (step["name"], f"{counts['inputs']:,}", f"{counts['used']:,}", f"{counts['rejected']:,}",
             f"{counts['quarantined']:,}", f"{counts['produced']:,}", f"{counts['accepted']:,}", turned)
        )  # fmt: skip
    head = ("step", "read", "used", "rejected", "quarantined", "produced", "accepted", "turned away because")
    tokens = sum(step["ledger"].get("generated_tokens", 0) for step in manifest["steps"])
    requests = sum(step["ledger"].get("requests", 0) for step in manifest["steps"])
    total = manifest["totals"]["rows"]
    spent = f"{requests:,.0f} requests and {tokens:,.0f} generated tokens"
    each = f", {tokens / total:,.0f} tokens a published row" if total else ""
    return f"## What became of every row\n\n{markdown_table(head, rows)}\nCost: {spent}{each}.\n"


def _gates(manifest: Manifest) -> str:
    rows = []
    for gate in manifest["gates"]:
        sign = ">=" if gate["bound"] == "min" else "<="
        threshold = "off" if gate["threshold"] is None else f"{sign} {gate['threshold']:g}"
        missed = "warning" if gate["severity"] == "warn" else "failed"
        verdict = "off" if gate["severity"] == "off" else ("passed" if gate["passed"] else missed)
        rows.append((gate["name"], gate["meaning"], threshold, f"{gate['measured']:.4g}", verdict))
    return f"## Gates\n\n{markdown_table(('gate', 'meaning', 'threshold', 'measured', 'result'), rows)}"


def _licences(manifest: Manifest) -> str:
    licence = manifest["license"]
    sources = markdown_table(
        ("sources' licences (SPDX)", "rows"),
        [
            (expression, f"{rows:,}")
            for expression, rows in sorted(licence["rows"].items(), key=lambda p: (-p[1], p[0]))
        ],
    )
    duties = markdown_table(
        ("duty", "what it asks", "rows"),
        [
            (duty, meaning, f"{licence['duties'][duty]:,}")
            for duty, meaning in MEANINGS.items()
            if duty in licence["duties"]
        ],
    )
    models = markdown_table(
        ("role", "model", "revision", "licence", "what it says about outputs"),
        [(g["role"], g["model"], g["revision"], g["license"], g["output_terms"]) for g in manifest["generators"]],
    )
    return (
        f"## Licences\n\nThe dataset: `{markdown_code(licence['dataset'])}`. Its sources, combined: "
        f"`{markdown_code(licence['combined_sources'])}`. Each row carries the licences of all documents behind it "
        f"(`licenses`, `license`); [{ATTRIBUTION}]({ATTRIBUTION}) lists every source with licence and url.\n\n"
        f"{sources}\n{_share_alike(licence)}What the sources' licences ask of whoever passes rows on (column `duties`; "
        f"a reading aid, the licences decide):\n\n{duties}\nThe models that wrote the rows:\n\n{models}"
    )


def _share_alike(licence: Mapping[str, Any]) -> str:
    rows = licence["duties"].get("share-alike", 0)
    if not rows:
        return ""
    return (
        f"**Share-alike**: {rows:,} rows rest on sources under share-alike licences; what is derived from them is to "
        "be passed on under the same licence.\n\n"
    )


def _limits(manifest: Manifest) -> str:
    verified = manifest["totals"]["verified"]
    total = manifest["totals"]["rows"]
    unchecked = total - verified.get("yes", 0) - verified.get("no", 0)
    models = {
        (role, *pair)
        for shard in manifest["shards"]
        for role, pairs in shard["lineage"]["models"].items()
        for pair in pairs
    }
    writers = "; ".join(
        f"{role}s by `{markdown_code(model)}` at revision `{markdown_code(revision)}`"
        for role, model, revision in sorted(models, reverse=True)
    )
    return (
        "## Limits\n\n"
        f"- Rows are machine-generated: {writers}. They are as good as those models: expect errors, and small models' "
        "rows to be weak.\n"
        f"- {unchecked:,} of {total:,} answers were **not verified** by any checker; {verified.get('yes', 0):,} were "
        f"verified, {verified.get('no', 0):,} failed verification (column `verified`).\n"
        "- Documents were neither fact-checked nor screened for bias beyond what the steps above say; their mistakes "
        "and views carry over.\n"
        "- Agreement between samples of one model is not correctness.\n"
    )


def _governance(manifest: Manifest) -> str:
    """What the publisher states, and where everything else that answers for the dataset lies."""
    stated = manifest["governance"]
    said = [(label, _said(value)) for key, label in STATED.items() if (value := stated.get(key)) not in (None, [], "")]
    table = markdown_table(("", "as the publisher states"), said) if said else "The publisher states nothing more.\n"
    return (
        f"## Governance\n\n{table}\n[{PROMPTS}]({PROMPTS}) holds every prompt and rubric. Croissant, provenance, bills "
        "of materials and the EU AI Act's summary lie beside this folder, in "
        f"`../records/{manifest['version']}/bundle-*`; `factory bundle PATH --out FOLDER` writes them anew.\n"
    )


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "; ".join(value) if isinstance(value, list) else str(value)


STATED = {
    "owner": "answers for the dataset",
    "contact": "contact",
    "homepage": "home page",
    "intended_uses": "intended uses",
    "prohibited_uses": "prohibited uses",
    "legal_basis": "legal basis",
    "licence_policy": "licence policy",
    "collection": "collection of the sources",
    "crawled": "sources were crawled from the web",
    "crawlers": "crawlers",
    "public_datasets": "public datasets among the sources",
    "user_data": "data from users among the sources",
    "rights_reservation": "reservations of rights against text and data mining",
    "illegal_content": "illegal content",
    "known_bias": "known bias",
    "limitations": "limitations",
    "social_impact": "social impact",
    "personal_data": "sensitive personal information in the sources",
    "confidentiality": "confidentiality (traffic light protocol)",
    "maintenance": "maintenance",
    "retention_days": "days after which raw requests are removed",
    "review_board": "review board",
}
"""Keys of `governance` that the card repeats, with what it calls them."""


def _provenance(manifest: Manifest) -> str:
    software = ", ".join(f"{name} {version}" for name, version in sorted(manifest["software"].items()))
    return (
        f"## Provenance\n\n[{MANIFEST}]({MANIFEST}) holds the hash of every file, each shard's lineage, every step's "
        f"totals and the whole configuration. Run `{manifest['run']}`, seed {manifest['seed']}; {software}. Check with "
        "`factory verify PATH` (add `--bytes` away from the root it was made under); rebuild the requests behind a "
        "row with `factory replay PATH SAMPLE_ID`.\n"
    )


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(markdown_text(str(cell)) for cell in line) + " |\n" for line in lines)


_MARKUP = {ord("|"): "\\|", ord("["): "&#91;", ord("]"): "&#93;", ord("`"): "'", ord("<"): "&lt;"}
"""What could become a link or a picture (which asks its server from every reader), HTML, code, or end a table's cell.
Brackets by number: behind a backslash of the text itself a backslash would escape nothing."""


_MARK = re.compile(r"\*|~|(?<!\w)_+|_+(?!\w)")
"""Characters that can begin or end emphasis; underscores only at the edge of a word, as CommonMark has it."""


def markdown_text(value: str) -> str:
    """Free text on one line of a Markdown table, unable to open markup of its own."""
    return _plain_marks(printable(" ".join(value.split())).translate(_MARKUP))


def unmarked(text: str) -> str:
    """What `markdown_text` was given, but for white space and backticks; entities that it does not write stay."""
    for code, escaped in _MARKUP.items():
        text = text if code == ord("`") else text.replace(escaped, chr(code))
    for mark in "*_~":
        text = text.replace(f"&#{ord(mark)};", mark)
    return text


def _plain_marks(text: str) -> str:
    """`text` without emphasis. One mark emphasises nothing, and stays: cards that are published hold such, and are
    rendered again by whoever verifies them."""
    found = "".join(_MARK.findall(text))
    if not any(found.count(mark) > 1 for mark in "*_~"):
        return text
    return _MARK.sub(lambda each: "".join(f"&#{ord(mark)};" for mark in each[0]), text)


def markdown_code(value: str) -> str:
    """Free text as it stands between backticks on one line: there only a backtick is markup, and a bar in tables."""
    return printable(" ".join(value.split())).replace("`", "'").replace("|", "\\|")
