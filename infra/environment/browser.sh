#!/usr/bin/env bash
# Installs Debian's chromium for the browser tests where that takes no question: as root, with apt-get.
# Elsewhere it does nothing and succeeds; the browser tests themselves say how to get one.
set -euo pipefail

for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && exit 0
done
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "browser: no chromium here, and it is not this command's place to install one"
    exit 0
fi
echo "browser: installing chromium with apt-get"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt-get update && apt-get install -y --no-install-recommends chromium; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    echo "browser: chromium could not be installed; the browser tests will say what they need" >&2
fi
