from __future__ import annotations

import copy
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from factory.printable import OBEYED
from factory.publish.attribution import Attribution, attribution_text
from factory.publish.card import markdown_text, render_card, unmarked
from factory.publish.finalise import Published
from factory.publish.front_matter import HUB_LICENCES, front_matter, hub_licence
from factory.publish.manifest import Shard, empty_splits
from factory.publish.samples import SAMPLE
from factory.store.local import LocalStore
from tests.publish.world import make_world


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Published]:
    root = tmp_path_factory.mktemp("root")
    done = make_world(LocalStore(str(root))).publish()
    return root / done.prefix, done


def test_datasets_reads_the_published_folder_as_its_card_says(
    published: tuple[Path, Published], tmp_path: Path
) -> None:
    import datasets

    folder, done = published
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path))
    sizes = {split["name"]: split["rows"] for split in done.manifest["splits"]}
    assert {name: split.num_rows for name, split in loaded.items()} == sizes
    row = loaded["train"][0]
    assert [turn["role"] for turn in row["messages"]] == ["user", "assistant"]
    assert row["messages"][0]["content"] == row["question"]
    assert row["synthetic"] is True
    info = datasets.load_dataset_builder(str(folder), cache_dir=str(tmp_path)).info
    assert {name: split.num_examples for name, split in info.splits.items()} == sizes
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_features_are_written_as_the_hub_writes_them(published: tuple[Path, Published]) -> None:
    import datasets

    ours = front_matter(published[1].manifest)["dataset_info"]["features"]
    assert ours == datasets.Features.from_arrow_schema(SAMPLE)._to_yaml_list()


def test_the_front_matter_is_complete_and_agrees_with_the_files(published: tuple[Path, Published]) -> None:
    folder, done = published
    front = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    needed = (
        "license", "pretty_name", "tags", "size_categories", "task_categories", "annotations_creators",
        "language_creators", "source_datasets", "configs", "dataset_info",
    )  # fmt: skip
    assert set(needed) <= set(front)
    assert "synthetic" in front["tags"]
    assert front["annotations_creators"] == ["machine-generated"]
    assert front["size_categories"] == ["n<1K"]
    for entry in front["configs"][0]["data_files"]:
        found = list(folder.glob(entry["path"]))
        assert len(found) == sum(shard["split"] == entry["split"] for shard in done.manifest["shards"])
    files = sum(path.stat().st_size for path in folder.glob("data/*.parquet"))
    assert front["dataset_info"]["download_size"] == files


def test_the_card_says_which_models_wrote_the_rows_and_that_nobody_checked(published: tuple[Path, Published]) -> None:
    text = (published[0] / "README.md").read_text()
    rows = published[1].manifest["totals"]["rows"]
    assert "questions by `toy/question` at revision `r1`; answers by `toy/answer` at revision `r1`" in text
    assert f"{rows} of {rows} answers were **not verified**" in text
    assert "outputs may be used for training" in text
    assert "duplicate_document" in text
    assert "| max_duplicate_start |" in text


def test_duties_of_the_sources_stand_in_manifest_card_and_attribution(published: tuple[Path, Published]) -> None:
    import pyarrow.parquet as pq

    folder, done = published
    columns = [pq.read_table(path, columns=["duties"]).column("duties") for path in folder.glob("data/*.parquet")]
    rows = [duties for column in columns for duties in column.to_pylist()]
    counted = {duty: sum(duty in duties for duties in rows) for duties in rows for duty in duties}
    assert done.manifest["license"]["duties"] == counted
    assert set(counted) == {"attribution", "changes", "notice", "share-alike", "unknown"}
    card = (folder / "README.md").read_text()
    assert f"**Share-alike**: {counted['share-alike']:,} rows" in card
    assert f"| share-alike | pass on what is derived under the same licence | {counted['share-alike']:,} |" in card
    assert (
        "Licence: CC-BY-SA-4.0\nDuties: attribution, changes, share-alike\n" in (folder / "ATTRIBUTION.md").read_text()
    )


def test_a_card_without_share_alike_does_not_speak_of_it(published: tuple[Path, Published]) -> None:
    manifest = published[1].manifest
    free = {**manifest["license"], "duties": {"notice": 3}}
    assert "Share-alike" not in render_card({**manifest, "license": free})


def test_the_card_names_splits_that_were_asked_for_and_have_no_row(published: tuple[Path, Published]) -> None:
    manifest = published[1].manifest
    assert "Without rows" not in render_card(manifest)
    rule = {**manifest["split_rule"], "empty": ["validation", "test"]}
    assert "**Without rows: validation and test.**" in render_card({**manifest, "split_rule": rule})


def test_the_manifest_names_splits_without_a_row_that_were_asked_for(tmp_path: Path) -> None:
    rare = make_world(LocalStore(str(tmp_path)), documents=12)
    done = rare.publish()
    have = {split["name"] for split in done.manifest["splits"]}
    assert done.manifest["split_rule"].get("empty", []) == [n for n in ("validation", "test") if n not in have]
    trained = [shard for shard in map(_shard, done.manifest["shards"]) if shard.split == "train"]
    assert empty_splits(rare.publication(), trained) == ["validation", "test"]
    assert empty_splits(rare.publication(validation=0.0), trained) == ["test"]


def _shard(entry: dict[str, Any]) -> Shard:
    return Shard(**entry)


def test_the_card_of_a_dry_run_says_that_no_model_wrote_it(published: tuple[Path, Published]) -> None:
    manifest = published[1].manifest
    assert "written by language models" in render_card(manifest)
    steps = [{**step, "engines": [{**e, "kind": "scripted"} for e in step["engines"]]} for step in manifest["steps"]]
    card = render_card({**manifest, "steps": steps})
    assert "written by language models" not in card
    assert "scripted engine, which is no language model" in card


def test_free_text_cannot_break_the_cards_tables(published: tuple[Path, Published]) -> None:
    manifest: dict[str, Any] = {**published[1].manifest}
    manifest["generators"] = [{**manifest["generators"][0], "output_terms": "a | b\n# Heading\n`code`"}]
    line = next(line for line in render_card(manifest).splitlines() if "Heading" in line)
    assert line.endswith("| a \\| b # Heading 'code' |")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", {"license": "mit"}),
        ("Apache-2.0 AND MIT", {"license": ["apache-2.0", "mit"]}),
        ("(MIT OR Zlib) AND ISC", {"license": "other", "license_name": "(MIT OR Zlib) AND ISC"}),
        ("LicenseRef-unknown", {"license": "other", "license_name": "LicenseRef-unknown"}),
    ],
)
def test_licences_are_named_as_the_hub_names_them(expression: str, expected: dict[str, Any]) -> None:
    found = hub_licence(expression)
    assert {key: value for key, value in found.items() if key != "license_link"} == expected


def test_every_licence_of_the_table_is_an_spdx_id() -> None:
    from packaging.licenses import canonicalize_license_expression

    assert all(canonicalize_license_expression(spdx) == spdx for spdx in HUB_LICENCES)


@pytest.mark.parametrize("text", ["R&D|[x](y) <b>", "*two* of _them_ and ~~those~~", "a&copy;b &copy c &amp; d", "\\|"])
def test_text_is_read_back_from_markdown(text: str) -> None:
    assert unmarked(markdown_text(text)) == text


HOSTILE = (
    "x\\](https://evil.example) [click](javascript:alert(1)) ![seen](https://evil.example/p.png) "
    "<script>alert(1)</script> <img src=x onerror=alert(1)> `code` | cell\n\n# heading\n[ref]: https://evil.example\n"
    "<https://evil.example> \u202egnp"
)


@pytest.mark.parametrize("text", ["**b**", "_i_ and *j*", "__b__ of a_name", "~~gone~~", "***all*** _of it_"])
def test_words_emphasise_nothing(text: str) -> None:
    from markdown_it import MarkdownIt

    page = MarkdownIt("gfm-like", {"linkify": False}).render(f"| a |\n| --- |\n| {markdown_text(text)} |\n")
    assert f"<td>{text}</td>" in page


@pytest.mark.parametrize("text", ["question_1 reads doc_ids", "CC-BY-*", "5 * 3", "_x", "a__b", "~5 rows"])
def test_marks_that_emphasise_nothing_stay_as_they_are(text: str) -> None:
    """Published cards hold such, and are rendered again to be verified."""
    assert markdown_text(text) == text


def test_hostile_names_open_no_link_picture_or_html_in_card_and_attribution(published: tuple[Path, Published]) -> None:
    from markdown_it import MarkdownIt

    manifest: dict[str, Any] = copy.deepcopy(dict(published[1].manifest))
    manifest |= {"name": HOSTILE, "domain": HOSTILE, "tokenizer": HOSTILE}
    manifest["license"] |= {"dataset": HOSTILE, "combined_sources": HOSTILE, "rows": {HOSTILE: 3}}
    for generator in manifest["generators"]:
        generator |= {"model": HOSTILE, "license": HOSTILE, "output_terms": HOSTILE}
    for gate in manifest["gates"]:
        gate["meaning"] = HOSTILE
    for step in manifest["steps"]:
        step["reasons"] = {"input": {HOSTILE: 1}}
    entry = Attribution(HOSTILE, HOSTILE, HOSTILE)
    for text in (render_card(manifest), "".join(attribution_text(iter([entry]), HOSTILE))):
        body = text.split("---\n", 2)[-1]
        assert not OBEYED.search(text)
        page = MarkdownIt("commonmark", {"html": True}).enable("table").render(body).lower()
        assert "<script" not in page
        assert "<img" not in page
        links = set(re.findall(r'href="([^"]*)"', page))
        assert not [link for link in links if "evil" in link or "javascript" in link], links
    front = yaml.safe_load(render_card(manifest).split("---\n")[1])
    assert front["license_name"].startswith("x\\]")
