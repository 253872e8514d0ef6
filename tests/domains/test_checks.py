"""checks.py of a pack: what it may define, and that nothing in it ends a run."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from factory.answers.check import check_step
from factory.answers.config import AnswerConfig
from factory.answers.verify.config import VerifyConfig
from factory.answers.verify.decide import verify_answer
from factory.answers.verify.pack import ERROR, pack_verdict, pack_verdicts
from factory.curate.sketch import sketch_step
from factory.domains.checks import Checks, FinalAnswer, Question, Sample
from factory.domains.config import DomainConfig
from factory.domains.pack import Pack, load_pack
from factory.errors import ConfigError
from factory.publish.gates.own import look
from factory.publish.gates.step import gate_step
from factory.run.compose import compose
from tests.runs import REPOSITORY

IMPORTS = "from factory.domains.checks import FinalAnswer, Gate, Question, Sample, Verdict\n"
VERIFY = """
def verify(question, answers):
    return [Verdict("yes" if answer.final == "42" else "no", evidence={"level": question.level}) for answer in answers]
"""
GATES = """
def short(samples):
    return [f"{len(sample.answer)} characters" if len(sample.answer) < 3 else None for sample in samples]

gates = {"short": Gate(short, "share of short answers", threshold=0.1, severity="error")}
"""


def pack_with(folder: Path, code: str) -> Pack:
    folder.mkdir(exist_ok=True)
    (folder / "pack.yaml").write_text("extends: general\nname: own\ndescription: Own.\n")
    (folder / "checks.py").write_text(IMPORTS + code)
    return load_pack(DomainConfig(path=str(folder)))


def checks_of(folder: Path, code: str) -> Checks:
    code_of = pack_with(folder, code).checks
    assert code_of is not None
    return code_of.load()


ROW = {
    "text": "What is six times seven?",
    "level": 2,
    "edu_level": None,
    "subject": "Arithmetic",
    "concepts": ["Product"],
    "answer": "Final answer: 42",
    "final_answer": "42",
    "votes": [{"final_answer": "41", "count": 3}, {"final_answer": "42", "count": 2}],
}


def test_each_distinct_final_answer_gets_a_verdict_and_the_published_one_comes_first(tmp_path: Path) -> None:
    verdict = pack_verdict(checks_of(tmp_path, VERIFY), ROW, ["a passage"])
    assert (verdict.verified, verdict.by) == ("yes", "pack")
    assert verdict.evidence == {"level": 2, "other_answers": [{"final_answer": "41", "verified": "no"}]}


def test_the_packs_verdict_comes_before_the_built_in_one_which_fills_its_gaps(tmp_path: Path) -> None:
    asked = "What is 6*7?"
    right, silent = checks_of(tmp_path, VERIFY), lambda: pack_verdicts(shrug, Question(asked), [FinalAnswer("41")])[0]
    shrug = checks_of(tmp_path, "def verify(question, answers): return [Verdict() for _ in answers]\n")
    said = lambda: pack_verdicts(right, Question(asked), [FinalAnswer("41")])[0]  # noqa: E731
    for kind, own, expected in (
        ("auto", said, ("no", "pack")),
        ("auto", silent, ("no", "recompute")),
        ("pack", silent, ("unchecked", None)),
        ("recompute", said, ("no", "recompute")),
        ("none", said, ("unchecked", None)),
    ):
        verdict = verify_answer(asked, "41", "41", VerifyConfig(kind=kind), own)  # type: ignore[arg-type]
        assert (verdict.verified, (verdict.by or "").split(":")[0] or None) == expected, kind


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def verify(question, answers):\n    return [1 / 0]\n", "ZeroDivisionError: division by zero at "),
        ("import sys\ndef verify(question, answers): sys.exit(3)\n", "SystemExit: 3 at"),
        ("def verify(question, answers): return []\n", "verify gave 0 verdicts on 1 answers"),
        ("def verify(question, answers): return [True]\n", "a bool where a Verdict is wanted"),
        ("def verify(question, answers): return [Verdict('maybe')]\n", "the verdict 'maybe'"),
        ("def verify(question, answers): return [Verdict('yes', evidence={'a': {1}})]\n", "evidence that is no JSON"),
        ("def verify(question, answers): return [Verdict('yes', evidence={'a': 'x' * 9999})]\n", "4000 is the most"),
        ("def verify(question, answers): return verify(question, answers)\n", "RecursionError"),
    ],
)
def test_an_error_of_the_packs_code_leaves_the_answer_unchecked_with_the_reason(
    tmp_path: Path, code: str, said: str
) -> None:
    (verdict,) = pack_verdicts(checks_of(tmp_path, code), Question("q"), [FinalAnswer("1")])
    assert verdict.verified == "unchecked"
    assert said in verdict.evidence[ERROR]


def test_an_error_names_file_and_line(tmp_path: Path) -> None:
    code = "def verify(question, answers):\n    return inner(answers)\ndef inner(answers):\n    raise KeyError('x')\n"
    (verdict,) = pack_verdicts(checks_of(tmp_path, code), Question("q"), [FinalAnswer("1")])
    assert verdict.evidence[ERROR] == f"KeyError: 'x' at {tmp_path / 'checks.py'}:5"


def test_a_gate_that_cannot_look_at_a_sample_counts_it_and_names_the_reason(tmp_path: Path) -> None:
    code = (
        "def find(samples):\n    return [None if int(sample.answer) else 'zero' for sample in samples]\n"
        "gates = {'zero': Gate(find, 'share of zeros')}\n"
    )
    checks = checks_of(tmp_path, code)
    said = look(checks.gates["zero"].find, [Sample(name, "q", name) for name in ("1", "0", "x", "2")], checks.path)
    assert (said[0], said[1], said[3]) == (None, "zero", None)
    assert said[2] is not None
    assert said[2].startswith("could not be looked at: ValueError")
    assert f"{tmp_path / 'checks.py'}:3" in said[2]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nothing_of_that_name\n", "checks.py:2: the pack's code cannot be loaded: ModuleNotFoundError"),
        ("def verify(:\n", "checks.py:2: the pack's code cannot be loaded: SyntaxError"),
        ("def verifi(question, answers): ...\n", "it defines neither `verify` nor `gates`; is `verifi` meant?"),
        ("verify = 3\n", "`verify` is no function"),
        ("gates = {'a': len}\n", "gates.a is a builtin_function_or_method"),
        ("gates = {'A b': Gate(len, 'x')}\n", "'A b' is no name"),
        ("gates = {'a': Gate(len, 'x', threshold=7)}\n", "threshold=7 is no share"),
        ("gates = {'a': Gate(len, 'x', severity='fatal')}\n", "neither `error` nor `warn`"),
    ],
)
def test_code_that_cannot_be_used_is_refused_before_anything_starts(tmp_path: Path, code: str, said: str) -> None:
    pack = pack_with(tmp_path, code)
    with pytest.raises(ConfigError) as caught:
        check_step(AnswerConfig(), pack)
    assert said in caught.value.what


def test_the_code_is_part_of_the_check_step_only_where_it_verifies(tmp_path: Path) -> None:
    plain = check_step(AnswerConfig(), load_pack(DomainConfig())).identity()
    verifies = check_step(AnswerConfig(), pack_with(tmp_path, VERIFY)).identity()
    assert "pack" not in plain
    assert verifies == {**plain, "pack": verifies["pack"]}
    assert check_step(AnswerConfig(), pack_with(tmp_path, GATES)).identity() == plain
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "words.txt").write_text("one")
    assert check_step(AnswerConfig(), pack_with(tmp_path, VERIFY)).identity() != verifies
    with pytest.raises(ConfigError, match="has no verifier"):
        check_step(AnswerConfig(verify=VerifyConfig(kind="pack")), pack_with(tmp_path, GATES))


def test_a_gate_that_the_pack_has_not_is_refused_with_the_nearest(tmp_path: Path) -> None:
    found = pack_with(tmp_path, GATES)
    config = compose(["gate.pack.shorts.threshold=0.2"])
    with pytest.raises(ConfigError, match="did you mean `short`") as caught:
        gate_step(config, found, sketch_step(config.curate).index, None)
    assert "gate.pack.shorts" in caught.value.what
    step = gate_step(compose(["gate.pack.short.threshold=0.2"]), found, sketch_step(config.curate).index, None)
    assert step.own == found.checks
    plain = gate_step(compose([]), load_pack(DomainConfig()), sketch_step(config.curate).index, None).identity()
    assert "own" not in plain
    assert "pack" not in plain["config"]


def test_a_worker_in_another_process_and_folder_runs_the_same_bytes(tmp_path: Path) -> None:
    code = pack_with(tmp_path / "p", VERIFY).checks
    (tmp_path / "pickled").write_bytes(pickle.dumps(code))
    script = f"import pickle; print(pickle.load(open({str(tmp_path / 'pickled')!r}, 'rb')).load().path)"

    def there() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, env={"PYTHONPATH": str(REPOSITORY)}, text=True,
            capture_output=True,
        )  # fmt: skip

    assert there().stdout.strip() == str(tmp_path / "p" / "checks.py")
    assert not (tmp_path / "p" / "__pycache__").exists()
    (tmp_path / "p" / "checks.py").write_text(IMPORTS + VERIFY + "# later\n")
    assert "is not the file that the run was started with" in there().stderr
    (tmp_path / "p" / "checks.py").unlink()
    assert "is not here" in there().stderr


def test_a_pack_in_the_working_tree_is_found_below_the_folder_of_a_worker_on_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    code = pack_with(tmp_path / "here" / "p", VERIFY + "# of the tree\n").checks
    assert code is not None
    (tmp_path / "here").rename(tmp_path / "unpacked")
    monkeypatch.chdir(tmp_path / "unpacked")
    assert code.load().path == str(tmp_path / "unpacked" / "p" / "checks.py")
