"""The page over HTTP: 127.0.0.1 alone, and nobody but the page itself gets in.

Design: the standard library's threading server. What keeps other local pages and programs out: a random token is the
first part of every path (a page elsewhere cannot know it); the Host header must name the loopback, so that a name that
was rebound to 127.0.0.1 gets nothing; a POST must be JSON, which another origin cannot send without asking first, and
its Origin must be the page's own. The page is one document; its style and script are allowed by their hashes, and
nothing else may be loaded, framed or sent anywhere but here. The token is compared in constant time and never logged.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import sys
import threading
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

import orjson

from factory.errors import ConfigError, FactoryError
from factory.review.session import BadRequestError, Session

HOST = "127.0.0.1"
_OURS = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?")
"""A tunnel may end at another port."""

MAX_BODY = 64 << 10
"""Bytes of a request: a comment of MAX_COMMENT characters, escaped, several times over."""

MAX_CONNECTIONS = 64
"""A browser opens six to one address."""

IDLE_S = 30.0
"""A connection that says nothing is let go, so that threads do not pile up."""

_LENGTH = re.compile(r"[0-9]{1,6}")
_ITEM = re.compile(r"items/(\d{1,6})(/source)?")


@dataclass(frozen=True)
class Page:
    html: bytes
    policy: str


@cache
def page() -> Page:
    """The document with its style and script inside, and the Content-Security-Policy that allows just these."""
    room = files("factory.review")
    style, script = (room.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    html = room.joinpath("page.html").read_text(encoding="utf-8")
    whole = html.replace("{{style}}", style).replace("{{script}}", script)
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Page(whole.encode(), policy)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


class ReviewServer(ThreadingHTTPServer):
    """Serves one session; `address` is what a browser opens."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, session: Session, port: int = 0, token: str | None = None) -> None:
        self.session = session
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self.token = token or secrets.token_urlsafe(24)
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise ConfigError(
                f"port {port} of {HOST} cannot be used: {error.strerror}",
                cause="another program listens there",
                remedy="leave --port out, and a free one is taken",
            ) from None

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread a connection, for so many of them: every program of this machine may connect, token or not."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that was closed while it was answered is no error."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.server_address[1]}/{self.token}/"


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer
    protocol_version = "HTTP/1.1"
    server_version = "factory"
    sys_version = ""
    timeout = IDLE_S

    def do_GET(self) -> None:
        path = self._admitted()
        if path is None:
            return
        session = self.server.session
        if path == "":
            self._send(HTTPStatus.OK, page().html, "text/html; charset=utf-8")
        elif path == "state":
            self._json(session.state)
        elif match := _ITEM.fullmatch(path):
            place = int(match[1])
            self._json(lambda: session.passages(place) if match[2] else session.item(place))
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")

    def do_POST(self) -> None:
        path = self._admitted()
        if path is not None:
            self._act(path)

    def _act(self, path: str) -> None:
        origin = self.headers.get("Origin")
        if origin is not None and origin != f"http://{self.headers['Host']}":
            return self._refuse(HTTPStatus.FORBIDDEN, "another page sent this")
        if self.headers.get_content_type() != "application/json":
            return self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not JSON")
        length = self.headers.get("Content-Length", "")
        if not _LENGTH.fullmatch(length) or int(length) > MAX_BODY:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too long")
        try:
            said = orjson.loads(self.rfile.read(int(length)))
        except orjson.JSONDecodeError:
            said = None
        if not isinstance(said, dict):
            return self._refuse(HTTPStatus.BAD_REQUEST, "no JSON object")
        session = self.server.session
        actions = {"decide": session.decide, "undo": session.undo}
        if path not in actions:
            return self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")
        return self._json(lambda: actions[path](said))

    def _admitted(self) -> str | None:
        """The path behind the token; None where the caller was refused."""
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or not _OURS.fullmatch(hosts[0]):
            self._refuse(HTTPStatus.FORBIDDEN, "this server answers to 127.0.0.1 only")
            return None
        token, slash, rest = self.path.split("?")[0].removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode(), self.server.token.encode()) or not slash:
            self._refuse(HTTPStatus.NOT_FOUND, "open the whole address that factory review printed")
            return None
        return rest

    def _json(self, answer: Any) -> None:
        try:
            self._send(HTTPStatus.OK, orjson.dumps(answer()), "application/json")
        except BadRequestError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except FactoryError as error:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, str(error))

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        # What was not read of the body would be taken for the next request.
        self.close_connection = True
        self._send(status, orjson.dumps({"error": why}), "application/json")

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", page().policy),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ):
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the address holds the token."""
