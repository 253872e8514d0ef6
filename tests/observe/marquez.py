"""A small server of lineage events on the loopback interface, which errs, stalls and hangs up as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Marquez:
    """`moods` are what the next requests meet: a code, "stall" (no answer until the end) or "hang up"; without
    any, events are taken (201). `always` stands for all requests."""

    address: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    moods: list[int | str] = field(default_factory=list)
    always: int | str | None = None
    paths: set[str] = field(default_factory=set)
    tokens: set[str | None] = field(default_factory=set)
    asked: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def states(self, job: str) -> list[str]:
        return [event["eventType"] for event in self.events if event["job"]["name"] == job]


@contextmanager
def marquez() -> Iterator[Marquez]:
    """Listens on a free port while the body runs."""
    kept = Marquez()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.asked += 1
            kept.paths.add(self.path)
            kept.tokens.add(self.headers.get("Authorization"))
            mood = kept.always if kept.always is not None else kept.moods.pop(0) if kept.moods else 201
            if mood == "stall":
                kept.over.wait(60)
                return
            if mood == "hang up":
                return
            if mood == 201:
                kept.events.append(json.loads(body))
            self.send_response(int(mood))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        kept.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
