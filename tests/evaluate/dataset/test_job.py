"""The command: from a dataset's address to a page and a JSON beside it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import orjson
import pytest

from factory.errors import ConfigError, StoreError
from factory.evaluate.dataset import sections
from factory.evaluate.dataset.command import main, unknown
from factory.evaluate.dataset.config import EvaluateConfig
from factory.evaluate.dataset.figures import Figure, Section
from factory.evaluate.dataset.job import digest_of_files
from factory.publish.locate import open_dataset
from factory.store.local import LocalStore
from tests.evaluate.dataset.planted import diverse
from tests.evaluate.dataset.published import publish, put_corpus, row_of

PLAIN = [
    "intrinsic.embeddings.model=words",
    "intrinsic.perplexity.model=null",
    "intrinsic.window=100",
    "sections=[intrinsic]",
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    store = LocalStore(str(tmp_path_factory.mktemp("job")))
    put_corpus(store, diverse(20, seed=9))
    return publish(store, [row_of(number, text, text) for number, text in enumerate(diverse(300))])


def closing(captured: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(captured.readouterr().out.splitlines()[-1])
    return found


def test_the_report_lies_beside_the_dataset_and_the_dataset_is_untouched(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted((info.key, info.etag) for info in open_dataset(address).list(""))
    real = tmp_path / "real.jsonl"
    real.write_text("\n".join(json.dumps({"body": text}) for text in diverse(30, seed=4)))
    assert main([f"dataset={address}", f"real={real}", "real_columns.text=body", *PLAIN]) == 0
    said = closing(capsys)
    page = Path(str(said["report"]))
    assert page.parent.parent == Path(address).parent / "records" / "v1"
    assert page.parent.name == f"evaluation-{said['evaluation']}"
    written = orjson.loads(Path(str(said["json"])).read_bytes())
    assert written["rows"] == 300
    assert next(each["title"] for each in written["sections"][0]["tables"]) == "Beside the real data"
    assert said["unknown"] == []
    assert sorted((info.key, info.etag) for info in open_dataset(address).list("")) == before


def test_another_seed_is_another_evaluation_and_the_same_command_the_same(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = []
    for seed in (17, 17, 18):
        assert main([f"dataset={address}", f"seed={seed}", *PLAIN]) == 0
        names.append(closing(capsys)["evaluation"])
    assert names[0] == names[1] != names[2]


def test_other_held_out_documents_under_the_same_name_are_another_evaluation(address: str, tmp_path: Path) -> None:
    held_out = tmp_path / "held_out.jsonl"
    digests = []
    for seed in (1, 2):
        held_out.write_text("".join(json.dumps({"text": text}) + "\n" for text in diverse(5, seed=seed)))
        values = {"dataset": address, "sections": ("privacy",), "privacy": {"held_out": str(held_out)}}
        config = EvaluateConfig.model_validate(values)
        digests.append(digest_of_files(config, None))
    assert digests[0] != digests[1]
    held_out.unlink()
    with pytest.raises(ConfigError, match=r"privacy\.held_out="):
        digest_of_files(config, None)


def test_a_section_that_fails_is_told_and_the_others_are_there(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sections.MODULES, "privacy", "factory.evaluate.no_such_module")
    given = [item for item in PLAIN if not item.startswith("sections")]
    command = [f"dataset={address}", f"out={tmp_path}", *given, "sections=[intrinsic,privacy]"]
    assert main(command) == 0
    written = orjson.loads((tmp_path / "evaluation.json").read_bytes())
    assert [each["name"] for each in written["sections"]] == ["intrinsic", "privacy"]
    assert "no_such_module" in written["sections"][1]["notes"][0]
    assert written["sections"][0]["figures"]
    assert "no_such_module" in (tmp_path / "evaluation.html").read_text()
    said = closing(capsys)
    assert said["unknown"] == ["privacy"]
    assert list(said["failed"]) == ["privacy"]  # type: ignore[call-overload]
    assert "no_such_module" in said["failed"]["privacy"]  # type: ignore[index]


def test_a_dataset_that_was_changed_is_not_measured(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "v1"
    shutil.copytree(address, copy)
    shard = copy / "data" / "train-00001-of-00002.parquet"
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 1
    shard.write_bytes(data)
    assert main([f"dataset={copy}", f"out={tmp_path / 'report'}", *PLAIN]) == StoreError.exit_code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "train-00001-of-00002.parquet" in captured.err
    assert not (tmp_path / "report" / "evaluation.json").exists()


def test_figures_of_all_rows_have_no_interval_and_those_of_a_sample_one(address: str, tmp_path: Path) -> None:
    for size, sampled in ((300, False), (100, True)):
        assert main([f"dataset={address}", f"out={tmp_path}", *PLAIN, f"intrinsic.self_bleu={size}"]) == 0
        written = orjson.loads((tmp_path / "evaluation.json").read_bytes())
        figures = {each["name"]: each for each in written["sections"][0]["figures"]}
        assert figures["question: self-BLEU"]["sampled"] is sampled
        assert (figures["question: self-BLEU"]["low"] is not None) is sampled
        assert figures["question: dispersion"]["low"] is None


@pytest.mark.parametrize(
    ("argument", "named"),
    [("columns=[questoin]", "questoin"), ("strata=[topic]", "topic"), ("intrinsic.self_blue=5", "self_bleu"),
     ("real=/nowhere/at/all", "/nowhere/at/all"),
     ("privacy.held_out=/misspelt", "privacy.held_out=/misspelt")],
)  # fmt: skip
def test_slips_are_found_before_anything_is_measured(
    address: str, argument: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sections = "sections=[intrinsic,privacy]"
    assert main([f"dataset={address}", *PLAIN[:-1], sections, argument]) == ConfigError.exit_code
    captured = capsys.readouterr()
    assert named in captured.err
    assert "counting" not in captured.err
    assert captured.out == ""


def test_a_copied_dataset_needs_a_place_for_its_report(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "somewhere"
    shutil.copytree(address, copy)
    assert main([f"dataset={copy}", *PLAIN]) == ConfigError.exit_code
    assert "out=DIR" in capsys.readouterr().err
    assert main([f"dataset={copy}", f"out={tmp_path / 'report'}", *PLAIN]) == 0
    said = closing(capsys)
    assert said["unknown"] == ["question: coverage of the source corpus"]


def test_help_lists_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "intrinsic.self_bleu (default 1000)" in capsys.readouterr().out


def test_a_section_that_measured_nothing_is_unknown_by_its_own_name() -> None:
    assert unknown(Section("utility", "Utility", "", notes=("labels do not overlap",))) == ["utility"]
    assert unknown(Section("review", "Review", "", (Figure("accepted", None, "", why="nobody"),))) == ["accepted"]


def test_a_column_of_utility_that_is_not_there_is_refused_by_its_key_before_anything_is_measured(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [f"dataset={address}", "sections=[utility]", f"out={tmp_path}"]
    for key in ("utility.label", "utility.text"):
        assert main([*given, f"{key}=nowhere"]) == ConfigError.exit_code
        assert f"a misspelt column in {key}" in capsys.readouterr().err
