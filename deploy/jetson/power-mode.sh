#!/usr/bin/env bash
# Sets the power mode whose NAME stands in /etc/partsight/power-mode. Numbers are never used: mode 0 is not the same
# on two boards, nor on two JetPacks. A second line `clocks` holds the clocks at the mode's maximum.
#   power-mode.sh         set it
#   power-mode.sh list    the names that this board has
# PARTSIGHT_ROOT: a folder that stands for / (tests).
set -euo pipefail

root=${PARTSIGHT_ROOT:-}
list=$root/etc/nvpmodel.conf
wish=$root/etc/partsight/power-mode

die() {
    printf 'power mode: %s\n' "$*" >&2
    exit 1
}

# "ID NAME" for each `< POWER_MODEL ID=0 NAME=MAXN >`.
modes() { sed -n 's/^< *POWER_MODEL *ID=\([0-9]*\) *NAME=\([^ >]*\).*/\1 \2/p' "$list"; }

# The number of the mode that is on: nvpmodel prints it alone, on its last line.
now() { nvpmodel -q 2>/dev/null | tail -n 1; }

[[ -r $list ]] || die "there is no $list: this board's JetPack has no power modes"
if [[ ${1:-} == list ]]; then
    modes | cut -d ' ' -f 2
    exit
fi

[[ -r $wish ]] || die "there is no $wish: write a name into it, one of $(modes | cut -d ' ' -f 2 | paste -sd ' ')"
{ read -r name && read -r clocks; } <"$wish" || clocks=
id=$(modes | awk -v name="$name" '$2 == name {print $1; exit}')
[[ -n $id ]] || die "$name is none of this board's modes ($(modes | cut -d ' ' -f 2 | paste -sd ' ')); correct $wish"

if [[ $(now) != "$id" ]]; then
    # Some changes need a restart of the machine, and nvpmodel asks: never in the middle of production.
    nvpmodel -m "$id" <<<no
    [[ $(now) == "$id" ]] ||
        die "$name needs a restart of the machine: sudo nvpmodel -m $id, and answer yes when the line stands"
fi
if [[ $clocks == clocks ]]; then jetson_clocks; fi
printf 'power mode: %s%s\n' "$name" "${clocks:+, clocks at its maximum}"
