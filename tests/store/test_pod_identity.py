"""A pod whose identity does not work: what the store says, and that it says it soon."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from factory.errors import StoreError
from factory.store.open import open_root, probe

STS_SAYS = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>{code}</Code><Message>no</Message></Error><RequestId>1</RequestId></ErrorResponse>"""


@contextmanager
def refusing(code: str, status: int) -> Iterator[str]:
    """The address of an STS that refuses every role."""

    class Sts(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = STS_SAYS.format(code=code).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Sts) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def as_a_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment that EKS gives a pod with a role, and no other credentials; the file of its token."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    token = tmp_path / "token"
    token.write_text("a token")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/factory")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return token


@pytest.mark.parametrize(("code", "status"), [("AccessDenied", 403), ("InvalidIdentityToken", 400)])
def test_a_role_that_does_not_trust_the_pod_is_named(
    as_a_pod: Path, code: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing(code, status) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts)
        with pytest.raises(StoreError) as caught:
            probe(open_root("s3://bucket/prefix", "http://127.0.0.1:9", f"region-{code.lower()}"))
    assert "asking for the pod's role" in caught.value.what
    assert "service account" in caught.value.cause
    assert "a token" not in str(caught.value)


def test_a_token_that_is_not_mounted_is_named(as_a_pod: Path) -> None:
    as_a_pod.unlink()
    with pytest.raises(StoreError) as caught:
        probe(open_root("s3://bucket/prefix", "http://127.0.0.1:9", "region-none"))
    assert "no identity is bound to its service account" in caught.value.cause
    assert "docs/kubernetes.md" in caught.value.remedy
