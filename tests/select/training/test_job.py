"""The whole training job as a user runs it: scripted engine, a corpus of mathematics and gardens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from factory.corpus.documents import document_id
from factory.engine.scripted import WELL_BEHAVED, from_extra
from factory.select.selector_artefact import load_scorer, read_manifest
from factory.store.local import LocalStore
from tests.model_server import KEY, ModelServer
from tests.runs import REPOSITORY, Finished, end_of_ray, environment, run_factory, train_selector, training_command
from tests.select.training.texts import RELEVANT, garden_text, maths_text, row, write_mixed

DOCUMENTS = 150
RATES = f"+engine.extra.relevant={RELEVANT}"
NO_MODEL = ("training.documents=0", "training.negatives=0")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mixed(tmp_path_factory.mktemp("corpus"), DOCUMENTS)


@pytest.fixture(scope="module")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished]:
    root = tmp_path_factory.mktemp("root")
    return root, train_selector(corpus, str(root), [RATES])


def manifest(result: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(Path(result["path"], "manifest.json").read_text())
    return values


def refused(corpus: Path, tmp_path: Path, *extra: str) -> Finished:
    failed = train_selector(corpus, str(tmp_path / "root"), extra, check=False)
    assert failed.code != 0, failed.stdout
    assert "Traceback" not in failed.stderr
    assert "what to do:" in failed.stderr
    return failed


def test_the_selector_that_comes_out_knows_its_field(trained: tuple[Path, Finished]) -> None:
    root, finished = trained
    result = finished.result
    prefix = Path(result["path"]).relative_to(root).as_posix()
    store = LocalStore(str(root))
    assert read_manifest(store, prefix, sha256=result["sha256"]).fingerprint == result["fingerprint"]
    scorer = load_scorer(store, prefix)
    maths = scorer.score([maths_text(number) for number in range(900, 920)])
    gardens = scorer.score([garden_text(number) for number in range(900, 920)])
    assert min(maths) > max(gardens)
    assert sum(score >= 6.5 for score in maths) >= 18
    assert sum(score >= 6.5 for score in gardens) <= 2


def test_the_manifest_tells_each_iteration(trained: tuple[Path, Finished]) -> None:
    _, finished = trained
    found = manifest(finished.result)
    assert [entry["iteration"] for entry in found["iterations"]] == [0, 1, 2]
    for entry in found["iterations"]:
        assert entry["documents"] == DOCUMENTS == sum(entry["histogram"].values())
        above = sum(count for edge, count in entry["histogram"].items() if float(edge) >= 6.5)
        assert entry["kept"] == above
    cold, first, second = found["iterations"]
    assert set(cold["examples"]) == {"cold_start_positive", "corpus_negative"}
    assert set(first["examples"]) == set(second["examples"]) == {"rated"}
    assert second["examples"]["rated"] > first["examples"]["rated"]
    assert second["kept_before"] == first["kept"]
    assert 0 <= second["overlap"] <= 1
    asked = [stage for entry in found["iterations"] for stage in entry["asked"].items()]
    assert [name for name, _ in asked] == ["write_documents", "rate_1_model", "rate_2_model"]
    assert sum(stage["requests"] for _, stage in asked) == finished.result["requests"] == 140
    assert found["domain"] == "maths"
    assert found["raters"]["model"]["prompt_id"]
    assert "written by" in found["licence_notes"][0]


def test_the_figures_are_those_of_held_out_documents_and_the_report_shows_them(
    trained: tuple[Path, Finished],
) -> None:
    _, finished = trained
    found, metrics = manifest(finished.result), finished.result["metrics"]
    assert metrics["held_out"] == found["held_out"]["by_origin"]["rated"]
    assert metrics["precision"] >= 0.8
    assert metrics["recall"] >= 0.8
    measured = [entry["metrics"]["examples"] for entry in found["iterations"]]
    assert measured == [metrics["held_out"]] * 3, "one yardstick for all iterations"
    report = Path(finished.result["report"]).read_text()
    assert found["fingerprint"] in report
    assert "Held-out examples" in report
    assert "matrix" in report, "the words it keys on"


def test_no_held_out_document_was_learnt_from(trained: tuple[Path, Finished]) -> None:
    _, finished = trained
    import pyarrow.parquet as pq

    rows = pq.read_table(Path(finished.result["path"], "ratings.parquet")).to_pylist()
    found = manifest(finished.result)
    assert len(rows) == found["training"]["examples"] + found["held_out"]["examples"]
    assert len({one["doc_id"] for one in rows}) == len(rows)
    assert found["held_out"]["examples"] > 5


def test_the_same_command_again_does_nothing_and_says_so(corpus: Path, trained: tuple[Path, Finished]) -> None:
    root, finished = trained
    again = train_selector(corpus, str(root), [RATES])
    assert "nothing to do" in again.stderr
    assert again.result["already_finished"]
    assert again.result["requests"] == 0
    unchanged = ("job", "fingerprint", "path", "sha256", "report", "metrics")
    assert {name: again.result[name] for name in unchanged} == {name: finished.result[name] for name in unchanged}


def test_a_lost_record_costs_no_request(corpus: Path, trained: tuple[Path, Finished]) -> None:
    root, finished = trained
    (root / "runs" / f"{finished.result['job']}.json").unlink()
    again = train_selector(corpus, str(root), [RATES]).result
    assert not again["already_finished"]
    assert (again["requests"], again["sha256"]) == (0, finished.result["sha256"])


def test_more_documents_pay_only_for_the_new_ones(corpus: Path, trained: tuple[Path, Finished]) -> None:
    root, _ = trained
    more = train_selector(corpus, str(root), [RATES, "training.documents=48", "training.iterations=0"]).result
    assert more["requests"] == 8


@pytest.mark.slow
@pytest.mark.parametrize("step", ["write_documents", "rate_documents"])
def test_killed_in_the_middle_the_same_command_pays_for_nothing_twice(
    step: str, corpus: Path, trained: tuple[Path, Finished], tmp_path: Path
) -> None:
    slow = [RATES, "engine.scripted_latency_s=6", "engine.units_in_flight=1"]
    process = subprocess.Popen(
        training_command(corpus, str(tmp_path), slow),
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 300
    while len(list(tmp_path.glob(f"steps/{step}-*/commits/*/*.json"))) < 2:
        assert process.poll() is None, process.communicate()[1][-2000:]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    ray = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    end_of_ray(ray)
    paid = 0
    for path in tmp_path.glob("steps/*/commits/*/*.json"):
        paid += int(json.loads(path.read_text())["ledger"].get("requests", 0))
    assert 16 <= paid < 140
    resumed = train_selector(corpus, str(tmp_path), [RATES]).result
    _, undisturbed = trained
    assert resumed["requests"] == undisturbed.result["requests"] - paid
    assert resumed["sha256"] == undisturbed.result["sha256"], "the same selector as without a kill"
    assert train_selector(corpus, str(tmp_path), [RATES]).result["requests"] == 0


def ratings_csv(path: Path, *, text: bool = False, score: Any = None, count: int = DOCUMENTS) -> Path:
    """Ratings by origin, by document id, or with the text itself for documents that no corpus holds."""
    lines = ["text,score" if text else "doc_id,score"]
    for number in range(count):
        one = row(number + (5000 if text else 0), number % 3 == 0)["text"]
        named = '"' + one + '"' if text else document_id(one)
        given = score if score is not None else (10 if number % 3 == 0 else 1)
        lines.append(f"{named},{given}")
    path.write_text("\n".join(lines) + "\n")
    return path


def by_people(path: Path) -> str:
    return f"training.raters=[{{name: people, kind: file, path: '{path}'}}]"


@pytest.mark.parametrize("text", [False, True])
def test_ratings_from_a_file_need_no_model_at_all(text: bool, corpus: Path, tmp_path: Path) -> None:
    people = by_people(ratings_csv(tmp_path / "people.csv", text=text))
    no_model = ["engine=openai", "engine.base_url=http://127.0.0.1:9/v1", "model.id=nowhere/nothing"]
    result = train_selector(corpus, str(tmp_path / "root"), [*NO_MODEL, *no_model, people]).result
    found = manifest(result)
    assert result["requests"] == 0
    said = found["raters"]["people"]
    assert (said["kind"], said["ratings"], said["used"], said["unmatched"]) == ("file", 150, 150, 0)
    assert said["by_rater"] == {"people": 150}
    assert found["training"]["by_origin"] == {"rated": found["training"]["examples"]}
    assert found["training"]["examples"] + found["held_out"]["examples"] == 150
    (entry,) = found["iterations"]
    assert 45 <= entry["kept"] <= 55


def test_your_own_positives_take_the_place_of_written_ones(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    for number in range(40):
        (tmp_path / "own" / f"{number}.txt").write_text(maths_text(7000 + number))
    extra = ["training.documents=0", "training.iterations=0", f"training.positives.paths=[{tmp_path / 'own'}]"]
    result = train_selector(corpus, str(tmp_path / "root"), extra).result
    found = manifest(result)
    assert result["requests"] == 0
    origins = found["training"]["by_origin"]
    assert set(origins) == {"user_positive", "corpus_negative"}
    assert origins["user_positive"] + found["held_out"]["by_origin"]["user_positive"] == 40


def test_an_endpoint_and_people_are_compared_with_the_model(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two models rate the same documents, one in this cluster and one behind a server."""
    monkeypatch.setenv("JUDGE_KEY", KEY)
    behind = from_extra("served", {"relevant": ["matrix", "integral"], "shares": vars(WELL_BEHAVED)}, 0, None)
    with ModelServer(behind) as server:
        judge = (
            "{name: judge, model: {id: served, license: Apache-2.0, output_terms: none}, "
            f"engine: {{kind: openai, base_url: '{server.base_url}', api_key_env: JUDGE_KEY}}}}"
        )
        raters = f"training.raters=[{{name: model}}, {judge}]"
        extra = [RATES, raters, "training.compare=20", "training.iterations=1", "training.carry_cold_start=true"]
        result = train_selector(corpus, str(tmp_path), extra).result
        assert server.seen["answered"] == 20 + 2, "the documents compared, and one to see that it answers, twice"
    found = manifest(result)
    assert result["requests"] == 40 + 50 + 20
    assert found["raters"]["judge"]["engine"] == "openai"
    assert found["training"]["by_rater"].keys() == {"model"} or found["training"]["by_rater"]["model"] > 30
    assert KEY not in "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*.json"))


def judge_at(url: str, **engine: str) -> str:
    stated = "".join(f", {key}: {value}" for key, value in engine.items())
    model = "{id: served, license: Apache-2.0, output_terms: none}"
    return f"training.raters=[{{name: judge, model: {model}, engine: {{kind: openai, base_url: '{url}'{stated}}}}}]"


@pytest.mark.parametrize(
    ("raters", "code", "said"),
    [
        ([judge_at("http://127.0.0.1:9/v1")], 5, "the rater judge: http://127.0.0.1:9/v1 did not answer"),
        ([judge_at("http://127.0.0.1:9/v1", api_key_env="NO_SUCH_KEY")], 2, "NO_SUCH_KEY is not set"),
        ([judge_at("ftp://127.0.0.1/v1")], 2, "begins with http:// or https://"),
        (["engine=openai", "engine.base_url=http://127.0.0.1:9/v1"], 5, "the writer: http://127.0.0.1:9/v1 did not"),
    ],
)
def test_an_endpoint_that_cannot_answer_is_named_before_anything_starts(
    raters: list[str], code: int, said: str, corpus: Path, tmp_path: Path
) -> None:
    failed = refused(corpus, tmp_path, *raters)
    assert said in failed.stderr
    assert failed.code == code
    assert not (tmp_path / "root" / "steps").exists()


ADDRESS = "jane.doe@acme.org"


def everything_in(root: Path) -> str:
    """Whatever a store holds, as text; tables decompressed."""
    import pyarrow.parquet as pq

    said = []
    for path in (path for path in root.rglob("*") if path.is_file()):
        if path.suffix == ".parquet" or path.read_bytes()[:4] == b"PAR1":
            said.append(str(pq.read_table(path).to_pylist()))
        else:
            said.append(path.read_bytes().decode(errors="replace"))
    return "\n".join(said)


def test_nothing_that_the_job_stores_holds_personal_data(corpus: Path, tmp_path: Path) -> None:
    """Texts rated, own positives, and the raters' names; ratings are found by the texts as they came."""
    (tmp_path / "own").mkdir()
    for number in range(30):
        (tmp_path / "own" / f"{number}.txt").write_text(f"{maths_text(7000 + number)} Ask {ADDRESS}.")
    lines = ["text,score,rater"]
    for number in range(60):
        text = f"{row(number + 5000, number % 3 == 0)['text']} Ask {ADDRESS}."
        lines.append(f'"{text}",{10 if number % 3 == 0 else 1},ann{number % 2}.lee@acme.org')
    (tmp_path / "r.csv").write_text("\n".join(lines) + "\n")
    extra = [*NO_MODEL, f"training.positives.paths=[{tmp_path / 'own'}]", by_people(tmp_path / "r.csv")]
    result = train_selector(corpus, str(tmp_path / "root"), extra).result
    stored = everything_in(tmp_path / "root")
    assert "Ask <EMAIL>." in stored
    assert "acme.org" not in stored
    said = manifest(result)["raters"]["people"]
    assert (said["ratings"], said["used"]) == (60, 60)
    assert said["by_rater"] == {"<EMAIL> 1": 30, "<EMAIL> 2": 30}
    report = Path(result["report"]).read_text()
    assert "by &lt;EMAIL&gt; 1 (30), &lt;EMAIL&gt; 2 (30)" in report
    rejecting = train_selector(
        corpus, str(tmp_path / "two"), [*extra[:2], by_people(named(tmp_path, lines)), REJECTING]
    )
    assert "acme.org" not in everything_in(tmp_path / "two")
    said = manifest(rejecting.result)["raters"]["people"]
    assert (said["left_out"], said["used"]) == ({"pii": 60}, 150)
    assert "60 of 210 left out, their texts are pii" in rejecting.stderr


REJECTING = "select.pii.action=reject"


def named(folder: Path, lines: list[str]) -> Path:
    """The ratings of `lines` and those of documents without personal data."""
    clean = [
        f'"{row(number + 9000, number % 3 == 0)["text"]}",{10 if number % 3 == 0 else 1},bob' for number in range(150)
    ]
    path = folder / "more.csv"
    path.write_text("\n".join([*lines, *clean]) + "\n")
    return path


def test_ratings_that_meet_no_document_are_said(corpus: Path, tmp_path: Path) -> None:
    path = ratings_csv(tmp_path / "r.csv")
    path.write_text(path.read_text() + "".join(f"{number:032x},5\n" for number in range(30)))
    finished = train_selector(corpus, str(tmp_path / "root"), [*NO_MODEL, by_people(path)])
    line = "30 of 180 met no document that the filters left"
    assert finished.stderr.count(line) == 1
    said = manifest(finished.result)["raters"]["people"]
    assert (said["ratings"], said["used"], said["unmatched"]) == (180, 150, 30)
    assert line in Path(finished.result["report"]).read_text()


def test_the_selector_serves_a_run(corpus: Path, trained: tuple[Path, Finished], tmp_path: Path) -> None:
    _, finished = trained
    selector = [
        f"select.selector.path={finished.result['path']}",
        f"select.selector.sha256={finished.result['sha256']}",
    ]
    result = run_factory(corpus, str(tmp_path), ["domain=maths", *selector]).result
    done = json.loads((tmp_path / "runs" / result["run"] / "select.done.json").read_text())
    assert done["counts"]["inputs"] == DOCUMENTS
    assert 40 <= done["counts"]["used"] <= 60, "the documents about mathematics, every third"


def test_an_all_negative_training_set_is_refused(corpus: Path, tmp_path: Path) -> None:
    failed = refused(corpus, tmp_path, *NO_MODEL, by_people(ratings_csv(tmp_path / "r.csv", score=2)))
    assert failed.code == 2
    assert "0 positive examples" in failed.stderr


def test_ratings_of_documents_that_are_not_there_are_refused(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("doc_id,score\n" + "".join(f"{number:032x},5\n" for number in range(30)))
    failed = refused(corpus, tmp_path, *NO_MODEL, by_people(tmp_path / "r.csv"))
    assert failed.code == 2
    assert "none of the 30 documents rated in" in failed.stderr


def test_a_corpus_of_which_nothing_passes_is_refused(corpus: Path, tmp_path: Path) -> None:
    failed = refused(corpus, tmp_path, "select.min_characters=100000")
    assert failed.code == 2
    assert f"{DOCUMENTS} rows were read, none passed (too_short {DOCUMENTS})" in failed.stderr


def test_an_empty_corpus_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "a.jsonl").write_text("")
    assert refused(tmp_path / "c", tmp_path).code == 3


def test_a_syllabus_with_an_unknown_key_is_refused_before_anything_starts(corpus: Path, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "pack.yaml").write_text("extends: general\nname: own\ndescription: Own.\n")
    (pack / "syllabus.yaml").write_text("disiplines: []\ngenres: []\n")
    failed = refused(corpus, tmp_path, f"domain.path={pack}")
    assert failed.code == 2
    assert "unknown key `disiplines`; did you mean `disciplines`?" in failed.stderr
    assert not (tmp_path / "root" / "steps").exists()


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("training.iteration=3", "did you mean `training.iterations`"),
        ("training.threshold=11", "training.threshold: Input should be less than or equal to 10"),
        ("training.documents=0", "nothing says what the domain is"),
        ("training.raters=[{name: a, kind: file}]", "the rater a is a file and needs a path"),
        ("training.raters=[{name: a, pth: x}]", "unknown key; did you mean `path`?"),
        ("training.raters=[{name: a}, {name: a}]", "have the same name"),
        ("training.rate.samples=3", "temperature above 0"),
        ("training.rate.excerpt_characters=9000", "above max_model_len=2048 of the rater model"),
        ("domain=math", "choose one of: biomedical, code, computer_science, education, general, maths"),
    ],
)
def test_a_mistake_is_named_by_its_key(override: str, said: str) -> None:
    from factory.errors import ConfigError
    from factory.run.compose import compose_entry
    from factory.select.training.command import TRAIN

    with pytest.raises(ConfigError) as caught:
        compose_entry(TRAIN, ["store.root=/tmp/x", override])
    assert said in str(caught.value)


def test_help_lists_the_keys() -> None:
    done = subprocess.run(
        [*training_command(Path("x"), "y")[:3], "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert "training.threshold (default 6.5)" in done.stdout
    assert "training.rate.sampling.temperature (default 0.0)" in done.stdout
