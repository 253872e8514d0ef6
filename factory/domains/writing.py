"""A new pack: the files of skeletons/pack/, with its name in them.

Design: the skeleton is a pack that works as it is, so `factory domain check` and a run pass before the first line is
changed, and every later failure is of a change. Its files are complete and say in comments what each part is for.
"""

from __future__ import annotations

import re
from pathlib import Path

from factory.domains.config import DomainConfig
from factory.domains.pack import PACKS, base_folder, pack_folder, shipped_packs
from factory.errors import ConfigError

SKELETON = PACKS / "skeletons" / "pack"
"""Not beside the packs, where its pack.yaml would make it one of them."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def write_skeleton(name: str, folder: Path, extends: str = "general") -> list[Path]:
    """Writes a new pack into `folder` and returns its files. Raises ConfigError for a name that no pack may have, a
    pack that cannot be extended, and a folder that holds something."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no name of a pack",
            cause="names are lower-case letters, digits, _ and -, and begin with a letter or digit",
            remedy="factory domain new my_field",
        )
    if name in shipped_packs():
        raise ConfigError(
            f"a pack named {name} comes with the package",
            cause="rows name the pack they were made with, and two of one name cannot be told apart",
            remedy="choose another name",
        )
    base_folder(folder, extends)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(
            f"{folder} is there already, and not empty",
            remedy="choose another folder with --path, or take what is there away",
        )
    base = pack_folder(DomainConfig(name=extends))
    filled = {"EXTENDED": extends, "NAME": name, "PROMPTS": str(base / "prompts"), "FOLDER": str(folder)}
    written = []
    for source in sorted(path for path in SKELETON.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        target = folder / source.relative_to(SKELETON)
        text = source.read_text(encoding="utf-8")
        if source.suffix == ".yaml":
            for word, value in filled.items():
                text = text.replace(word, value)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"{target} cannot be written: {error}", remedy="choose another folder with --path"
            ) from None
        written.append(target)
    return written
