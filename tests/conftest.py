"""What all tests share: the environment, a local store, a real S3 server, a store of each kind, a browser."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# Set before anything imports Ray or vLLM; children of the tests inherit it.
os.environ.update(
    RAY_AUTH_MODE="disabled",
    RAY_USAGE_STATS_ENABLED="0",
    HF_HUB_OFFLINE="1",
    VLLM_NO_USAGE_STATS="1",
)

from factory.store.base import Store
from factory.store.local import LocalStore
from tests.browser import Browser, open_browser
from tests.dealing import Dealing, rank
from tests.s3_server import S3Server, running

# A deadline is a timed test: 200 ms is nothing on a machine that does something else as well.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@dataclass(frozen=True)
class S3:
    """The S3 server of this test process and the bucket in it."""

    server: S3Server
    bucket: str

    @property
    def endpoint_url(self) -> str:
        return self.server.endpoint_url

    @property
    def region(self) -> str:
        return self.server.region

    def environment(self) -> dict[str, str]:
        """Also exported to this process and its children while the fixture lives."""
        return self.server.environment()

    def root(self) -> str:
        """The address of a fresh, empty prefix."""
        return f"s3://{self.bucket}/{uuid.uuid4().hex[:12]}"


def pytest_configure() -> None:
    # Begun in the background of a script (`make test &`) it ignores Ctrl-C, and so would all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"s3", "s3_store"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.s3)
    items.sort(key=lambda item: rank(item.nodeid))  # stable, so that all else stays in its order


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return Dealing(config, log)


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """SeaweedFS on free loopback ports, one a test process (so also one a worker of xdist), started on first use.

    Its credentials and address are in the environment from then on: `s3://bucket/...` opens without more.
    """
    bucket = f"test-{uuid.uuid4().hex[:8]}"
    with running(bucket) as server, pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_REGION"):
            patch.delenv(name, raising=False)
        for name, value in server.environment().items():
            patch.setenv(name, value)
        yield S3(server, bucket)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture
def local_store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "store"))


@pytest.fixture
def s3_store(s3: S3) -> Store:
    """A store at a fresh prefix of the test bucket."""
    from factory.store.open import open_root

    return open_root(s3.root(), s3.endpoint_url, s3.region)


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest) -> Store:
    """Each test runs on both kinds of store."""
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found
