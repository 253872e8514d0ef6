"""What people type: overrides, values of every type, YAML beside them. Usable, or a ConfigError that names the key."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import example
from hypothesis import strategies as st

from factory.cli.decon_settings import benchmark_of, configured, with_rules
from factory.config import FactoryConfig
from factory.curate.decon.config import DecontaminationConfig
from factory.errors import ConfigError
from factory.mix.command import overrides_of
from factory.review.gate import parse_conditions
from factory.run.compose import CONF, compose, known_keys
from factory.run.overrides import check_options, check_overrides, sweep_points
from factory.run.record import run_id_of
from factory.section import checked
from factory.store.base import AbsentObjectError
from factory.store.keys import check_key, check_prefix
from factory.store.open import open_root
from tests.fuzz.breaking import HOSTILE_LEAVES, broken_json, texts
from tests.fuzz.harness import fuzzed, refused

BASE = ["preset=demo", "store.root=/tmp/no-such-root-of-the-tests"]
VALID = compose(BASE)
VALUES = orjson.loads(orjson.dumps(VALID.model_dump(mode="json")))
KEYS = [key for key in known_keys() if "." in key]
ODD: tuple[Any, ...] = (
    *HOSTILE_LEAVES,
    float("nan"),
    float("inf"),
    -float("inf"),
    10**400,
    -(10**400),
    "\ud800",
    b"bytes",
    (1, 2),
    {1: 2},
    {None: 1},
    1 + 2j,
    object(),
    {"a"},
    range(3),
)
TYPED = (
    "0",
    "-1",
    "1",
    "nan",
    ".nan",
    "inf",
    "-.inf",
    "1e400",
    "1" * 400,
    "0x10",
    "1_0",
    "null",
    "true",
    "'a b'",
    "[]",
    "[1,2]",
    "[[1],{a:2}]",
    "{a:1}",
    "${oc.env:NO_SUCH_NAME}",
    "${store.root}",
    "${x",
    "$${",
    "???",
    "\\",
    "'",
    '"',
    "\u202e",
    "🙂",
    "\0",
    "a,b",
    "range(1,3)",
    "choice(1,2)",
    "interval(0,1)",
    "glob(*)",
    "sort(3,1)",
    "a=b",
    "@",
    "~",
)


def usable(config: FactoryConfig) -> None:
    """What every accepted configuration can do: be named, be kept, be read again as it is."""
    run_id_of(config, {})
    kept = orjson.dumps(config.model_dump(mode="json"))
    assert checked(FactoryConfig, orjson.loads(kept)) == config


@fuzzed(
    "factory.section.checked",
    "factory.run.record.run_id_of",
    share=4,
    key=st.sampled_from(KEYS),
    value=st.sampled_from(ODD),
)
@example(key="curate.benchmarks", value=[{"name": "x", "path": "y", "fields": ["\ud800"]}])
@example(key="engine.extra", value={"a": 10**400})
@example(key="engine.extra", value={"a": {"b": float("nan")}})
@example(key="engine.extra", value={"\ud800": object()})
@example(key="seed", value=2**70)
def test_one_value_of_any_type_is_usable_or_named(key: str, value: Any) -> None:
    values = orjson.loads(orjson.dumps(VALUES))
    inner = values
    *sections, name = key.split(".")
    for section in sections:
        inner = inner[section] if isinstance(inner.get(section), dict) else inner.setdefault(section, {})
    inner[name] = value
    named = f"{(*sections, name)[0]}"
    with refused(ConfigError), naming(named):
        usable(checked(FactoryConfig, values))


@fuzzed("factory.section.checked", share=2, values=broken_json(VALUES, 4))
def test_a_whole_configuration_is_usable_or_refused(values: Any) -> None:
    if isinstance(values, dict):
        with refused(ConfigError):
            usable(checked(FactoryConfig, values))


@fuzzed(
    "factory.run.overrides.check_overrides",
    "factory.run.overrides.sweep_points",
    "factory.run.overrides.check_options",
    share=2,
    key=st.one_of(st.sampled_from(KEYS), texts("store.root", "+a.b", "~curate", "hydra.run.dir", "preset")),
    value=st.one_of(st.sampled_from(TYPED), texts(*TYPED)),
)
@example(key="seed", value="[" * 400)
@example(key="seed", value="{a:" * 400)
@example(key="seed", value="choice(choice(0),0)")
def test_an_override_is_read_or_refused(key: str, value: str) -> None:
    item = f"{key}={value}"
    with refused(ConfigError):
        check_overrides([item, value, key], CONF)
    with refused(ConfigError):
        check_options([item, value])
    if "range" not in value:  # a sweep is as long as it is written
        with refused(ConfigError):
            sweep_points([item], Path("conf"))


@fuzzed(
    "factory.run.compose.compose",
    "factory.run.compose.from_hydra",
    share=0.6,
    key=st.sampled_from(KEYS),
    value=st.one_of(st.sampled_from(TYPED), texts(*TYPED)),
)
@example(key="store.root", value="${store.root}")
@example(key="store.root", value="${oc.env:NO_SUCH_NAME}")
@example(key="store.root", value="${oc.nothing:1}")
@example(key="store.root", value="${")
@example(key="engine.extra", value="{a:{b:[1,nan]}}")
@example(key="engine.extra", value="[" * 300)
@example(key="corpus.paths", value="[???]")
def test_a_typed_value_is_usable_or_named(key: str, value: str) -> None:
    with refused(ConfigError):
        usable(compose([*[item for item in BASE if not item.startswith(f"{key}=")], f"{key}={value}"]))


@contextlib.contextmanager
def naming(key: str) -> Iterator[None]:
    """Asserts that an error of the configuration names the key."""
    try:
        yield
    except ConfigError as error:
        if key not in error.what:
            raise AssertionError(f"{key} is not named: {error.what}") from error
        raise


def put(place: Path, text: str) -> str:
    path = place / "some.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return str(path)


LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
YAMLS = (
    yaml.safe_dump({"mix": {"name": "m", "size": 5, "parts": [{"name": "p", "role": "real", "paths": ["/x"]}]}}),
    yaml.safe_dump({"curate": {"benchmarks": [{"name": "b", "path": "/x.jsonl", "fields": ["question"]}]}}),
    LAUGHS,
    "a: &a [*a]",
    "a: 2020-99-99",
    "a: !!bool x",
    "a: !!int ''",
    "a: !!timestamp x",
    "a: 1:60:60",
    "? [a]\n: b",
    "a: !!python/object:os.system x",
    'a: "\\ud800"',
    "[" * 2000,
    "{a: " * 2000,
    "a: 0o9",
    "a: " + "9" * 5000,
    "%YAML 9.9\n---\na: b",
    "a: 1\na: 2",
    "<<: *x",
    "a: !!binary x",
    "--- 1\n--- 2",
    "\0",
    "a:\t- b",
    "a: !!set {b}",
    "a: .nan",
    "1: 2\n1.0: 3",
)


@fuzzed(
    "factory.mix.command.overrides_of",
    "factory.cli.decon_settings.configured",
    text=st.one_of(st.sampled_from(YAMLS), texts(*YAMLS)),
)
def test_a_yaml_file_of_settings_is_read_or_refused(place: Path, text: str) -> None:
    path = put(place, text)
    with refused(ConfigError):
        check_overrides(overrides_of([path]), CONF)
    with refused(ConfigError):
        configured([path])


@pytest.mark.parametrize("text", YAMLS)
def test_every_hostile_yaml_is_read_or_refused(place: Path, text: str) -> None:
    path = put(place, text)
    with refused(ConfigError):
        overrides_of([path])
    with refused(ConfigError):
        configured([path])


@fuzzed(
    "factory.cli.decon_settings.with_rules",
    "factory.cli.decon_settings.benchmark_of",
    "factory.review.gate.parse_conditions",
    text=texts(
        "aligned_share=0.8",
        "embedding.model=minilm",
        "gsm8k=/no/such.jsonl:question:answer",
        "accepted>=0.9,kappa_low>=0.5",
        "a=2020-99-99",
        "a=!!int ''",
    ),
)
@example(text="aligned_share=2020-99-99")
@example(text="embedding.x=!!bool y")
@example(text="aligned_share=[" + "[" * 2000)
@example(text="accepted>=" + "9" * 400)
def test_options_of_commands_are_understood_or_refused(text: str) -> None:
    with refused(ConfigError):
        with_rules(DecontaminationConfig(), [text])
    with refused(ConfigError):
        benchmark_of(text.replace("/", "/no-such-folder/"))
    with refused(ConfigError):
        parse_conditions(text)


@fuzzed(
    "factory.store.open.open_root",
    share=2,
    uri=texts("/tmp/x", "s3://bucket/prefix", "s3://a:b@c/d", "~/x", "gs://b", surrogates=True),
    endpoint=st.one_of(
        st.none(), texts("http://127.0.0.1:9000", "http://[::1", "https://a:b@c?d=e", "http://x:99999999")
    ),
)
@example(uri="~nobody-of-this-name/x", endpoint=None)
@example(uri="s3://bucket/x", endpoint="http://[::1")
@example(uri="s3://bucket/x", endpoint="http://host:99999999999")
@example(uri="/tmp/a\0b", endpoint=None)
@example(uri="/" + "a" * 5000, endpoint=None)
def test_a_root_is_a_store_or_refused(uri: str, endpoint: str | None) -> None:
    from factory.errors import StoreError

    with refused(ConfigError, StoreError):
        store = open_root(uri, endpoint)
        assert isinstance(store.uri, str)


@fuzzed(
    "factory.store.keys.check_key",
    "factory.store.keys.check_prefix",
    share=2,
    key=texts("steps/a/b.json", "../x", surrogates=True),
)
def test_a_key_stays_below_its_root(place: Path, key: str) -> None:
    from factory.errors import StoreError
    from factory.store.local import LocalStore

    store = LocalStore(str(place / "root"))
    with refused(StoreError):
        check_prefix(key)
    with refused(StoreError, AbsentObjectError):
        assert check_key(key) == key
        assert (place / "root").resolve() in store._path(key).resolve().parents
        store.get(key)
