# shellcheck shell=bash disable=SC2034,SC2154 # the variables are install.sh's
# One version of partsight in a folder of its own, side by side with the one that runs. Sourced by install.sh.

versions=/opt/partsight/versions

# Everything that decides what a version holds: source, models, locked list, this installer, Python, kind of machine.
make_id() {
    local hash
    # The copy in an installed version, partsight-deploy: nothing else can be installed from it.
    if [[ -f $source/complete ]]; then
        id=$(<"$source/complete")
        return 0
    fi
    version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$source/inspect/partsight/__init__.py")
    [[ -n $version ]] || die "$source is no release of partsight: inspect/partsight/__init__.py names no version"
    hash=$(cd "$source" && find inspect/partsight models configs deploy "$lock" pyproject.toml -type f \
        ! -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum |
        cat - <(printf '%s\n' "$profile" "$jetpack" "$python_version") | sha256sum | cut -c 1-8)
    id=$version-$hash
}

pip_install() {
    run env PYTHONNOUSERSITE=1 "$1/venv/bin/python" -m pip install --disable-pip-version-check --no-cache-dir --no-deps \
        "${pip_source[@]}" "${@:2}"
}

# pycuda has no wheels: it is built here, against this machine's CUDA. cuda-bindings is in the list and serves as well.
try_pycuda() {
    local cuda=$root/usr/local/cuda/bin pin
    pin=$(grep -v '^#' "$source/deploy/jetson/pycuda.txt")
    if [[ ! -x $cuda/nvcc ]]; then
        say "no CUDA toolkit in /usr/local/cuda: pycuda is not built, cuda-bindings serves"
        return 0
    fi
    say "building $pin (some minutes)"
    PATH=$cuda:$PATH pip_install "$1" "$pin" || say "$pin could not be built here: cuda-bindings serves"
}

# Refuses a pip tensorrt, numpy or opencv that hides the system's.
check_shadows() {
    if [[ $profile == jetson ]]; then
        run env PYTHONNOUSERSITE=1 "$1/venv/bin/python" -m partsight.cli.jetpack ||
            die "the packages above hide those of JetPack: remove them as it says, then run this again"
    fi
}

make_version() {
    local folder=$root$versions/$id options=()
    if [[ $with_screen == yes && $profile == service && $source == "$folder" ]]; then
        "$folder/venv/bin/python" -c 'import PySide6' 2>/dev/null ||
            die "this version was installed without the screen: run the installer of the release with --with-screen"
    fi
    if [[ $(cat "$folder/complete" 2>/dev/null) == "$id" ]]; then
        say "version $id is installed already"
        check_shadows "$folder"
        return 0
    fi
    say "installing version $id in $versions/$id"
    # An earlier run that was cut off: a virtual environment cannot be taken up where it was left.
    remove "$versions/$id"
    run mkdir -p "$folder"
    if [[ $profile == jetson ]]; then options+=(--system-site-packages); fi
    run "$python" -m venv "${options[@]}" "$folder/venv" || die "$python cannot make a virtual environment: see above"
    pip_install "$folder" --only-binary :all: -r "$source/$lock" || die "the packages of $lock could not be installed: see above"
    if [[ $profile != service ]]; then try_pycuda "$folder"; fi
    if [[ $profile == desktop ]]; then
        pip_install "$folder" -r "$source/deploy/desktop/tensorrt.txt" ||
            die "TensorRT could not be installed: NVIDIA's package index must be reachable (see deploy/desktop/README.md)"
    fi
    install_partsight "$folder"
    run cp -R "$source/deploy" "$folder/deploy"
    check_shadows "$folder"
    # Everything is on the disk before the mark that says so.
    run sync -f "$folder"
    write_file "$versions/$id/complete" "$id"
}

install_partsight() {
    local wheel=
    if [[ -n $wheels ]]; then
        wheel=$(find "$wheels" -name "partsight-$version-*.whl" | head -n 1)
        [[ -n $wheel ]] || die "$wheels holds no partsight-$version-*.whl: make it as deploy/README.md says"
    fi
    pip_install "$1" "${wheel:-$source}" || die "partsight itself could not be installed: see above"
}

# Keeps the version that runs and the one before.
remove_old_versions() {
    local folder name keep
    keep=" $(current_id) $(previous_id) $id "
    for folder in "$root$versions"/*/; do
        name=${folder%/}
        name=${name##*/}
        if [[ -d $folder && $keep != *" $name "* ]]; then
            say "removing the old version $name"
            run rm -rf "$root$versions/$name"
        fi
    done
}

# The version that a link names, or nothing.
version_of() {
    local target
    target=$(readlink "$root/opt/partsight/$1" || true)
    printf '%s' "${target##*/}"
}

current_id() { version_of current; }

previous_id() { version_of previous; }
