"""`factory sign DATASET --key FILE`: a signature over a dataset's manifest, kept in its records.

Design: the envelope is DSSE around an in-toto statement, so that other tools verify it too; `factory verify DATASET
--signature --public-key FILE` does. `--new-key FILE` makes a key pair and signs nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from factory.errors import ConfigError


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "sign",
        help="sign a dataset's manifest, or make a key to sign with",
        description="Writes a DSSE envelope with an Ed25519 signature to the dataset's records. docs/approval.md.",
    )
    parser.add_argument("dataset", metavar="DATASET", nargs="?", help="folder or s3://… of one version of a dataset")
    parser.add_argument("--key", metavar="FILE", help="private key, PEM; its passphrase in FACTORY_KEY_PASSPHRASE")
    parser.add_argument("--new-key", metavar="FILE", help="make a key pair: FILE and FILE.pub, outside of every root")
    parser.add_argument("--root", help="root of the records, where it is not above the dataset's datasets/ folder")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the lines")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from factory.govern.keys import key_id, new_key, read_private, read_public

    if bool(args.new_key) == bool(args.dataset):
        raise ConfigError("nothing to do" if not args.dataset else "a key is made without signing", remedy=USAGE)
    if args.new_key:
        path = Path(args.new_key).expanduser()
        public = new_key(path)
        told = {"private": str(path), "public": str(public), "keyid": key_id(read_public(public))}
        return _say(args, f"{path} signs, {public} verifies; give only the second away", told)
    if not args.key:
        raise ConfigError("there is no key to sign with", cause="--key was not given", remedy=USAGE)
    from factory.govern.places import find
    from factory.govern.signature import sign
    from factory.publish.intact import Data

    key = read_private(Path(args.key).expanduser())
    found = find(args.dataset, args.root, args.endpoint_url)
    place = sign(found.root, found.dataset, key, Data(found.store))
    told = {
        "dataset": found.dataset.title,
        "manifest_sha256": found.dataset.manifest_sha256,
        "envelope": place,
        "keyid": key_id(key.public_key()),
    }
    return _say(args, f"{found.dataset.title} is signed by {told['keyid'][:12]}: {place}", told)


USAGE = "`factory sign DATASET --key FILE`, or `factory sign --new-key FILE`"


def _say(args: argparse.Namespace, line: str, told: dict[str, str]) -> int:
    import orjson

    from factory.printable import json_printable

    print(json_printable(orjson.dumps(told).decode()) if args.json else line)
    return 0
