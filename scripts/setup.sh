#!/usr/bin/env bash
# Makes the environments of this checkout; quick when nothing has changed since the last time.
#
#   scripts/setup.sh demo       .venv with the locked run-time packages and the project; with the screen's (PySide6)
#                               where a display is there
#   scripts/setup.sh test       the same, with what the tests need
#   scripts/setup.sh training   torch and ultralytics, in an environment outside the checkout
#   scripts/setup.sh where      prints where the training environment is
#
# PYTHON names the interpreter to use. PARTSIGHT_TRAINING_ENV names the folder of the training environment.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# What tests/gpu run on; no index has a wheel of it.
pycuda=2026.1
training=${PARTSIGHT_TRAINING_ENV:-${XDG_CACHE_HOME:-$HOME/.cache}/partsight/training}
log=""
trap '[[ -z $log ]] || rm -f "$log"' EXIT

say() { printf 'set-up: %s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

# Runs a command quietly; where it fails, shows everything it said.
quietly() {
    [[ -n $log ]] || log=$(mktemp)
    if ! "$@" >"$log" 2>&1 </dev/null 9>&-; then
        cat "$log" >&2
        die "failed: $*"
    fi
}

# The first Python that can run the project. 3.15 is out: onnxruntime has no wheels for it yet.
find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python3.10 python3.14; do
        # A version manager's shim may be on PATH and yet fail, so each one is really run.
        if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 15))' >/dev/null 2>&1; then
            command -v "$candidate"
            return
        fi
        [[ $candidate != "${PYTHON:-}" ]] || die "PYTHON=$PYTHON is not a Python from 3.10 to 3.14"
    done
    die "no Python from 3.10 to 3.14 is on PATH; install one (Debian, Ubuntu: apt-get install python3 python3-venv)"
}

# Debian packages: installed where we may, otherwise the line to run.
need_packages() {
    command -v apt-get >/dev/null ||
        die "install what Debian calls '$*' (Fedora: python3, mesa-libGL, glib2) and run this again"
    if [[ $EUID -ne 0 ]]; then
        say "a system package is missing. Run this line, then the same command again:"
        printf '    sudo apt-get install -y %s\n' "$*" >&2
        exit 1
    fi
    say "installing the Debian packages $*"
    quietly apt-get -o DPkg::Lock::Timeout=120 update
    quietly env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 \
        install -y --no-install-recommends "$@"
}

# True where folder $1 is a working environment that was made for this very place: one that was copied
# or moved has scripts which start the old place's Python, and an upgraded system may have lost its Python.
env_works() {
    head -n 3 "$1/bin/pip" 2>/dev/null | grep -qF "$1/bin/python" && "$1/bin/python" -c 'import pip' 2>/dev/null
}

make_env() {
    local folder=$1 python=$2
    if env_works "$folder"; then
        return
    fi
    # Debian splits venv from Python; the error of `python3 -m venv` comes after half the work.
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        need_packages "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    # --clear would empty whatever folder PARTSIGHT_TRAINING_ENV names: only an environment may go.
    if [[ -d $folder && ! -f $folder/pyvenv.cfg && -n $(ls -A "$folder") ]]; then
        die "$folder is in the way: not empty, and no Python environment"
    fi
    say "making $folder with $("$python" --version)"
    mkdir -p "$(dirname "$folder")"
    quietly "$python" -m venv --clear "$folder"
}

install() {
    local folder=$1
    shift
    # Wheels only: a package without one for this machine should say so, not start a compiler.
    quietly "$folder/bin/python" -m pip install --disable-pip-version-check --only-binary :all: "$@"
}

# opencv-python links against libGL and GLib, which a headless system may lack.
check_opencv() {
    local python=$1/bin/python error
    error=$("$python" -c 'import cv2' 2>&1) && return
    case $error in
    *libGL.so* | *libgthread* | *libglib*) need_packages libgl1 libglib2.0-0 ;;
    esac
    error=$("$python" -c 'import cv2' 2>&1) || die "OpenCV cannot be imported: $error"
}

# The tests of the MQTT output use the real broker. Debian puts it where an ordinary user's PATH does not look.
check_mosquitto() {
    PATH=$PATH:/usr/sbin command -v mosquitto >/dev/null && command -v mosquitto_sub >/dev/null && return
    need_packages mosquitto mosquitto-clients
}

# Qt links against EGL, xkbcommon and D-Bus; where a display is there, its plug-in needs X's helpers too.
check_qt() {
    local python=$1/bin/python error
    error=$("$python" -c 'from PySide6 import QtWidgets, QtNetwork, QtSvg' 2>&1) && return
    need_packages libegl1 libgl1 libxkbcommon0 libxkbcommon-x11-0 libdbus-1-3 libfontconfig1 libxcb-cursor0 \
        libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-shape0
    error=$("$python" -c 'from PySide6 import QtWidgets, QtNetwork, QtSvg' 2>&1) ||
        die "PySide6 cannot be imported: $error"
}

# Screenshots of the screen need real fonts, Chinese too; the wallboard is tested in a real browser.
check_screens() {
    command -v Xvfb >/dev/null && command -v xwininfo >/dev/null && command -v chromium >/dev/null && command -v fc-list >/dev/null &&
        [[ -n $(fc-list :lang=zh-cn) ]] && return
    need_packages xvfb x11-utils chromium fontconfig fonts-dejavu-core fonts-noto-cjk
}

# The units of deploy/ are checked by systemd's own program; nothing of it runs.
check_systemd() {
    command -v systemd-analyze >/dev/null || need_packages systemd
}

# Built once for each Python and machine, into a folder beside the training environment. Where it cannot be built, the
# tests of it are skipped, and say so.
install_pycuda() {
    local python=$1/bin/python wheels tag why status=0
    tag=$("$python" -c 'import platform, sys; print("cp%d%d-%s" % (*sys.version_info[:2], platform.machine()))')
    wheels=$(dirname "$training")/wheels/pycuda-$pycuda-$tag
    if ! compgen -G "$wheels/*.whl" >/dev/null; then
        mkdir -p "$wheels"
        why=$wheels/build.log
        say "building pycuda $pycuda in $wheels (some minutes, this once)"
        "$root/scripts/pycuda_wheel.sh" "$python" "$pycuda" "$wheels" >"$why" 2>&1 </dev/null 9>&- || status=$?
        if ((status)); then
            if ((status == 3)); then why=$(cat "$why"); else why="see $why"; fi
            say "pycuda was not built, and its tests will be skipped: $why"
            return
        fi
    fi
    quietly "$python" -m pip install --disable-pip-version-check --no-deps --no-index "$wheels"/*.whl
}

# A hash of all that decides what an environment holds.
fingerprint() {
    cat "$@" "$root/scripts/setup.sh" | sha256sum | cut -d ' ' -f 1
}

current() { [[ "$(cat "$1/$2" 2>/dev/null)" == "$3" ]] && env_works "$1"; }

# The tests' .venv is made of gpu.txt, which holds all of test.txt and what tests/gpu need.
lock_of() { printf '%s\n' "$root/requirements/${1/test/gpu}.txt"; }

# $1: runtime, screen or test. Each lock holds the versions of the ones before it and more, so its .venv serves them too.
project_fingerprint() {
    fingerprint "$(lock_of "$1")" "$root/pyproject.toml" "$root/inspect/partsight/__init__.py"
}

setup_project() {
    local kind=$1 lock folder=$root/.venv print python
    lock=$(lock_of "$kind")
    print=$(project_fingerprint "$kind")
    current "$folder" ".partsight-$kind" "$print" && return
    if [[ $kind != test ]] && current "$folder" .partsight-test "$(project_fingerprint test)"; then
        return
    fi
    python=$(find_python)
    make_env "$folder" "$python"
    say "installing the packages of requirements/${lock##*/} (a minute or two, this once)"
    install "$folder" -r "$lock"
    quietly "$folder/bin/python" -m pip install --disable-pip-version-check --no-deps --editable "$root"
    check_opencv "$folder"
    if [[ $kind != runtime ]]; then check_qt "$folder"; fi
    if [[ $kind == test ]]; then
        install_pycuda "$folder"
        check_mosquitto
        check_screens
        check_systemd
    fi
    printf '%s\n' "$print" >"$folder/.partsight-$kind"
}

setup_training() {
    local print python
    print=$(fingerprint "$root/requirements/training.txt" "$root/requirements/torch.txt")
    current "$training" .partsight-training "$print" && return
    python=$(find_python)
    make_env "$training" "$python"
    say "installing torch and the packages of requirements/training.txt in $training (gigabytes, this once)"
    # The project itself stays out: the tests find it by PYTHONPATH, so that one environment serves every checkout.
    install "$training" -r "$root/requirements/torch.txt" -r "$root/requirements/training.txt"
    check_opencv "$training"
    printf '%s\n' "$print" >"$training/.partsight-training"
}

# One set-up at a time; the lock is on a file that is always there, so nothing is left behind.
wait_for_others() {
    exec 9<"$root/pyproject.toml"
    if command -v flock >/dev/null; then flock 9; fi
}

case ${1:-} in
demo) wait_for_others && setup_project "$([[ -n ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]] && echo screen || echo runtime)" ;;
test) wait_for_others && setup_project test ;;
training) wait_for_others && setup_training ;;
where) printf '%s\n' "$training" ;;
*) die "say what to set up: demo, test, training or where" ;;
esac
