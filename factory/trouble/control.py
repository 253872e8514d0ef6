"""Switching a proxy while it works: a second, local address that answers with JSON.

    GET /          what the proxy did so far, and its rules
    PUT /rules     these rules from now on, one a line; an empty body: no trouble
    PUT /dark      go dark for so many seconds (the body)

Design: the standard library's server, always on the loopback. Only GET and PUT, and only under a loopback name: a web
page elsewhere cannot send a PUT without asking first, and a name that was rebound to 127.0.0.1 gets nothing.
"""

from __future__ import annotations

import math
import re
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson

from factory.errors import ConfigError
from factory.trouble.proxy import TroubleProxy

HOST = "127.0.0.1"
MAX_BODY = 64 << 10
_OURS = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?")


class Control(ThreadingHTTPServer):
    """Serves until it is closed. Raises ConfigError where the port cannot be had."""

    daemon_threads = True

    def __init__(self, proxy: TroubleProxy, port: int = 0) -> None:
        self.proxy = proxy
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {HOST}:{port}: {error.strerror or error}",
                cause="the port is taken",
                remedy="choose another --control-port (0: any that is free)",
            ) from None
        threading.Thread(target=self.serve_forever, name="trouble-control", daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_address[1]}"

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Control
    timeout = 30

    def do_GET(self) -> None:
        if not self._is_ours():
            return
        if self.path == "/":
            self._say(HTTPStatus.OK, self.server.proxy.summary())
        else:
            self._say(HTTPStatus.NOT_FOUND, {"error": "there are / (GET), /rules and /dark (PUT)"})

    def do_PUT(self) -> None:
        if not self._is_ours():
            return
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY:
            self._say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": f"a body has at most {MAX_BODY} bytes"})
            return
        body = self.rfile.read(int(length)).decode("utf-8", "replace")
        try:
            if self.path == "/rules":
                self.server.proxy.set(*(line for line in body.splitlines() if line.strip()))
            elif self.path == "/dark":
                self.server.proxy.dark(_seconds(body))
            else:
                self._say(HTTPStatus.NOT_FOUND, {"error": "there are / (GET), /rules and /dark (PUT)"})
                return
        except ConfigError as error:
            self._say(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            return
        self._say(HTTPStatus.OK, self.server.proxy.summary())

    def log_message(self, *_: object) -> None:
        """Says nothing: standard error is the command's."""

    def _is_ours(self) -> bool:
        if _OURS.fullmatch(self.headers.get("Host", "")):
            return True
        self._say(HTTPStatus.FORBIDDEN, {"error": "this address answers under 127.0.0.1 and localhost alone"})
        return False

    def _say(self, status: HTTPStatus, value: object) -> None:
        body = orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ConfigError(
            f"{text.strip()!r} is no number of seconds", cause="a mistyped body", remedy="send a number, as in 5"
        )
    return seconds
