"""`factory report ROOT`: writes the report of a run again, from the store alone.

Design: the report is a function of what lies in the store, so it can be written after a crash, after a copy of
the root, or by a newer version of the factory; it never touches the dataset.
"""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "report",
        help="write the HTML report of a run again",
        description="Rewrites runs/RUN/report.html below ROOT and prints where it is. The dataset is not touched.",
    )
    parser.add_argument("root", metavar="ROOT", help="folder or s3://bucket/prefix given to the run as store.root")
    parser.add_argument("--run", dest="run_id", metavar="ID", help="which run; default: the one started last")
    parser.add_argument(
        "--diversity-model",
        metavar="MODEL",
        help="compares questions by this model's embeddings (see diversity.model); default: as the run was configured",
    )
    parser.add_argument("--prices", metavar="FILE", help="prices instead of those the run was given (docs/cost.md)")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0; ConfigError when the root has no run, or not the one named."""
    from factory.cli.status import recorded
    from factory.cost.money import read_prices
    from factory.evaluate.report import write_report
    from factory.store.open import open_root

    store = open_root(args.root, endpoint_url=args.endpoint_url)
    run_id = args.run_id or str(recorded(store)[-1]["run"])
    replaced = {"model": args.diversity_model} if args.diversity_model else None
    prices = read_prices(args.prices) if args.prices else None
    print(f"{store.uri.rstrip('/')}/{write_report(store, run_id, replaced, prices)}")
    return 0
