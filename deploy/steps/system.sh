# shellcheck shell=bash disable=SC2034,SC2154 # the variables are install.sh's
# What belongs to the machine rather than to one version: the user, folders, units, rules of the kernel. Sourced by install.sh.

station=/etc/partsight/station.toml
state=/var/lib/partsight
stamp=/opt/partsight/applied

# The installer's files: source below deploy/, and where it goes. One list for putting, applying and removing.
system_file_list() {
    local unit
    for unit in partsight.service partsight-engine@.service partsight-settle.service partsight-camera-nic@.service; do
        printf '%s %s\n' "systemd/$unit" "/etc/systemd/system/$unit"
    done
    printf '%s %s\n' \
        systemd/journald.conf /etc/systemd/journald.conf.d/partsight.conf \
        camera/70-partsight-cameras.rules /etc/udev/rules.d/70-partsight-cameras.rules \
        camera/60-partsight-cameras.conf /etc/sysctl.d/60-partsight-cameras.conf \
        camera/partsight-usb.conf /etc/tmpfiles.d/partsight-usb.conf
    if [[ $profile == jetson ]]; then
        printf '%s %s\n' systemd/partsight-power.service /etc/systemd/system/partsight-power.service
    fi
    if [[ $with_screen == yes ]]; then
        printf '%s %s\n' systemd/partsight-gui.service /etc/systemd/user/partsight-gui.service
    fi
}

make_user() {
    local group
    if ! getent passwd partsight >/dev/null; then
        run useradd --system --user-group --home-dir "$state" --no-create-home --shell /usr/sbin/nologin partsight
    fi
    # Cameras, and the GPU's nodes on a Jetson and a desktop.
    for group in video render; do
        if getent group "$group" >/dev/null && [[ " $(id -nG partsight 2>/dev/null) " != *" $group "* ]]; then
            run usermod --append --groups "$group" partsight
        fi
    done
}

# $1: mode, $2: owner, $3: path below the root.
make_folder() {
    if [[ $(stat -c '%a %U' "$root$3" 2>/dev/null) == "$1 $2" ]]; then return 0; fi
    run mkdir -p "$root$3"
    run chown "$2:partsight" "$root$3"
    run chmod "$1" "$root$3"
}

make_folders() {
    make_folder 750 root /etc/partsight
    make_folder 750 partsight /etc/partsight/recipes
    make_folder 750 partsight "$state"
    make_folder 700 partsight "$state/backups"
    if [[ -f $root$station && $(stat -c '%a %G' "$root$station") != "640 partsight" ]]; then
        run chown root:partsight "$root$station"
        run chmod 640 "$root$station"
    fi
}

accelerator_nodes() { find "$root/dev" -maxdepth 3 \( -path "$root/dev/nv*" -o -path "$root/dev/dri/renderD*" \) ! -type d; }

# Which nodes of accelerators the daemon may open, as they are on this machine now.
write_device_list() {
    local node lines=('# Written by the installer: the accelerator nodes of this machine.' '[Service]') unit
    while read -r node; do
        lines+=("DeviceAllow=${node#"$root"} rw")
    done < <(accelerator_nodes | LC_ALL=C sort)
    if ((${#lines[@]} == 2)); then return 0; fi
    for unit in partsight.service partsight-engine@.service; do
        changing "/etc/systemd/system/$unit.d/10-devices.conf" "${lines[@]}"
    done
}

# A data folder on another disk: only that one may be written besides the state folder.
write_data_folder() {
    local data unit
    data=$(data_folder "$root$versions/$id")
    if [[ -z $data || $data == "$state"/* ]]; then return 0; fi
    for unit in partsight.service partsight-engine@.service; do
        changing "/etc/systemd/system/$unit.d/20-data.conf" '[Unit]' "RequiresMountsFor=$data" '[Service]' \
            "ReadWritePaths=$data"
    done
}

# write_file, remembering that systemd must read again.
changing() {
    if [[ -f $root$1 && $(<"$root$1") == "$(printf '%s\n' "${@:2}")" ]]; then return 0; fi
    changed=yes
    write_file "$@"
}

# $1: the deploy folder of the version whose files shall hold.
put_system_files() {
    local from to hash
    changed=no
    while read -r from to; do
        # A version that is gone back to may not know a file of a later one.
        if [[ -f $1/$from ]] && ! cmp -s "$1/$from" "$root$to"; then
            changed=yes
            put_file "$1/$from" "$to"
        fi
    done < <(system_file_list)
    write_device_list
    write_data_folder
    hash=$(system_file_list | cut -d ' ' -f 2 | while read -r to; do cat "$root$to" 2>/dev/null || true; done | sha256sum)
    # The stamp is written last: a run that was cut off in between is applied by the next one.
    if [[ $changed == no && $(cat "$root$stamp" 2>/dev/null) == "$hash" ]]; then return 0; fi
    apply_system_files
    write_file "$stamp" "$hash"
}

apply_system_files() {
    run systemctl daemon-reload
    # --settle runs while the machine starts: all of these come by themselves then.
    if [[ $command == settle ]]; then return 0; fi
    run udevadm control --reload
    run udevadm trigger --action=change --subsystem-match=usb
    run systemd-tmpfiles --create "$root/etc/tmpfiles.d/partsight-usb.conf"
    run sysctl -q -p "$root/etc/sysctl.d/60-partsight-cameras.conf" ||
        warn "the kernel does not take all of 60-partsight-cameras.conf (in a container it may not)"
    run systemctl try-restart systemd-journald.service
}

enable() {
    if ! systemctl is-enabled --quiet "$1" 2>/dev/null; then run systemctl enable --quiet "$1"; fi
}

enable_units() {
    local nic
    enable partsight.service
    enable partsight-settle.service
    for nic in "${camera_nics[@]}"; do
        enable "partsight-camera-nic@$nic.service"
        run systemctl start "partsight-camera-nic@$nic.service" || warn "$nic could not be tuned fully: systemctl status partsight-camera-nic@$nic"
    done
    if [[ $with_screen == yes ]] && ! systemctl --global is-enabled --quiet partsight-gui.service 2>/dev/null; then
        run systemctl --global enable --quiet partsight-gui.service
    fi
    point /opt/partsight/current/venv/bin/partsight /usr/local/bin/partsight
    point /opt/partsight/current/deploy/install.sh /usr/local/sbin/partsight-deploy
}

set_power_mode() {
    local names
    if [[ -z $power_mode ]]; then return 0; fi
    [[ $profile == jetson ]] || die "--power-mode is for a Jetson"
    names=$(PARTSIGHT_ROOT=$root "$here/jetson/power-mode.sh" list)
    grep -qxF "$power_mode" <<<"$names" || die "$power_mode is none of this board's power modes: ${names//$'\n'/ }"
    if [[ $max_clocks == yes ]]; then
        write_file /etc/partsight/power-mode "$power_mode" clocks
    else
        write_file /etc/partsight/power-mode "$power_mode"
    fi
    enable partsight-power.service
    run systemctl restart partsight-power.service ||
        warn "the power mode could not be set now: systemctl status partsight-power"
}
