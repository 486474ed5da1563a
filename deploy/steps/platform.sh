# shellcheck shell=bash disable=SC2034,SC2154 # the variables are install.sh's
# Which machine this is, and whether partsight can run on it. Changes nothing. Sourced by install.sh.
# Sets: profile (jetson, desktop, service), jetpack (6, 7 or empty), lock (the list of packages), system_packages.

# Version of an installed Debian package, or nothing.
package_version() {
    local text
    # shellcheck disable=SC2016 # dpkg's own variables
    text=$(dpkg-query -W -f '${db:Status-Abbrev}${Version}' "$1" 2>/dev/null) || return 0
    if [[ $text == ?i* ]]; then printf '%s' "${text##* }"; fi
}

# L4T's release as 36.4.3, or nothing where this is no Jetson.
l4t_release() {
    local text=
    if [[ -r $root/etc/nv_tegra_release ]]; then
        text=$(sed -n '1s/^# R\([0-9]*\) (release), REVISION: \([0-9.]*\).*/\1.\2/p' "$root/etc/nv_tegra_release")
    fi
    # The file may be gone after an upgrade; the package is not.
    if [[ -z $text ]]; then
        text=$(package_version nvidia-l4t-core)
        text=${text%%-*}
    fi
    printf '%s' "$text"
}

board() { tr -d '\0' 2>/dev/null <"$root/proc/device-tree/model" || printf 'this board'; }

find_profile() {
    if [[ -n $profile ]]; then return 0; fi
    if [[ -n $(l4t_release) ]]; then
        profile=jetson
    elif [[ -e $root/proc/driver/nvidia/version ]]; then
        profile=desktop
    else
        profile=service
    fi
}

check_jetpack() {
    local l4t
    l4t=$(l4t_release)
    case $l4t in
    '') die "this is no Jetson: neither /etc/nv_tegra_release nor the package nvidia-l4t-core is there; use deploy/desktop or deploy/service" ;;
    36.[0-3] | 36.[0-3].*)
        die "JetPack 6.0 (L4T $l4t) has TensorRT 8.6, and partsight needs 10.3: put JetPack 6.2 or 7.2 on $(board) (NVIDIA: https://developer.nvidia.com/embedded/jetpack)"
        ;;
    36.*) jetpack=6 ;;
    38.*)
        die "JetPack 7.0 and 7.1 (L4T $l4t) are for Thor only, and their TensorRT 10.13 has no code for Orin's GPU: put JetPack 7.2 on $(board)"
        ;;
    39.[01] | 39.[01].*) die "L4T $l4t is a preview of JetPack 7.2: put JetPack 7.2 (L4T 39.2) or later on $(board)" ;;
    39.*) jetpack=7 ;;
    [1-9].* | [12]?.* | 3[0-57].*) die "L4T $l4t is not supported: put JetPack 6.2 or 7.2 on $(board)" ;;
    *) die "L4T $l4t is not known to this version of partsight (known: 36.4 to 36.x, 39.2 to 39.x): look for a newer one" ;;
    esac
}

# TensorRT comes with JetPack by apt; one of pip is refused by check_shadows.
check_tensorrt() {
    local version major minor
    version=$(package_version python3-libnvinfer)
    if [[ -z $version ]]; then return 0; fi
    IFS=. read -r major minor _ <<<"$version"
    if ((major < 10 || (major == 10 && minor < 3) || major > 11)); then
        die "TensorRT $version is installed, and partsight needs 10.3 to 11: install JetPack's own (sudo apt-get install --reinstall nvidia-jetpack)"
    fi
    if [[ $jetpack == 7 && $major.$minor == 10.13 && $(board) == *Orin* ]]; then
        die "TensorRT 10.13 has no code for Orin's GPU: install JetPack 7.2's own, 10.16 (sudo apt-get install python3-libnvinfer)"
    fi
}

check_python() {
    local version
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
        die "$python does not run: sudo apt-get install python3"
    case $profile$jetpack:$version in
    jetson6:3.10 | jetson7:3.12) ;;
    jetson*) die "JetPack $jetpack's own Python is needed (TensorRT is built for it), $python is $version; unset PYTHON" ;;
    *:3.10 | *:3.11 | *:3.12 | *:3.13 | *:3.14) ;;
    *) die "Python 3.10 to 3.14 is needed, $python is $version; PYTHON=/usr/bin/python3.12 names another" ;;
    esac
    python_version=$version
}

# An NVIDIA driver from 535 on (CUDA 12.2): our kernel is PTX 8.2.
check_driver() {
    local version
    version=$(sed -n '1s/.*Kernel Module[^0-9]*\([0-9]*\)\..*/\1/p' "$root/proc/driver/nvidia/version" 2>/dev/null || true)
    if [[ -z $version ]]; then
        die "no NVIDIA driver is loaded: install it (Ubuntu: sudo ubuntu-drivers install), or use deploy/service"
    fi
    if ((version < 535)); then
        die "the NVIDIA driver is $version, and 535 or later is needed: sudo ubuntu-drivers install"
    fi
}

check_room() {
    local free
    free=$(df -Pk "$root/opt" | awk 'NR == 2 {print int($4 / 1024)}')
    if ((free < 3000)); then die "$free MB are free on the disk of /opt, and 3000 are needed: free some"; fi
}

check_platform() {
    local nic
    find_profile
    system_packages=(python3-venv)
    case $profile in
    jetson)
        check_jetpack
        check_tensorrt
        lock=requirements/jetson-jp$jetpack.txt
        system_packages+=(python3-libnvinfer python3-dev g++)
        # The system's OpenCV has GStreamer, which CSI cameras need; one that was built by hand serves as well.
        if ! "$python" -c 'import cv2' 2>/dev/null; then
            if [[ $jetpack == 6 ]]; then system_packages+=(libopencv-python); else system_packages+=(python3-opencv); fi
        fi
        ;;
    desktop)
        check_driver
        lock=requirements/screen.txt
        system_packages+=(libgl1 'libglib2.0-0|libglib2.0-0t64' python3-dev g++)
        ;;
    service)
        lock=requirements/runtime.txt
        if [[ $with_screen == yes ]]; then lock=requirements/screen.txt; fi
        system_packages+=(libgl1 'libglib2.0-0|libglib2.0-0t64')
        ;;
    *) die "there is no profile $profile: jetson, desktop or service" ;;
    esac
    if [[ $with_screen == yes ]]; then
        system_packages+=(libegl1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1
            libxcb-render-util0 libxcb-shape0)
    fi
    for nic in "${camera_nics[@]}"; do
        [[ -d $root/sys/class/net/$nic ]] || die "there is no network interface $nic: \`ip link\` lists them"
        system_packages+=(ethtool)
    done
    check_python
    check_room
    say "$profile${jetpack:+, JetPack $jetpack (L4T $(l4t_release)), $(board)}, Python $python_version"
}

# Installs what is missing, never upgrades what is there. `a|b`: either will do, and apt finds the right one by the first.
install_packages() {
    local entry name missing=()
    for entry in "${system_packages[@]}"; do
        for name in ${entry//|/ }; do
            if [[ -n $(package_version "$name") ]]; then continue 2; fi
        done
        missing+=("${entry%%|*}")
    done
    if ((${#missing[@]} == 0)); then return 0; fi
    say "installing the packages ${missing[*]}"
    if [[ -n $wheels ]]; then
        run env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" ||
            die "install ${missing[*]} first: with --wheels no package list is fetched"
    else
        run apt-get -o DPkg::Lock::Timeout=120 update
        run env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 \
            install -y --no-install-recommends "${missing[@]}" ||
            die "apt-get could not install ${missing[*]}: see above"
    fi
    # What has just come may be another TensorRT than JetPack's.
    if [[ $profile == jetson ]]; then check_tensorrt; fi
}
