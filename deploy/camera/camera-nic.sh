#!/usr/bin/env bash
# Tunes one network interface for GigE Vision cameras: camera-nic.sh eth1
# What a driver cannot do is said and left: a camera works without it, only with less room.
# PARTSIGHT_ROOT: a folder that stands for / (tests).
set -euo pipefail

nic=${1:?say which interface: camera-nic.sh eth1}
root=${PARTSIGHT_ROOT:-}
failed=0

say() { printf 'camera-nic: %s: %s\n' "$nic" "$*"; }

[[ -d $root/sys/class/net/$nic ]] || {
    say "there is no such interface; \`ip link\` lists them" >&2
    exit 1
}

# Nine packets fewer for each one: the interrupt rate, and what Python must take in, fall with it.
if ! ip link set dev "$nic" mtu 9000; then
    say "takes no jumbo frames: leave the camera's packet size at 1500, or use another adapter"
    failed=1
fi

# Cameras with addresses of another network (169.254.x.x) answer too: their packets must not be dropped as spoofed.
printf '0\n' >"$root/proc/sys/net/ipv4/conf/$nic/rp_filter"

# The adapter's receive ring as long as it can be: the second number after "RX:" is the current one.
ring=$(ethtool -g "$nic" 2>/dev/null | awk '/^RX:/ {print $2; exit}') || ring=
if [[ ! $ring =~ ^[0-9]+$ ]] || ! ethtool -G "$nic" rx "$ring" 2>/dev/null; then
    say "its receive ring cannot be changed"
fi
# Energy Efficient Ethernet sleeps between two packets; waking up takes longer than some cameras' gap.
ethtool --set-eee "$nic" eee off 2>/dev/null || say "has no EEE to switch off"
exit "$failed"
