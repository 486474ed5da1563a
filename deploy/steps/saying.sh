# shellcheck shell=bash disable=SC2034,SC2154 # the variables are install.sh's
# How the installer speaks, and the one place through which it changes anything. Sourced by install.sh.
# `return 0`, never `return`: on the way back, in the EXIT trap, a bare one gives the status from before the trap.

say() { printf 'partsight: %s\n' "$*"; }

warn() { printf 'partsight: %s\n' "$*" >&2; }

die() {
    warn "$*"
    exit 1
}

# Runs a command that changes something; with --dry-run only says it.
run() {
    if [[ $dry_run == yes ]]; then
        printf 'would run: %s\n' "$*"
    else
        "$@"
    fi
}

# $1: path below the root; the rest: its content's lines. Unchanged where it holds them already.
write_file() {
    local target=$root$1
    shift
    if [[ -f $target && $(<"$target") == "$(printf '%s\n' "$@")" ]]; then return 0; fi
    if [[ $dry_run == yes ]]; then
        printf 'would write: %s\n' "$target"
        return 0
    fi
    mkdir -p "${target%/*}"
    printf '%s\n' "$@" >"$target.new"
    sync -d "$target.new"
    mv -f "$target.new" "$target"
}

# $1: source, $2: path below the root. Never a half-written file.
put_file() {
    run install -D -m 0644 "$1" "$root$2.new"
    run mv -f "$root$2.new" "$root$2"
}

remove() {
    local path
    for path in "$@"; do
        if [[ -e $root$path || -L $root$path ]]; then run rm -rf "$root$path"; fi
    done
}

# $1: what it shall point to, $2: path below the root. There is no moment without the link.
point() {
    local link=$root$2
    if [[ -L $link && $(readlink "$link") == "$1" ]]; then return 0; fi
    run mkdir -p "${link%/*}"
    run ln -sfn "$1" "$link.new"
    run mv -fT "$link.new" "$link"
    run sync -f "${link%/*}"
}
