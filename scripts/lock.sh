#!/usr/bin/env bash
# Remakes the lock files from pyproject.toml.
#
#   scripts/lock.sh             keeps every pin that still fits
#   scripts/lock.sh --upgrade   moves every pin to the newest release
#   scripts/lock.sh --check     changes nothing; exit status 1 where a lock file does not fit pyproject.toml
#
# UV names the uv to use, OUT the folder to write to. No index, link or path of this machine gets into the files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

uv=${UV:-.venv/bin/uv}
out=${OUT:-requirements}
mode=${1:-}

pins=$out
if [[ $mode == --check ]]; then
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
    cp requirements/*.txt "$out"
fi

# $1: lock file; the rest: options. An existing file's pins are kept where they fit.
lock() {
    local file=$1
    shift
    "$uv" pip compile --quiet --universal --python-version 3.10 --no-annotate \
        --custom-compile-command "make lock" --output-file "$out/$file" "$@" pyproject.toml
}

# The later locks hold the same versions as the earlier ones, so that one .venv serves both.
runtime() { lock runtime.txt "$@"; }
screen() { lock screen.txt --extra gui --constraints "$pins/runtime.txt" "$@"; }
test_() { lock test.txt --extra test --extra gui --constraints "$pins/runtime.txt" --constraints "$pins/screen.txt" "$@"; }
# What tests/gpu need as well; .venv is made of this one for the tests.
gpu() {
    lock gpu.txt --extra test --extra gui --extra test-gpu --constraints "$pins/test.txt" "$@"
}
# torch is pinned by hand for each kind of machine, in torch.txt.
training() {
    lock training.txt --extra test --extra gui --extra train --constraints "$pins/test.txt" \
        --overrides requirements/no-torch.txt "$@"
}
# $1: JetPack's major, $2: its Python. One machine each, so not universal; numpy and OpenCV are the system's kind.
jetson() {
    local file=jetson-jp$1.txt python=$2 status=0
    shift 2
    grep -v '^numpy==' "$pins/screen.txt" >"$out/constraints"
    "$uv" pip compile --quiet --python-platform aarch64-manylinux_2_35 --python-version "$python" --no-annotate \
        --only-binary :all: --custom-compile-command "make lock" --output-file "$out/$file" --extra gui \
        --constraints "$out/constraints" --overrides requirements/no-opencv.txt "$@" \
        pyproject.toml "requirements/${file%.txt}.in" || status=$?
    rm "$out/constraints"
    return "$status"
}

if [[ $mode != --check ]]; then
    runtime ${mode:+"$mode"}
    screen ${mode:+"$mode"}
    test_ ${mode:+"$mode"}
    gpu ${mode:+"$mode"}
    training ${mode:+"$mode"}
    jetson 6 3.10 ${mode:+"$mode"}
    jetson 7 3.12 ${mode:+"$mode"}
    exit
fi

# The training lock holds all that the others do: after it, their questions can be answered from uv's cache,
# which saves most of the waiting. A question that the cache cannot answer goes to the index.
training
gpu --offline 2>/dev/null || gpu
test_ --offline 2>/dev/null || test_
screen --offline 2>/dev/null || screen
runtime --offline 2>/dev/null || runtime
jetson 6 3.10 --offline 2>/dev/null || jetson 6 3.10
jetson 7 3.12 --offline 2>/dev/null || jetson 7 3.12
diff -ru -x "*.in" requirements "$out" || {
    echo "lock files do not fit pyproject.toml: run \`make lock\` and commit requirements/" >&2
    exit 1
}
