# shellcheck shell=bash disable=SC2034,SC2154 # the variables are install.sh's
# The line itself: is it ready for another version, the change over, the look whether it runs, and the way back.
# Sourced by install.sh.

probation=/opt/partsight/probation

# Runs a command as the station's own user, who is all that the daemon is.
as_station() {
    # Not runuser: its PAM session would wait for a login service while the machine starts.
    setpriv --reuid=partsight --regid=partsight --init-groups env HOME="$root$state" PYTHONNOUSERSITE=1 "$@"
}

# The data folder of the station, or nothing. $1: folder of the version that is asked.
data_folder() {
    local data
    if [[ ! -f $root$station || ! -x $1/venv/bin/python ]]; then return 0; fi
    data=$(as_station "$1/venv/bin/python" "$1/deploy/steps/station.py" data "$root$station" 2>/dev/null || true)
    printf '%s' "${data#"$root"}"
}

# Whether the running station judges: yes, no, or nothing where it has no API to ask.
is_ready() {
    as_station "$root/opt/partsight/current/venv/bin/python" "$root/opt/partsight/current/deploy/steps/station.py" \
        ready "$root$station" 2>/dev/null || true
}

# Whatever can be found out before the line is touched.
check_station() {
    local bin=$root$versions/$id/venv/bin
    if [[ ! -f $root$station ]]; then return 0; fi
    run as_station "$bin/partsight" check "$root$station" ||
        die "version $id does not take this station's configuration (see above); nothing was switched"
    # It writes to the disk that the running line commits to.
    if [[ $(current_id) == "$id" ]]; then return 0; fi
    run as_station "$bin/partsight" doctor "$root$station" ||
        die "version $id cannot run here (see above); nothing was switched"
}

build_engine() {
    local unit=$source/deploy/systemd/partsight-engine@.service
    if [[ $profile == service || ! -f $root$station ]]; then return 0; fi
    changed=no
    write_device_list
    write_data_folder
    if ! cmp -s "$unit" "$root/etc/systemd/system/partsight-engine@.service"; then
        changed=yes
        put_file "$unit" /etc/systemd/system/partsight-engine@.service
    fi
    if [[ $changed == yes ]]; then run systemctl daemon-reload; fi
    say "building the engine (minutes; at once where it is there): journalctl -fu partsight-engine@$id"
    run systemctl start "partsight-engine@$id.service" ||
        die "the engine could not be built: journalctl -u partsight-engine@$id; nothing was switched"
}

# The records as the old version left them: a new one may change the database so that the old one cannot read it.
make_backup() {
    local data old=$root$versions/$1
    data=$(data_folder "$old")
    if [[ -z $data || ! -f $root$data/records.db ]]; then return 0; fi
    backup=$root$state/backups/$1-$(date -u +%Y%m%dT%H%M%SZ).tar.gz
    run as_station "$old/venv/bin/partsight" backup "$root$station" "$backup" ||
        die "no backup could be made (see above); nothing was switched"
    # This one and the two before.
    find "$root$state/backups" -name '*.tar.gz' -printf '%T@ %p\n' | sort -n | head -n -3 | cut -d ' ' -f 2- |
        while read -r old; do run rm -f "$old"; done
}

# $1: version that is gone back to. What was recorded since lies beside the data folder, under another name.
restore_records() {
    local data old=$root$versions/$1
    data=$(data_folder "$old")
    if [[ -z $backup ]]; then
        backup=$(find "$root$state/backups" -name "$1-*.tar.gz" 2>/dev/null | LC_ALL=C sort | tail -n 1)
    fi
    if [[ -z $data || -z $backup ]]; then return 1; fi
    warn "the records go back to ${backup##*/}; what came after it is kept as $data.before-restore-TIME"
    run systemctl stop partsight.service
    run as_station "$old/venv/bin/partsight" restore "$backup" "$root$data" --force
}

# Starts the station, and looks for a while whether it stays. $1: yes where it must also judge parts.
comes_up() {
    local restarts second
    if [[ $dry_run == yes ]]; then
        run systemctl restart partsight.service
        return 0
    fi
    systemctl restart partsight.service || return 1
    restarts=$(systemctl show --property=NRestarts --value partsight.service)
    for ((second = 1; ; second++)); do
        sleep 1
        systemctl is-active --quiet partsight.service || return 1
        [[ $(systemctl show --property=NRestarts --value partsight.service) == "$restarts" ]] || return 1
        if ((second >= settle_s)) && [[ $1 != yes || $(is_ready) == yes ]]; then break; fi
        # Its self-test takes a while before it judges.
        if ((second >= settle_s + 60)); then return 1; fi
    done
    as_station "$root/opt/partsight/current/venv/bin/partsight" check "$root$station" >/dev/null
}

# $1: version to run from now on.
activate() {
    local deploy=$root$versions/$1/deploy
    if [[ $dry_run == yes && ! -d $deploy ]]; then deploy=$source/deploy; fi
    put_system_files "$deploy"
    point "versions/$1" /opt/partsight/current
}

switch() {
    local before ready=
    before=$(current_id)
    if [[ $before == "$id" ]]; then
        activate "$id"
        enable_units
        if [[ -f $root$station ]] && ! systemctl is-active --quiet partsight.service; then
            comes_up no || die "the station does not come up: journalctl -u partsight"
        fi
        say "version $id runs already"
        return 0
    fi
    if [[ -n $before && -f $root$station ]]; then
        make_backup "$before"
        ready=$(is_ready)
        point "versions/$before" /opt/partsight/previous
        write_file "$probation" "$before"
        on_probation=$before
    fi
    activate "$id"
    enable_units
    if [[ ! -f $root$station ]]; then
        say "version $id is installed; there is no $station yet: write one (partsight init), then run this again"
        return 0
    fi
    if [[ $restore == yes ]]; then restore_records "$id" || die "there is no backup of version $id to restore"; fi
    comes_up "$ready" || die "version $id does not come up: journalctl -u partsight"
    on_probation=
    remove "$probation"
    say "version $id runs"
}

# When the installer ends, for whatever reason, with a version on probation: back to the one before.
go_back() {
    local old=$on_probation
    if [[ -z $old || $dry_run == yes ]]; then return 0; fi
    on_probation=
    warn "going back to version $old"
    activate "$old"
    if ! comes_up no; then
        # The new version may have changed the records' database.
        if ! restore_records "$old" || ! comes_up no; then
            warn "version $old does not come up either: journalctl -u partsight. systemd goes on trying; until then every part is rejected"
            return 0
        fi
    fi
    remove "$probation"
    warn "version $old runs again"
}

# After a power cut in the middle of an update, before the line starts.
settle() {
    local old
    old=$(cat "$root$probation" 2>/dev/null || true)
    if [[ -z $old || ! -d $root$versions/$old ]]; then return 0; fi
    id=$old
    warn "the last update was interrupted: version $old again"
    activate "$old"
    remove "$probation"
    # Not while the machine starts: the line waits for this unit then.
    if [[ $command != settle ]]; then run systemctl try-restart partsight.service; fi
}

roll_back() {
    id=$(previous_id)
    [[ -n $id && $id != $(current_id) ]] || die "there is no version before this one"
    source=$root$versions/$id
    check_station
    build_engine
    switch
}

uninstall() {
    local unit to
    for unit in partsight.service partsight-power.service partsight-settle.service; do
        if [[ -e $root/etc/systemd/system/$unit ]]; then run systemctl disable --quiet --now "$unit"; fi
    done
    for unit in "$root"/etc/systemd/system/multi-user.target.wants/partsight-camera-nic@*.service; do
        if [[ -L $unit ]]; then run systemctl disable --quiet --now "$(basename "$unit")"; fi
    done
    if [[ -e $root/etc/systemd/user/partsight-gui.service ]]; then
        run systemctl --global disable --quiet partsight-gui.service
    fi
    with_screen=yes profile=jetson
    while read -r _ to; do remove "$to"; done < <(system_file_list)
    remove /etc/systemd/system/partsight.service.d /etc/systemd/system/partsight-engine@.service.d
    remove /usr/local/bin/partsight /usr/local/sbin/partsight-deploy /opt/partsight
    run systemctl daemon-reload
    run udevadm control --reload
    if [[ $purge == yes ]]; then
        remove /etc/partsight "$state"
        if getent passwd partsight >/dev/null; then run userdel partsight; fi
        say "removed, with configuration, records and images below $state (a data folder elsewhere stays)"
    else
        say "removed; configuration, records and images stay in /etc/partsight and $state (--purge removes them)"
    fi
}
