#!/usr/bin/env bash
# Installs, updates, rolls back and removes partsight. Run it again as often as you like: what is done already stays.
#
#   install.sh                      install, or update: the new version beside the old one, checked, then switched to;
#                                   where the station does not come up, the old one runs again
#   install.sh --rollback           back to the version before (--restore-records: with the records of then)
#   install.sh --uninstall          remove it; configuration, records and images stay (--purge: they go too)
#   install.sh --dry-run ...        say what would be done, change nothing
#
#   --profile jetson|desktop|service    which machine this is; found out where it is not said
#   --with-screen                   the operator's screen too; asked for once, kept by updates
#   --camera-nic NIC                tune this network interface for GigE Vision cameras (more than once for several)
#   --power-mode NAME               Jetson: this power mode at each start (--max-clocks: its clocks held at maximum)
#   --wheels FOLDER                 no network: take every Python package from this folder
#
# PYTHON names the interpreter. PARTSIGHT_ROOT names a folder that stands for / (tests); PARTSIGHT_SETTLE_S says how long
# a new version is watched (30 seconds).
set -euo pipefail
umask 022

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd -P)
source=$(dirname "$here")
root=${PARTSIGHT_ROOT:-}
python=${PYTHON:-/usr/bin/python3}
settle_s=${PARTSIGHT_SETTLE_S:-30}

command=install
dry_run=no with_screen=no purge=no restore=no max_clocks=no
profile='' jetpack='' lock='' python_version='' version='' id='' wheels='' power_mode='' backup='' on_probation='' changed=no
camera_nics=() system_packages=() pip_source=()

# shellcheck source=deploy/steps/saying.sh
source "$here/steps/saying.sh"
# shellcheck source=deploy/steps/platform.sh
source "$here/steps/platform.sh"
# shellcheck source=deploy/steps/version.sh
source "$here/steps/version.sh"
# shellcheck source=deploy/steps/system.sh
source "$here/steps/system.sh"
# shellcheck source=deploy/steps/line.sh
source "$here/steps/line.sh"

usage() { sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p}' "$here/install.sh"; }

# $1: option, $2: how many words are left.
needs_value() { (($2 >= 2)) || die "$1 needs a value; --help lists all"; }

while (($#)); do
    case $1 in
    --rollback) command=roll_back ;;
    --uninstall) command=uninstall ;;
    --settle) command=settle ;;
    --restore-records) restore=yes ;;
    --purge) purge=yes ;;
    --dry-run) dry_run=yes ;;
    --with-screen) with_screen=yes ;;
    --max-clocks) max_clocks=yes ;;
    --profile | --camera-nic | --power-mode | --wheels)
        needs_value "$1" $#
        case $1 in
        --profile) profile=$2 ;;
        --camera-nic) camera_nics+=("$2") ;;
        --power-mode) power_mode=$2 ;;
        --wheels)
            wheels=$(cd "$2" 2>/dev/null && pwd -P) || die "there is no folder $2"
            pip_source=(--no-index --find-links "$wheels")
            ;;
        esac
        shift
        ;;
    -h | --help)
        usage
        exit
        ;;
    *) die "$1 is not known; --help lists what is" ;;
    esac
    shift
done

[[ $dry_run == yes || $(id -u) == 0 ]] || die "this changes the system, so it must be root: sudo $0"
[[ $purge == no || $command == uninstall ]] || die "--purge goes with --uninstall"
[[ $restore == no || $command == roll_back ]] || die "--restore-records goes with --rollback"
[[ -d $root/opt ]] || die "there is no $root/opt"
# One at a time; a lock on a folder that is always there leaves nothing behind.
exec 9<"$root/opt"
flock -n 9 || die "another installer is at work: wait for it"
# The station's user may not look into every folder that root stands in.
cd "$root/"
# A terminal that is closed in the middle must not end it.
trap '' HUP
trap go_back EXIT
# Asked for once.
if [[ -e $root/etc/systemd/user/partsight-gui.service ]]; then with_screen=yes; fi

install_all() {
    find_profile
    settle
    check_platform
    make_id
    install_packages
    make_user
    make_folders
    make_version
    check_station
    set_power_mode
    build_engine
    switch
    remove_old_versions
}

case $command in
install) install_all ;;
roll_back)
    find_profile
    roll_back
    ;;
settle)
    find_profile
    settle
    ;;
uninstall) uninstall ;;
esac
