from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from factory.engine.tokenizer import Tokenizer
from factory.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A byte-level BPE tokenizer trained on a few words, with a truncation that counting must not obey."""
    from tokenizers import Tokenizer as Library
    from tokenizers import models, pre_tokenizers, processors, trainers

    library = Library(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    library.train_from_iterator(["the theory of the thing there and then"] * 20, trainer)
    library.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    library.enable_truncation(8)
    library.enable_padding(length=8)
    path = tmp_path / "model"
    path.mkdir()
    library.save(str(path / "tokenizer.json"))
    return path


def test_words_counts_words_and_signs() -> None:
    assert Tokenizer("words").count(["", "Two words", "f(x) = 3.5"]) == [0, 2, 8]


def test_counts_are_of_the_text_alone(folder: Path) -> None:
    """Neither special tokens, nor the truncation and padding that a tokenizer.json may ask for."""
    counts = Tokenizer(str(folder)).count(["", "the theory", "the theory " * 50])
    assert counts[0] == 0
    assert 1 <= counts[1] <= 10
    assert counts[2] > 49


def test_a_character_can_be_several_tokens(folder: Path) -> None:
    assert Tokenizer(str(folder)).count(["é", "数"]) == [2, 3]


def test_identity_is_the_content_not_the_place(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(folder, other)
    assert Tokenizer(str(folder)).identity() == Tokenizer(str(other)).identity()
    assert Tokenizer(str(folder / "tokenizer.json")).identity() == Tokenizer(str(folder)).identity()
    third = tmp_path / "changed"
    shutil.copytree(folder, third)
    with (third / "tokenizer.json").open("a") as file:
        file.write("\n")
    assert Tokenizer(str(third)).identity() != Tokenizer(str(folder)).identity()
    assert Tokenizer("words").identity() != Tokenizer(str(folder)).identity()


def test_pickles_small_even_after_counting(folder: Path) -> None:
    tokenizer = Tokenizer(str(folder))
    counts = tokenizer.count(["the thing"])
    pickled = pickle.dumps(tokenizer)
    assert len(pickled) < 1000
    assert pickle.loads(pickled).count(["the thing"]) == counts


def test_counting_needs_neither_torch_nor_transformers(folder: Path) -> None:
    code = (
        "import sys; from factory.engine.tokenizer import Tokenizer; "
        f"print(Tokenizer({str(folder)!r}).count(['the thing'])); "
        "print([name for name in ('torch', 'transformers', 'vllm', 'ray') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "[]"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no tokenizer\.json"):
        Tokenizer(str(tmp_path)).count(["a"])
    with pytest.raises(ConfigError, match=r"no tokenizer at \./nowhere"):
        Tokenizer("./nowhere").count(["a"])
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match="cannot be read as a tokenizer"):
        Tokenizer(str(tmp_path)).count(["a"])


def test_a_hub_id_is_found_in_the_cache_without_network(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "a" * 40
    cached = tmp_path / "hub" / "models--owner--tiny"
    (cached / "snapshots" / commit).mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    shutil.copy(folder / "tokenizer.json", cached / "snapshots" / commit / "tokenizer.json")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert Tokenizer("owner/tiny").identity() == Tokenizer(str(folder)).identity()
    assert Tokenizer("owner/tiny", commit).count(["the thing"]) == Tokenizer(str(folder)).count(["the thing"])
    with pytest.raises(ConfigError, match="owner/absent"):
        Tokenizer("owner/absent").count(["a"])
