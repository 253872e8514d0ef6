"""The command behind `python -m jobs.mix`: compose, check, open the store, mix, say where it is."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from factory.errors import ConfigError
from factory.mix.config import MixConfig, PartConfig
from factory.run.command import BEGINS_ANEW, guarded
from factory.run.compose import Entry, compose_entry, key_lines
from factory.yaml_text import parse_yaml

MIX = Entry(
    "mix", "mix_schema_defaults", MixConfig, "`python -m jobs.mix --help` prints every key with its default and meaning"
)


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 made (or it stood there), 2-8 by family of FactoryError, 130 interrupted."""
    if any(item in ("-h", "--help") for item in arguments):
        print(HELP + "\n".join([*key_lines(MixConfig), *key_lines(PartConfig, "mix.parts[].")]))
        return 0
    return guarded(partial(_execute, arguments), BEGINS_ANEW)


def _execute(arguments: Sequence[str]) -> int:
    print(json.dumps(mix(compose_entry(MIX, overrides_of(arguments)))))
    return 0


def mix(config: MixConfig) -> dict[str, Any]:
    """Executes one configuration and gives the closing JSON object."""
    from factory.mix.job import make
    from factory.run.progress import progress_for
    from factory.store.open import open_store, probe

    store = open_store(config.store)
    probe(store)
    progress = progress_for(sys.stderr)
    try:
        made = make(config, store, progress.say)
        manifest = made.manifest
        if made.already:
            progress.say("this mix stands there already; nothing to do")
        if manifest["anchor"]["flagged"]:
            progress.say(
                f"BELOW THE HUMAN ANCHOR: {manifest['anchor']['rows']} human rows of {manifest['anchor']['required']}"
            )
    finally:
        progress.close()
    return {
        "dataset": f"{store.uri.rstrip('/')}/{made.prefix}",
        "version": manifest["version"],
        "already_finished": made.already,
        "rows": manifest["totals"]["rows"],
        "tokens": manifest["totals"]["tokens"],
        "parts": [
            {
                "name": part["name"],
                "role": part["role"],
                "asked": part["asked"],
                "got": part[f"got_{manifest['unit']}"],
                "rows": part["written"],
                "left_out": part["reasons"],
            }
            for part in manifest["parts"]
        ],
        "anchor": manifest["anchor"],
        "license": manifest["license"]["dataset"],
        "digest": manifest["digest"],
    }


def overrides_of(arguments: Sequence[str]) -> list[str]:
    """KEY=VALUE items, those of YAML files among the arguments first; what the command line says wins. Raises
    ConfigError for a file that cannot be read or holds no keys."""
    given = [item for item in arguments if "=" in item or not item.lower().endswith((".yaml", ".yml"))]
    named = {item.partition("=")[0].lstrip("+~") for item in given}
    found: dict[str, Any] = {}
    for path in (item for item in arguments if item not in given):
        found |= _leaves(_read(path))
    return [*(f"{key}={_literal(value)}" for key, value in found.items() if key not in named), *given]


def _read(path: str) -> Mapping[str, Any]:
    try:
        values = parse_yaml(Path(path).expanduser().read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: "~name" of nobody
        raise ConfigError(
            f"{path} cannot be read: {str(error).splitlines()[0]}", remedy="name a YAML file that is there"
        ) from None
    if not isinstance(values, Mapping):
        raise ConfigError(f"{path} holds no keys", remedy="write sections `mix`, `store`, … into it (docs/mix.md)")
    return values


def _leaves(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values by full key; lists are values."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        key = f"{prefix}{name}"
        found |= _leaves(value, f"{key}.") if isinstance(value, Mapping) else {key: value}
    return found


def _literal(value: Any) -> str:
    """A value in Hydra's grammar of overrides."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_literal, value)) + "]"
    if isinstance(value, str):
        # In quotes only a quote, and backslashes right before one, are special to Hydra.
        text = re.sub(r"(\\*)'", r"\1\1\\'", value)
        text = re.sub(r"(\\+)$", r"\1\1", text)
        return f"'{text}'"
    return json.dumps(value) if isinstance(value, bool | int | float | None) else f"'{value}'"  # a date


HELP = """python -m jobs.mix [FILE.yaml] [KEY=VALUE ...]   makes a training set of synthetic, real and human rows

  FILE.yaml holds keys as below; the command line wins:
    mix:
      name: tutor
      size: 100000            # unit: rows or tokens
      parts:
        - {name: synth, role: synthetic, paths: [ROOT/datasets/NAME/VERSION], share: 0.7}
        - {name: found, role: real, paths: [/data/found.jsonl], license: CC-BY-4.0}
        - {name: people, role: human, paths: [/data/people.parquet], license: CC-BY-4.0}
      stratify: {column: level}
    curate:
      benchmarks: [{name: gsm8k, path: /data/gsm8k/test.jsonl, fields: [question], answer_fields: [answer]}]
    store: {root: /data/factory}

  The last line of stdout is one JSON object. The mix lies in datasets/ below store.root; `factory verify` proves it.
  docs/mix.md is the guide.

"""
