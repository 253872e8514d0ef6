"""`factory trouble --to URL`: a proxy that makes trouble, to be put before S3 or a model server (docs/trouble.md).

Design: runs until it is interrupted; what it does is said on stderr, and the last line of stdout is one JSON object of
what it did. Everything else is in factory/trouble/.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from typing import Any


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "trouble",
        help="a proxy that makes trouble on purpose, before S3 or a model server",
        description="Passes requests on to a server and strikes some of them: errors, resets, lost answers, slow\n"
        "bodies, stalls, darkness. Give its address to a run as store.endpoint_url or engine.base_url.",
        epilog=_faults(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--to", required=True, metavar="URL", help="the server: http://host:port")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: any that is free)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--control-port", type=int, default=0, help="port of the control address, always on 127.0.0.1")
    parser.add_argument("--rule", action="append", default=[], metavar="RULE", help="may be given several times")
    parser.add_argument("--seed", type=int, default=0, help="of the draws that say which requests are struck")
    parser.add_argument(
        "--rewrite-host",
        action="store_true",
        help="send the server its own name as Host; breaks AWS signatures, and hosted model servers need it",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0. Raises ConfigError for an address, a port or a rule that cannot be."""
    import orjson

    from factory.trouble.control import Control
    from factory.trouble.proxy import TroubleProxy

    proxy = TroubleProxy(
        args.to, args.rule, seed=args.seed, host=args.host, port=args.port, rewrite_host=args.rewrite_host
    )
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with proxy:
        control = Control(proxy, args.control_port)
        print(f"{proxy.url} -> {proxy.upstream.url}   control: {control.url}", file=sys.stderr, flush=True)
        for each in proxy.rules():
            print(f"rule: {each.rule}", file=sys.stderr, flush=True)
        ended.wait()
        control.close()
        print(orjson.dumps(proxy.summary()).decode())
    return 0


def _faults() -> str:
    from factory.trouble.rules import MEANINGS

    lines = [f"  {fault:<13} {meaning}" for fault, meaning in MEANINGS.items()]
    return "\n".join(
        [
            "a RULE is FAULT [METHOD] [PATTERN] [share=0.1] [count=5] [skip=3] [at=0.5] [seconds=5] [rate=10000], e.g.",
            "  --rule '503 PUT */commits/* share=0.1'   --rule 'lose-answer PUT count=3'   --rule 'dark seconds=10'",
            "faults:",
            *lines,
        ]
    )
