"""A TCP proxy on the loopback interface that lets a put through and loses the answer, as networks do."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class LossyProxy:
    """Forwards to `port`; after `lose_answers(n)` it breaks off instead of handing back the next n answers to PUT."""

    def __init__(self, port: int) -> None:
        self.upstream = port
        self.lost = 0
        self._to_lose = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def lose_answers(self, count: int) -> None:
        with self._lock:
            self._to_lose = count

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self.upstream))
        putting = threading.Event()

        def upwards() -> None:
            with contextlib.suppress(OSError):
                while data := client.recv(65536):
                    if data.startswith((b"PUT ", b"GET ", b"HEAD ", b"DELETE ", b"POST ")):
                        (putting.set if data.startswith(b"PUT ") else putting.clear)()
                    server.sendall(data)
            server.close()

        threading.Thread(target=upwards, daemon=True).start()
        with contextlib.suppress(OSError), client, server:
            while data := server.recv(65536):
                # "100 Continue" only invites the body; nothing is stored yet.
                if putting.is_set() and not data.startswith(b"HTTP/1.1 100") and self._loses():
                    client.shutdown(socket.SHUT_RDWR)
                    return
                client.sendall(data)

    def _loses(self) -> bool:
        with self._lock:
            if self._to_lose == 0:
                return False
            self._to_lose -= 1
            self.lost += 1
            return True


@contextlib.contextmanager
def lossy_proxy(port: int) -> Iterator[LossyProxy]:
    proxy = LossyProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
