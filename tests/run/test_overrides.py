"""What a command line may say: plain, as a sweep, or only to be printed, mistakes are answered alike."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.errors import ConfigError
from factory.run.command import main
from factory.run.compose import CONF, compose
from factory.run.overrides import sweep_points
from factory.sweep.points import points_of
from tests.runs import REPOSITORY, Finished, environment


def run_in(folder: Path, *arguments: str) -> Finished:
    done = subprocess.run(
        [sys.executable, "-m", "jobs.run", *arguments],
        cwd=folder,
        env={**environment(), "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


MISTAKES = [
    ("sedd=1", "did you mean `seed`"),
    ("preset=dmeo", "choose one of: demo, paper, production"),
    ("storr=local", "storr"),
    ("--cgf=job", "did you mean `--cfg`"),
    ("--limit=5", "write limit=VALUE"),
    ("seed", "write seed=VALUE"),
    ("corpus.paths=[a", "put the whole item into quotes"),
    ("model=null", "choose one of: custom, smollm2"),
    ("hydra.sweep.dir=x", "Hydra's own settings have no effect"),
]


@pytest.mark.parametrize("way", [[], ["-m"], ["--multirun"], ["--cfg", "job"]])
@pytest.mark.parametrize(("mistake", "said"), MISTAKES)
def test_a_mistake_is_answered_alike_however_the_command_is_meant(
    way: list[str], mistake: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*way, mistake]) == 2
    error = capsys.readouterr().err
    assert error.startswith("ConfigError: ")
    assert said in error
    assert "HYDRA_FULL_ERROR" not in error
    assert "Traceback" not in error


@pytest.mark.parametrize("item", ["seed=1,2", "preset=demo,paper", "seed=range(1,4)", "seed=choice(1,2)"])
def test_several_values_without_a_sweep_are_said_to_need_one(item: str) -> None:
    with pytest.raises(ConfigError, match=r"add -m to `python -m jobs\.run`"):
        compose([item])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("publish.version=v2", "publish.version=v3"),
        ("preset=demo", "preset=paper"),
        ("seed=1", "+seed=2"),
        ("limit=null", "limit=5"),
    ],
)
def test_a_key_given_twice_with_different_values_is_refused_and_both_are_named(first: str, second: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose([first, "select.unit_rows=9", second])
    assert f"given twice: {first} and {second}" in str(caught.value)


def test_two_values_of_a_key_are_advised_a_sweep_only_where_a_sweep_takes_them() -> None:
    with pytest.raises(ConfigError, match=r"`-m seed=A,B` runs both"):
        compose(["seed=1", "seed=2"])
    for key, first, second in (("store.root", "/a", "/b"), ("cluster.cpus", 1, 2), ("observe.logs", "text", "json")):
        with pytest.raises(ConfigError, match=r"for both start a command for each") as caught:
            compose([f"{key}={first}", f"{key}={second}"])
        assert "runs both" not in str(caught.value)
        with pytest.raises(ConfigError, match="the points of a sweep have different keys of"):
            points_of(["engine=scripted", f"{key}={first},{second}"])


def test_a_key_given_once_is_not_given_twice_though_nan_differs_from_itself() -> None:
    with pytest.raises(ConfigError, match="finite number"):
        compose(["preset=demo", "walk.coverage_exponent=nan"])


def test_a_key_given_twice_with_the_same_value_is_one() -> None:
    assert compose(["seed=3", "seed=3"]).seed == 3


def test_a_bad_point_is_found_before_the_first_one_runs(tmp_path: Path) -> None:
    root = tmp_path / "root"
    done = run_in(tmp_path, "-m", "preset=demo", "engine=scripted", f"store.root={root}", "seed=1,-1")
    assert done.code == 2
    assert "seed: Input should be greater than or equal to 0" in done.stderr
    assert not root.exists()


def test_a_sweep_runs_every_point_and_leaves_no_file_in_the_working_directory(tmp_path: Path) -> None:
    here, root = tmp_path / "here", tmp_path / "root"
    here.mkdir()
    done = run_in(
        here, "-m", "preset=demo", "corpus=files", "corpus.paths=[/no/such]", f"store.root={root}", "seed=1,2"
    )
    assert done.code == 3
    assert "point 1 of 2: seed=1" in done.stderr
    assert "point 2 of 2: seed=2" in done.stderr
    assert done.stderr.count("\nCorpusError: ") == 2  # and both are named again at the end
    assert list(here.iterdir()) == []


def test_a_printed_configuration_is_what_was_asked_for_and_leaves_no_file(tmp_path: Path) -> None:
    done = run_in(tmp_path, "--cfg", "job", "seed=5", "store.root=/x")
    assert done.code == 0, done.stderr
    assert "\nseed: 5\n" in done.stdout
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True), min_size=1, max_size=3))
def test_a_sweep_has_one_point_for_every_combination(values: list[list[int]]) -> None:
    keys = ("seed", "limit", "select.unit_rows")[: len(values)]
    items = [f"{key}={','.join(map(str, each))}" for key, each in zip(keys, values, strict=True)]
    points = sweep_points(items, CONF)
    expected = 1
    for each in values:
        expected *= len(each)
    assert len({tuple(point) for point in points}) == len(points) == expected
    assert points[0] == [f"{key}={each[0]}" for key, each in zip(keys, values, strict=True)]


def test_globs_choose_among_the_options_of_a_group() -> None:
    assert sweep_points(["preset=glob(p*)"], CONF) == [["preset=paper"], ["preset=production"]]
    with pytest.raises(ConfigError, match="list them"):
        sweep_points(["seed=interval(1,2)"], CONF)
    with pytest.raises(ConfigError, match="is itself a sweep"):
        sweep_points(["seed=choice(choice(0),0)"], CONF)
