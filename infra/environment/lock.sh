#!/usr/bin/env bash
# Compiles the pinned requirement files from the *.in files: `make lock`.
#
# Existing pins are kept where they still fit; `make lock UPGRADE=1` takes the newest of everything.
# The GPU set is compiled first and its pins are preferred for the CPU set, so that both kinds of machine
# differ only where they must; dev.txt has to fit both. Pins are resolved for Linux on x86-64 and
# Python 3.11, then checked against 3.12 and 3.13. No index is named in any file.
set -euo pipefail
cd "$(dirname "$0")"

python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m venv "$work/venv"
"$work/venv/bin/pip" install -qq 'uv==0.13.9'

compile() {
    local python_version=$1
    shift
    UV_CUSTOM_COMPILE_COMMAND='make lock' "$work/venv/bin/uv" pip compile --quiet \
        --python-version "$python_version" --python-platform x86_64-manylinux_2_28 \
        --override overrides.txt --no-emit-index-url --no-emit-find-links --annotation-style line ${UPGRADE:+--upgrade} "$@"
}

compile 3.11 gpu.in --output-file gpu.txt
cp gpu.txt cpu.txt
UPGRADE='' compile 3.11 cpu.in --override cpu-overrides.txt --output-file cpu.txt
compile 3.11 dev.in --override cpu-overrides.txt --constraint cpu.txt --constraint gpu.txt --output-file dev.txt
compile 3.11 audit.in --output-file audit.txt

pins() { grep -E '^[a-zA-Z0-9]' "$1" | sed -E 's/[ ;].*//' | sort; }
for version in 3.12 3.13; do
    for device in cpu gpu; do
        options=(--constraint "$device.txt")
        [ "$device" = cpu ] && options+=(--override cpu-overrides.txt)
        UPGRADE='' compile "$version" "$device.in" "${options[@]}" --output-file "$work/$device-$version.txt"
        if ! missing=$(comm -13 <(pins "$device.txt") <(pins "$work/$device-$version.txt")) || [ -n "$missing" ]; then
            echo "error: on Python $version the $device set needs more than is pinned: $missing" >&2
            echo "  what to do:   add it to $device.in or core.in and run make lock again" >&2
            exit 1
        fi
    done
done
wc -l cpu.txt gpu.txt dev.txt audit.txt | sed '$d'
