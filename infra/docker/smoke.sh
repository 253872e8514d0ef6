#!/bin/sh
# Whether an image works: its command, and a small run from corpus to a published, verified dataset without a model,
# without Ray, and without writing anywhere but OUT (default: a folder below /tmp).
set -eu
out=${1:-$(mktemp -d)/factory}
factory --version
python -m jobs.run preset=demo engine=scripted cluster=indexed model.tokenizer=words limit=12 gate.min_samples=1 store.root="$out"
factory verify "$out/datasets/demo"
