"""A small HTTP server that remembers what reached it, whole or in part."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Seen:
    """A request as it arrived; `body` is what came of it, `whole` whether all that was announced did."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    whole: bool


@dataclass
class Upstream:
    """Answers what it was sent (GET /size: so many bytes), and keeps all requests."""

    seen: list[Seen] = field(default_factory=list)
    port: int = 0

    def __enter__(self) -> Upstream:
        keep, outer = self.seen, self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body, whole = self.received()
                keep.append(Seen(self.command, self.path, list(self.headers.items()), body, whole))
                if not whole:
                    self.close_connection = True
                    return
                outer.arrived.set()
                answer = body or _bytes(self.path)
                self.send_response(200)
                self.send_header("X-Digest", hashlib.sha256(answer).hexdigest())
                if self.path.startswith("/chunked"):
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    for start in range(0, len(answer), 1000):
                        piece = answer[start : start + 1000]
                        self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                    self.wfile.write(b"0\r\n\r\n")
                    return
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815

            def received(self) -> tuple[bytes, bool]:
                if self.headers.get("Transfer-Encoding") == "chunked":
                    parts = []
                    while size := int(self.rfile.readline() or b"0", 16):
                        parts.append(self.rfile.read(size))
                        self.rfile.readline()
                    self.rfile.readline()
                    return b"".join(parts), True
                length = int(self.headers.get("Content-Length", "0"))
                try:
                    body = self.rfile.read(length)
                except ConnectionError:
                    return b"", False
                return body, len(body) == length

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """A client that goes away in the middle is what these tests are about."""

        self.arrived = threading.Event()
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def _bytes(path: str) -> bytes:
    digits = path.rpartition("/")[2].partition("?")[0]
    return b"x" * int(digits) if digits.isdecimal() else b"hello"
