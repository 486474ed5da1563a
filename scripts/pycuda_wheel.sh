#!/usr/bin/env bash
# Builds pycuda's wheel, which no index has, without a GPU and without the CUDA toolkit.
#
#   scripts/pycuda_wheel.sh PYTHON VERSION FOLDER
#
# Puts the wheel into FOLDER. cuda.h comes from the package nvidia-cuda-runtime-cu12 in PYTHON's environment, or from
# CUDA_HOME (/usr/local/cuda). Exit status 3, and one line that says why, where it cannot be built. Some minutes.
set -euo pipefail

python=$1 version=$2 folder=$3

cannot() {
    printf '%s\n' "$*" >&2
    exit 3
}

headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/nvidia/cuda_runtime/include
[[ -f $headers/cuda.h ]] || headers=${CUDA_HOME:-/usr/local/cuda}/include
[[ -f $headers/cuda.h ]] || cannot "no cuda.h: install the CUDA toolkit, or set CUDA_HOME"
command -v g++ >/dev/null || cannot "no C++ compiler: install g++"
"$python" - <<'END' || cannot "no Python.h: install python3-dev"
import pathlib, sys, sysconfig
sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").is_file())
END

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/include" "$work/lib" "$work/wheel"

# The package has no cudaProfiler.h; these are the three calls that pycuda takes from it.
[[ -f $headers/cudaProfiler.h ]] || cat >"$work/include/cudaProfiler.h" <<'END'
#pragma once
#include <cuda.h>
extern "C" {
typedef enum CUoutput_mode_enum { CU_OUT_KEY_VALUE_PAIR = 0, CU_OUT_CSV = 1 } CUoutput_mode;
CUresult cuProfilerInitialize(const char *, const char *, CUoutput_mode);
CUresult cuProfilerStart(void);
CUresult cuProfilerStop(void);
}
END

# Something called libcuda.so.1 to link with; the machine's own driver takes its place when pycuda is imported.
echo 'extern "C" int cuInit(unsigned) { return 100; }' >"$work/stub.cpp"
g++ -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$work/lib/libcuda.so" "$work/stub.cpp"

pip=("$python" -m pip --disable-pip-version-check --quiet)
"${pip[@]}" download --no-deps --no-binary pycuda --dest "$work" "pycuda==$version"
tar -xf "$work/pycuda-$version.tar.gz" -C "$work"
cat >"$work/pycuda-$version/siteconf.py" <<END
CUDA_ROOT = "$work"
CUDA_INC_DIR = ["$headers", "$work/include"]
CUDADRV_LIB_DIR = ["$work/lib"]
CUDA_ENABLE_CURAND = False
END
"${pip[@]}" wheel --no-deps --wheel-dir "$work/wheel" "$work/pycuda-$version"

mkdir -p "$folder"
# Whole or not at all: another set-up may look at the same time.
for wheel in "$work/wheel"/*.whl; do
    cp "$wheel" "$folder/.$$"
    mv "$folder/.$$" "$folder/${wheel##*/}"
done
