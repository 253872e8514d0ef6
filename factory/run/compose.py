"""From command line overrides to a checked configuration.

Design: Hydra composes `conf/`; the schema's defaults are registered as the base, so that every key that
exists can be overridden without `+` and every key that does not is refused by name. What the run's domain
pack sets comes behind the presets and before the command line (pack_settings.py). `jobs.run` and the
`factory` command share this, so `factory plan preset=demo` plans exactly what `jobs.run preset=demo` runs.
Other jobs have an entry point of their own (`Entry`) over the same groups.
Cost: about half a second.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from factory.config import FactoryConfig
from factory.domains.pack import RENAMED
from factory.errors import ConfigError
from factory.run.key_words import default_words, type_words
from factory.run.overrides import check_overrides, groups_of, options_of
from factory.run.pack_settings import settings_for
from factory.section import KEYS_LISTED, Schema, checked

CONF = Path(__file__).resolve().parents[2] / "conf"


@dataclass(frozen=True)
class Entry(Generic[Schema]):
    """`file` is the YAML file in `conf/` that a job starts from, `base` the name under which that file's
    defaults list asks for the schema's own defaults; `listed` says where its keys are, for errors."""

    file: str
    base: str
    schema: type[Schema]
    listed: str = KEYS_LISTED
    packs: bool = False
    """Whether the domain pack has a say in its keys: the file's defaults list then names PACK_NODE."""


PACK_NODE = "pack_settings"
RUN = Entry("config", "schema_defaults", FactoryConfig, packs=True)


def compose(overrides: Sequence[str]) -> FactoryConfig:
    """The configuration of a run. Raises ConfigError as `compose_entry` does."""
    return compose_entry(RUN, overrides)


def compose_entry(entry: Entry[Schema], overrides: Sequence[str]) -> Schema:
    """Raises ConfigError for an unknown group, key or value, naming it and the nearest that exists."""
    return from_hydra(entry, composed_by_hydra(entry, overrides))


def composed_by_hydra(entry: Entry[Schema], overrides: Sequence[str]) -> Any:
    """What Hydra composes, values unchecked. Raises ConfigError as `compose_entry` does."""
    check_overrides(overrides, CONF)
    register_defaults(entry)
    if not entry.packs:
        return _composed(entry, overrides)
    register_pack_settings({})
    composed = _composed(entry, overrides)
    settings = settings_for(composed.get("domain"))
    if settings is None or not settings.values:
        return composed
    register_pack_settings(settings.values)
    return _composed(entry, overrides)


def _composed(entry: Entry[Schema], overrides: Sequence[str]) -> Any:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return hydra_compose(entry.file, overrides=with_open_keys(entry.schema, overrides))
    except OmegaConfBaseException as error:
        raise _unresolved(error) from None
    except HydraException as error:
        raise _composition_error(error, overrides, known_keys(entry.schema), entry.listed) from None


def with_open_keys(schema: type[BaseModel], overrides: Sequence[str]) -> list[str]:
    """The overrides as Hydra wants them for keys that hold whatever names they are given (`engine.extra`,
    `engine.node_labels`): there it takes a name that has no default only with `++` before it."""
    free = free_keys(schema)
    found = []
    for item in overrides:
        key = item.partition("=")[0]
        is_free = any(key == name or key.startswith(f"{name}.") for name in free)
        found.append(f"++{item}" if is_free else item)
    return found


def free_keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Paths of the keys whose value is a mapping of names that the schema does not know."""
    keys: list[str] = []
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys.extend(free_keys(field.annotation, f"{prefix}{name}."))
        elif get_origin(field.annotation) is dict:
            keys.append(prefix + name)
    return keys


def from_hydra(entry: Entry[Schema], composed: Any) -> Schema:
    """Checks a composed configuration. Raises ConfigError."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        missing = sorted(str(key) for key in OmegaConf.missing_keys(composed))
    except (OmegaConfBaseException, RecursionError) as error:
        raise _unresolved(error) from None
    if missing:
        raise ConfigError(
            f"these keys have no value: {', '.join(missing)}",
            cause="they are yours to state; there is no honest default",
            remedy=f"add, for example, {missing[0]}=… to the command",
        )
    try:
        values = OmegaConf.to_container(composed, resolve=True)
    except (OmegaConfBaseException, RecursionError) as error:
        raise _unresolved(error) from None
    assert isinstance(values, dict)
    values.pop("hydra", None)
    return checked(entry.schema, {str(key): value for key, value in values.items()}, entry.listed)


def _unresolved(error: Exception) -> ConfigError:
    key = getattr(error, "full_key", None)
    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ConfigError(
        f"{key}: it cannot be resolved: {said}" if key else f"the configuration cannot be resolved: {said}",
        cause="${…} names a key, a resolver or an environment variable that there is not, or itself",
        remedy="correct it, or write the value itself",
    )


def register_defaults(entry: Entry[Schema]) -> None:
    """Makes the schema's defaults the base that the entry's YAML file starts from."""
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(name=entry.base, node=schema_defaults(entry.schema))


def register_pack_settings(values: Mapping[str, Any]) -> None:
    """Makes `values` what the domain pack sets, for every composition until the next call."""
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(name=PACK_NODE, node=dict(values))


def schema_defaults(model: type[BaseModel]) -> dict[str, Any]:
    """Defaults of every key as plain data; keys without a default are left to the groups in `conf/`."""
    defaults: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            inner = schema_defaults(field.annotation)
            if isinstance(field.default, BaseModel):
                inner |= field.default.model_dump(mode="json")
            defaults[name] = inner
            continue
        value = field.get_default(call_default_factory=True)
        if value is not PydanticUndefined:
            defaults[name] = _plain(value)
    return defaults


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def known_keys(model: type[BaseModel] = FactoryConfig, prefix: str = "") -> list[str]:
    """Every key by its full path."""
    keys: list[str] = []
    for name, field in model.model_fields.items():
        keys.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys.extend(known_keys(field.annotation, f"{prefix}{name}."))
    return keys


def _composition_error(error: Exception, overrides: Sequence[str], known: Sequence[str], listed: str) -> ConfigError:
    text = str(error)
    override = re.search(r"Could not override '([^']+)'", text)
    if override:
        key = override.group(1).lstrip("+~")
        return ConfigError(
            f"{key}: unknown key",
            cause="a slip in the key's name" if _nearest(key, known) else "no key of that name exists",
            remedy=_suggest(key, known, listed),
        )
    option = re.search(r"Could not find '([^']+)'", text)
    if option:
        group, _, name = option.group(1).rpartition("/")
        available = options_of(CONF, group) if group else groups_of(CONF)
        return ConfigError(
            f"{group or 'configuration group'}={name}: there is no such choice",
            remedy=f"it is called {group}={RENAMED[name]} now"
            if group == "domain" and name in RENAMED
            else f"choose one of: {', '.join(available)}"
            + ("; a pack of your own is given as domain.path=DIR" if group == "domain" else ""),
        )
    for item in overrides:
        group = item.partition("=")[0].lstrip("+~")
        if f"Could not override '{group}'" in text or f"'{group}'" in text:
            return ConfigError(f"{item}: {text.splitlines()[0]}", remedy=_suggest(group, known, listed))
    return ConfigError(f"Hydra cannot read this command: {text.splitlines()[0]}", remedy=listed)


def _nearest(key: str, known: Sequence[str]) -> str | None:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    return near[0] if near else None


def _suggest(key: str, known: Sequence[str], listed: str) -> str:
    near = _nearest(key, known)
    return f"did you mean `{near}`?" if near else listed


def key_lines(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Every key with default and meaning, as the --help of a job lists them."""
    rows = describe_keys(model, prefix)
    return [f"    {row['key']} (default {row['default']})  {row['meaning']}".rstrip() for row in rows]


def describe_keys(
    model: type[BaseModel] = FactoryConfig, prefix: str = "", stated: BaseModel | None = None
) -> list[Mapping[str, str]]:
    """Key, type with bounds, default and meaning of every key, for `factory config`. `stated` is the default of
    the section itself, where the schema above it gives one."""
    rows: list[Mapping[str, str]] = []
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True) if stated is None else getattr(stated, name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            section = default if isinstance(default, BaseModel) else None
            rows.extend(describe_keys(field.annotation, f"{prefix}{name}.", section))
            continue
        rows.append(
            {
                "key": prefix + name,
                "type": type_words(field.annotation, field.metadata),
                "default": "required" if field.is_required() and stated is None else default_words(_plain(default)),
                "meaning": field.description or "",
            }
        )
    return rows
