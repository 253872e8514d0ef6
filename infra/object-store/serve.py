"""An S3 server for a laptop: `python infra/object-store/serve.py --dir DIR [--port 8333] [--bucket factory]`.

Design: SeaweedFS on the loopback interface, the very server the tests use. The first start makes up an access key
and a secret and keeps them in DIR/credentials.json, readable by its owner only; later starts use them again, and
the data is there. Prints what to export and how to run the factory on it, then serves until Ctrl-C or SIGTERM.
Cost: ready in one to two seconds, about 150 MB of memory.
"""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.s3_server import S3Server, create_bucket

CHECK_S = 1.0


def credentials(folder: Path) -> tuple[str, str]:
    """The access key and secret of the server in `folder`, made up on its first start."""
    path = folder / "credentials.json"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(json.dumps({"access_key": secrets.token_hex(10), "secret_key": secrets.token_urlsafe(30)}))
    known = json.loads(path.read_text())
    return known["access_key"], known["secret_key"]


def exports(server: S3Server) -> str:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL")
    return "\n".join(f"export {name}={server.environment()[name]}" for name in names)


def main() -> int:
    parser = argparse.ArgumentParser(description="An S3 server on this machine, for trying out s3:// stores.")
    parser.add_argument("--dir", required=True, help="folder for its data; made where it is missing")
    parser.add_argument("--port", type=int, default=8333, help="S3 port; ports +1 to +4 and +10 to +14 are used too")
    parser.add_argument("--bucket", default="factory", help="bucket to create where it is missing")
    arguments = parser.parse_args()
    folder = Path(arguments.dir).expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    server = S3Server(str(folder), arguments.port, *credentials(folder))
    ended = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ended.set())
    try:
        server.start()
        create_bucket(server, arguments.bucket)
        print(exports(server))
        print(f"# then: python -m jobs.run preset=demo store=s3 store.root=s3://{arguments.bucket}/demo")
        print("# Ctrl-C ends the server; the data stays in the folder", flush=True)
        while not ended.wait(CHECK_S):
            if not server.alive():
                print(f"the server ended by itself; its log is {folder / 'weed.log'}", file=sys.stderr)
                return 1
    except RuntimeError as error:
        print(f"{error}\nIs port {arguments.port} or one of its neighbours taken? Try another --port.", file=sys.stderr)
        return 1
    finally:
        server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
