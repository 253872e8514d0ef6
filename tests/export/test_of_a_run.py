"""Forms that read what a run kept beside its rows: samples that lost, documents, requests. One run for all."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factory.cli.main import main
from factory.errors import ConfigError
from factory.export.forms import form_of
from factory.export.job import Made, export
from factory.export.recipe import Recipe
from factory.export.source import Source, open_source
from factory.export.tokenizing import named_tokenizer
from factory.export.verify import verify_export
from factory.publish.manifest import Manifest
from factory.store.local import LocalStore
from tests.export.conftest import read_rows
from tests.runs import dataset_rows, run_factory

THINGS = ("gradient", "integral", "prime number", "matrix", "graph", "limit")

TEXTS = tuple(
    f"A {thing} is defined by what it does to other things, and the definition of a {thing} is short. Whoever works "
    f"with a {thing} first asks whether it exists, then whether there is more than one of it, and how it is computed. "
    f"Examples help: number {place} shows a {thing} that is simple, number {place + 7} one that is not, and each of "
    f"them says what a theorem about a {thing} has to leave open."
    for place, thing in enumerate(THINGS)
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Root and dataset of a run that asked for four answers a question, on three levels."""
    folder = tmp_path_factory.mktemp("run")
    rows = [{"text": text, "license": "MIT" if place % 2 else "CC-BY-4.0"} for place, text in enumerate(TEXTS)]
    (folder / "corpus.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    asked = ["answer.samples=4", "question.levels=[1,2,3]", "publish.validation=0", "publish.test=0"]
    finished = run_factory(folder / "corpus.jsonl", str(folder / "root"), asked)
    return folder / "root", Path(finished.result["dataset"])


@pytest.fixture
def source(run: tuple[Path, Path]) -> Source:
    return open_source(str(run[1]))


def exported(source: Source, folder: Path, form: str, **keys: Any) -> tuple[Made, list[dict[str, Any]]]:
    """The export, verified, and its rows as `datasets` reads them."""
    made = export(source, Recipe(form, **keys), LocalStore(str(folder)), "draft", processes=1)
    assert verify_export(LocalStore(str(folder))).ok
    return made, read_rows(folder)


def counts(made: Made) -> Any:
    return made.manifest["totals"]["counts"]


def requests_below(root: Path, step: str) -> list[dict[str, Any]]:
    return [row for path in root.glob(f"steps/{step}-*/requests/*.parquet") for row in pq.read_table(path).to_pylist()]


def test_of_two_answers_to_a_question_the_one_that_more_samples_gave_is_chosen(
    run: tuple[Path, Path], source: Source, tmp_path: Path
) -> None:
    made, rows = exported(source, tmp_path / "p", "preference")
    texts = {text.strip() for request in requests_below(run[0], "answer") for text in request["texts"]}
    published = {row["sample_id"]: row for row in dataset_rows(str(run[1]))["train"].to_pylist()}
    assert rows
    for row in rows:
        of = published[row["sample_id"]]
        assert row["prompt"] == [{"role": "user", "content": of["question"]}]
        assert row["chosen"][0]["content"] == of["answer"]
        assert row["rejected"][0]["content"] in texts - {of["answer"]}
        assert row["chosen_votes"] > row["rejected_votes"]
        assert (row["by"], row["published"]) == ("majority", "chosen")
    agreeing = sum(row["agreement"] == 1.0 for row in published.values())
    assert counts(made)["left_out"].get("one_answer", 0) == agreeing
    assert counts(made)["read"] == len(published) == len(rows) + sum(counts(made)["left_out"].values())


def test_more_pairs_of_a_question_are_told_when_asked_for(source: Source, tmp_path: Path) -> None:
    one, few = exported(source, tmp_path / "1", "preference")
    more, many = exported(source, tmp_path / "9", "preference", pairs=9, plain=True, file_format="jsonl")
    assert counts(one)["used"] == counts(more)["used"] == len({row["sample_id"] for row in many}) == len(few)
    assert len(many) > len(few)
    assert {row["prompt"][-2:] for row in many} == {"\n\n"}


def test_a_dataset_of_one_answer_a_question_says_how_to_get_more(run: tuple[Path, Path], tmp_path: Path) -> None:
    root = Path(shutil.copytree(run[0], tmp_path / "root"))
    (record,) = root.glob("runs/*.json")
    told = orjson.loads(record.read_bytes())
    told["config"]["answer"]["samples"] = 1
    record.write_bytes(orjson.dumps(told))
    source = open_source(str(root / run[1].relative_to(run[0])))
    with pytest.raises(ConfigError, match=r"one answer a question(.|\n)*answer.samples=4"):
        form_of(Recipe("preference")).check(source, Recipe("preference"))


def test_pairs_whose_requests_were_removed_are_told_apart(run: tuple[Path, Path], tmp_path: Path) -> None:
    root = Path(shutil.copytree(run[0], tmp_path / "root"))
    assert main(["retention", str(root), "--days", "0"]) == 0
    source = open_source(str(root / run[1].relative_to(run[0])))
    out = LocalStore(str(tmp_path / "out"))
    from factory.errors import GateError

    with pytest.raises(GateError, match=r"not one row came through(.|\n)*requests_removed"):
        export(source, Recipe("preference"), out, "draft", processes=1)


def template() -> str:
    from factory.domains.config import DomainConfig
    from factory.export.template import read_template

    return read_template(None, DomainConfig(name="general"))


def test_a_document_stands_before_all_its_questions_with_their_answers(
    run: tuple[Path, Path], source: Source, tmp_path: Path
) -> None:
    made, rows = exported(source, tmp_path / "i", "interleaved", template=template())
    published = dataset_rows(str(run[1]))["train"].to_pylist()
    assert sorted(name for row in rows for name in row["sample_ids"]) == sorted(row["sample_id"] for row in published)
    of = {row["sample_id"]: row for row in published}
    for row in rows:
        document, said = row["text"][: row["document_characters"]], row["text"][row["document_characters"] :]
        assert all(part in TEXTS for part in document.split("\n\n"))
        assert row["pairs"] == len(row["sample_ids"])
        for name in row["sample_ids"]:
            assert sorted(of[name]["doc_ids"]) == row["doc_ids"]
            assert f"Question: {of[name]['question']}\n\nAnswer: {of[name]['answer']}" in said
            assert set(of[name]["licenses"]) <= set(row["licenses"])
            assert set(of[name]["duties"]) <= set(row["duties"])
    assert counts(made)["used"] == counts(made)["read"] == len(published)
    assert {"attribution"} <= {duty for row in rows for duty in row["duties"]}


def test_replies_that_led_to_published_rows_are_told_with_the_prompts_that_were_sent(
    run: tuple[Path, Path], source: Source, tmp_path: Path
) -> None:
    from factory.engine.api import Message, Request

    made, rows = exported(source, tmp_path / "g", "generator")
    published = dataset_rows(str(run[1]))["train"].to_pylist()
    sent = {
        request["request_id"]: request
        for step in ("extract", "question_1", "question_2", "question_3", "answer")
        for request in requests_below(run[0], step)
    }
    for row in rows:
        prompt = tuple(Message(turn["role"], turn["content"]) for turn in row["prompt"])
        request = sent[row["request_id"]]
        assert Request("", prompt).prompt_sha256() == request["prompt_sha256"]
        assert row["completion"][0]["content"] in {text.strip() for text in request["texts"]}
    of_step = Counter(row["step"] for row in rows)
    assert of_step["answer"] == len(published)
    answers = {row["question"]: row["answer"] for row in published}
    for row in rows:
        if row["step"] == "answer":
            question = next(text for text in answers if text in row["prompt"][-1]["content"])
            assert row["completion"][0]["content"] == answers[question], "the answer that won, and no loser"
        else:
            assert orjson.loads(row["completion"][0]["content"])
            assert orjson.loads(row["response_schema"])["type"] == "object"
    asked = {row["lineage"]["question_request_id"] for row in published}
    told = {row["request_id"] for row in rows if row["step"].startswith("question")}
    assert told <= asked
    assert of_step.keys() >= {"extract", "question_1", "question_2", "answer"}
    assert counts(made)["read"] == len(rows) + sum(counts(made)["left_out"].values())


def test_only_what_chosen_rows_rest_on_is_told(source: Source, tmp_path: Path) -> None:
    _, rows = exported(source, tmp_path / "g", "generator", where=("level=1",))
    assert {row["step"] for row in rows} == {"question_1", "answer"}


@pytest.fixture(scope="module")
def tokenizer() -> dict[str, Any]:
    found = named_tokenizer("smollm2")
    return {"tokenizer": found.name, "tokenizer_sha256": found.sha256, "tokenizer_at": found.folder}


@pytest.mark.parametrize("of", ["chat", "prompt_completion", "interleaved", "generator"])
def test_packed_rows_hold_whole_samples_that_can_be_told_apart(
    source: Source, tmp_path: Path, tokenizer: dict[str, Any], of: str
) -> None:
    keys = {"of": of, "length": 1024, "plain": of == "prompt_completion", **tokenizer}
    made, rows = exported(source, tmp_path / of, "packed", template=template(), **keys)
    from factory.export.tokenizing import loaded

    decode = loaded(tokenizer["tokenizer_at"]).decode
    end = loaded(tokenizer["tokenizer_at"]).eos_token
    facts = counts(made)["facts"]
    assert facts["samples"] == sum(len(row["seq_lengths"]) for row in rows)
    assert facts["tokens"] == sum(len(row["input_ids"]) for row in rows) == sum(row["tokens"] for row in rows)
    assert facts["padding"] == sum(1024 - len(row["input_ids"]) for row in rows)
    assert any(len(row["seq_lengths"]) > 1 for row in rows)
    for row in rows:
        assert sum(row["seq_lengths"]) == len(row["input_ids"]) <= 1024
        start = 0
        for number, length in enumerate(row["seq_lengths"], 1):
            inside = slice(start, start + length)
            assert row["position_ids"][inside] == list(range(length))
            assert set(row["segment_ids"][inside]) == {number}
            assert end in decode(row["input_ids"][inside][-2:])
            start += length
        learned = [token for token, label in zip(row["input_ids"], row["labels"], strict=True) if label != -100]
        assert learned == [label for label in row["labels"] if label != -100]
        assert (len(learned) == len(row["input_ids"])) == (of == "interleaved")


def test_packed_rows_of_chats_learn_what_the_assistant_says(
    run: tuple[Path, Path], source: Source, tmp_path: Path, tokenizer: dict[str, Any]
) -> None:
    from factory.export.tokenizing import loaded

    _, rows = exported(source, tmp_path / "packed", "packed", of="chat", length=512, pad=True, **tokenizer)
    decode = loaded(tokenizer["tokenizer_at"]).decode
    answers = {row["sample_id"]: row["answer"] for row in dataset_rows(str(run[1]))["train"].to_pylist()}
    for row in rows:
        assert len(row["input_ids"]) == sum(row["seq_lengths"]) == 512
        told = decode([label for label in row["labels"] if label != -100])
        assert told == "".join(f"{answers[name]}<|im_end|>\n" for name in row["sample_ids"])
        assert row["segment_ids"].count(0) == 512 - row["tokens"]


def test_what_is_longer_than_a_row_is_left_out_by_name_or_cut_when_told(
    source: Source, tmp_path: Path, tokenizer: dict[str, Any]
) -> None:
    whole, rows = exported(source, tmp_path / "w", "packed", of="chat", length=85, **tokenizer)
    longer = counts(whole)["left_out"]["longer_than_a_row"]
    assert longer == counts(whole)["read"] - sum(len(row["sample_ids"]) for row in rows) > 0
    cut, _ = exported(source, tmp_path / "c", "packed", of="chat", length=85, cut=True, **tokenizer)
    assert counts(cut)["facts"]["cut"] == longer
    assert not counts(cut)["left_out"]


@pytest.fixture(scope="module")
def trl() -> Any:
    return pytest.importorskip("trl.data_utils", reason="TRL is not installed")


def test_trl_takes_every_form_as_what_it_is(
    source: Source, tmp_path: Path, tokenizer: dict[str, Any], trl: Any
) -> None:
    from datasets import Dataset

    from factory.export.tokenizing import loaded

    of = loaded(tokenizer["tokenizer_at"])
    forms: dict[str, set[str]] = {
        "chat": {"text"},
        "prompt_completion": {"prompt", "completion"},
        "preference": {"prompt", "chosen", "rejected"},
    }
    for form, expected in forms.items():
        _, rows = exported(source, tmp_path / form, form)
        trained = Dataset.from_list(rows).select_columns([*({"messages"} if form == "chat" else expected)])
        assert trl.is_conversational(trained[0]), form
        rendered = trained.map(trl.maybe_apply_chat_template, fn_kwargs={"processing_class": of})
        assert expected <= set(rendered.column_names), form
        assert not trl.is_conversational({name: rendered[0][name] for name in expected})
    _, plain = exported(source, tmp_path / "plain", "prompt_completion", plain=True)
    assert not trl.is_conversational({name: plain[0][name] for name in ("prompt", "completion")})


def test_trl_packs_no_tighter_and_reads_our_packed_rows_apart(
    source: Source, tmp_path: Path, tokenizer: dict[str, Any], trl: Any
) -> None:
    """Its own best-fit decreasing, over the same samples, and its padding-free collator over our rows."""
    from datasets import Dataset

    sft = pytest.importorskip("trl.trainer.sft_trainer", reason="TRL's trainer cannot be imported here")
    _, rows = exported(source, tmp_path / "packed", "packed", of="chat", length=512, **tokenizer)
    samples = [
        row["input_ids"][sum(row["seq_lengths"][:place]) : sum(row["seq_lengths"][: place + 1])]
        for row in rows
        for place in range(len(row["seq_lengths"]))
    ]
    theirs = trl.pack_dataset(Dataset.from_dict({"input_ids": samples}), seq_length=512, strategy="bfd")
    assert len(theirs) == len(rows)
    collated = sft.DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)(rows[:2])
    positions = [place for row in rows[:2] for place in row["position_ids"]]
    assert collated["position_ids"].flatten().tolist() == positions
    firsts = [place for place, position in enumerate(positions) if position == 0]
    assert collated["cu_seq_lens_q"].tolist() == [*firsts, len(positions)]


def test_the_command_makes_every_form(
    run: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = ["packed", "--of", "interleaved", "--tokenizer", "smollm2", "--length", "700"]
    for form in (["preference", "--by", "majority"], ["interleaved"], ["generator"], packed):
        out = str(tmp_path / form[0])
        assert main(["export", str(run[1]), "--as", *form, "--out", out, "--require", "any", "--processes", "1"]) == 0
        assert orjson.loads(capsys.readouterr().out.splitlines()[-1])["rows"] > 0
        assert main(["verify", out, "--root", str(run[0])]) == 0
    for wrong, said in (
        (["packed", "--of", "chat"], "--tokenizer NAME"),
        (["packed", "--of", "preference"], "cannot be packed"),
        (["pack"], "did you mean packed"),
    ):
        assert main(["export", str(run[1]), "--as", *wrong, "--out", str(tmp_path / "x"), "--require", "any"]) == 2
        assert said in capsys.readouterr().err


def test_a_mix_is_exported_as_chats_and_refused_where_a_run_is_needed(run: tuple[Path, Path], tmp_path: Path) -> None:
    from factory.mix.job import make
    from tests.mix.planted import config, pairs, write

    people = write(tmp_path / "h.jsonl", pairs(130, license="CC-BY-4.0"))
    parts = [
        {"name": "synth", "role": "synthetic", "paths": [str(run[1])]},
        {"name": "people", "role": "human", "paths": [people]},
    ]
    mixed = LocalStore(str(tmp_path / "mixed"))
    prefix = make(config(Path(mixed.root), parts, mix={"require": "any"}), mixed).prefix
    source = open_source(f"{mixed.root}/{prefix}")
    manifest: Manifest = source.manifest
    _, rows = exported(source, tmp_path / "chat", "chat")
    assert len(rows) == manifest["totals"]["rows"]
    assert {(row["role"], row["synthetic"], bool(row["digital_source_type"])) for row in rows} == {
        ("human", False, False),
        ("synthetic", True, True),
    }
    with pytest.raises(ConfigError, match="a mix cannot be exported as preference"):
        form_of(Recipe("preference")).check(source, Recipe("preference"))


def test_rows_come_out_the_same_however_many_files_they_are_gathered_from(source: Source, tmp_path: Path) -> None:
    """Two shards instead of one: the same pairs, in files of their own."""
    from factory.export.gather import deal, gathered, parts_of
    from factory.export.source import ShardOf

    table = pa.table({"file": ["a", "b", "a", "c", "b"], "row": [0, 1, 2, 3, 4]})
    parts = parts_of(str(tmp_path), [ShardOf("train", "x", 3), ShardOf("train", "y", 2), ShardOf("test", "z", 0)])
    assert [(part.split, part.number, part.parts) for part in parts] == [
        ("train", 0, 2),
        ("train", 1, 2),
        ("test", 0, 1),
    ]
    halves = (table.slice(0, 3), table.slice(3))
    for part, rows in zip(parts, halves, strict=False):
        deal(part, rows, rows.column("file").to_pylist(), {"where": part.number})
    found = [gathered(part) for part in parts[:2]]
    held = [set(each.column("file").to_pylist()) if each else set() for each, _, _ in found]
    assert not held[0] & held[1]
    assert held[0] | held[1] == {"a", "b", "c"}
    for each, read, left_out in found:
        rows = each.column("row").to_pylist() if each else []
        assert rows == sorted(rows)
        assert read == len(rows) + sum(left_out.values())
    assert replace(parts[0], number=1) == parts[1]
