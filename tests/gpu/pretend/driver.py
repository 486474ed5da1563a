"""Builds the pretend driver and the kernels with g++, into a cache, and describes how processes get to use them."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent / "cuda"
KERNELS = ROOT / "inspect/partsight/detectors/tensorrt/kernels"
PACKAGES = ("pycuda", "cuda-bindings")
MODES = ("eager", "deferred")

FLAGS = ("-std=c++17", "-Wall", "-Werror", "-fPIC", "-shared")


@dataclass(frozen=True, slots=True)
class PretendDriver:
    """folder: holds libcuda.so.1. kernels: the compiled CUDA source that it runs."""

    folder: Path
    kernels: Path

    def environment(self, mode: str = "eager", **faults: int) -> dict[str, str]:
        """What a process needs to find this driver; faults: the driver's knobs, as `oom_at=3`."""
        knobs = {f"FAKECUDA_{name.upper()}": str(value) for name, value in faults.items()}
        return {
            "LD_LIBRARY_PATH": str(self.folder),
            "FAKECUDA_KERNELS": str(self.kernels),
            "FAKECUDA_MODE": mode,
            **knobs,
        }


@functools.cache
def missing() -> str:
    """Why there can be no pretend driver here, or an empty string."""
    return (
        "" if shutil.which("g++") and shutil.which("nm") else "g++ and binutils are needed to build the pretend driver"
    )


def missing_package(package: str) -> str:
    """Why a CUDA package cannot be tested here, or an empty string."""
    module = {"pycuda": "pycuda", "cuda-bindings": "cuda"}[package]
    found = importlib.util.find_spec(module)
    if found is not None and (package == "pycuda" or importlib.util.find_spec("cuda.bindings") is not None):
        return ""
    cure = (
        "needs g++ and cuda.h; `scripts/setup.sh test` says what is missing"
        if package == "pycuda"
        else "run `make test`"
    )
    return f"{package} is not installed: {cure}"


@functools.cache
def build() -> PretendDriver:
    """From the cache where the same sources were built before."""
    stubs = _stubs()
    sources = [*sorted(p for p in HERE.rglob("*") if p.is_file()), KERNELS / "letterbox.cu", Path(__file__)]
    compiler = subprocess.run(["g++", "--version"], capture_output=True, check=True).stdout
    key = hashlib.sha256(b"\0".join([compiler, stubs.encode(), *(p.read_bytes() for p in sources)])).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "partsight/pretend-cuda"
    folder = cache / key
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=cache))
        _compile(fresh, stubs)
        try:
            fresh.rename(folder)
        except OSError:  # another test process was quicker
            shutil.rmtree(fresh)
    return PretendDriver(folder, folder / "libkernels.so")


def _compile(folder: Path, stubs: str) -> None:
    (folder / "stubs.cpp").write_text(stubs)
    driver = ["g++", *FLAGS, "-O1", f"-I{HERE}", "-Wl,-soname,libcuda.so.1", str(HERE / "fakecuda.cpp")]
    kernels = ["g++", *FLAGS, "-O2", f"-I{HERE}", f"-I{KERNELS}", str(HERE / "kernels.cpp")]
    for command in (
        [*driver, str(folder / "stubs.cpp"), "-ldl", "-o", str(folder / "libcuda.so.1")],
        [*kernels, "-o", str(folder / "libkernels.so")],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def _stubs() -> str:
    """pycuda links to driver calls that nobody here uses: each answers CUDA_ERROR_NOT_SUPPORTED."""
    spec = importlib.util.find_spec("pycuda")
    if spec is None or not spec.submodule_search_locations:
        return ""
    library = next(Path(spec.submodule_search_locations[0]).glob("_driver*.so"))
    listed = subprocess.run(["nm", "-D", "--undefined-only", str(library)], capture_output=True, text=True, check=True)
    wanted = set(re.findall(r"\bcu[A-Z]\w+", listed.stdout))
    written = set(re.findall(r"^R (cu[A-Z]\w+)\(", (HERE / "fakecuda.cpp").read_text(), re.M))
    lines = [f'extern "C" int {name}() {{ return 801; }}' for name in sorted(wanted - written)]
    return "\n".join(lines) + "\n"
