"""The shipped PTX is made from the shipped source, fits the arguments we pass, and assembles for every GPU we name."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from partsight.detectors.tensorrt import preprocess
from partsight.domain.frame import PixelFormat

ROOT = Path(__file__).parents[2]
KERNELS = ROOT / "inspect/partsight/detectors/tensorrt/kernels"
PTX = (KERNELS / "letterbox.ptx").read_text()

# Turing to Blackwell; 87 is Jetson Orin, 110 Thor.
ARCHITECTURES = (75, 80, 86, 87, 89, 90, 100, 103, 110, 120, 121)
NAMES = [f"letterbox_{kind}_{dtype}" for kind in ("bgr", "mono", "bayer") for dtype in ("f32", "f16")]
PTX_TYPES = {"P": "u64", "i": "u32", "f": "f32"}


def needs_tool(name: str) -> str:
    tool = shutil.which(name) or shutil.which(name, path="/usr/local/cuda/bin")
    if tool is None:
        pytest.skip(f"{name} is not here: the PTX is not assembled for each architecture (install the CUDA toolkit)")
    return tool


@pytest.mark.skipif(
    find_spec("nvidia.cuda_nvrtc") is None, reason="nvidia-cuda-nvrtc-cu12 is not installed: run `make test`"
)
def test_the_ptx_is_made_from_the_source() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/make_ptx.py", "--check"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_oldest_driver_and_gpu_take_it() -> None:
    assert re.findall(r"^\.(?:version|target) .*$", PTX, re.M) == [".version 8.2", ".target sm_75"]


@pytest.mark.parametrize("name", NAMES)
def test_the_parameters_are_those_we_pack(name: str) -> None:
    entry = re.search(rf"\.entry {name}\(([^)]*)\)", PTX)
    assert entry
    found = re.findall(r"\.param \.(\w+) ", entry[1])
    assert found == [PTX_TYPES[letter] for letter in preprocess.SIGNATURE]


def test_every_format_has_its_kernel() -> None:
    assert set(re.findall(r"\.entry (\w+)\(", PTX)) == set(NAMES)
    for form in PixelFormat:
        for dtype in ("float32", "float16"):
            assert preprocess.kernel_name(form, np.dtype(dtype)) in NAMES


def test_nothing_is_fused() -> None:
    """A fused multiply-add, or a square root or division that a GPU rounds in its own way, would change bits."""
    assert not re.findall(r"\b(?:fma|mad)\.\S*f32|\b(?:div|sqrt|rcp|ex2|lg2)\.\S+", PTX)
    assert len(re.findall(r"mul\.rn\.f32|mul\.f32", PTX)) == 3 * len(NAMES)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_ptx_assembles(architecture: int, tmp_path: Path) -> None:
    command = [
        needs_tool("ptxas"),
        f"-arch=sm_{architecture}",
        str(KERNELS / "letterbox.ptx"),
        "-o",
        str(tmp_path / "a.cubin"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.cubin").stat().st_size > 1000


@pytest.mark.parametrize(
    "architecture", [87, *(pytest.param(n, marks=pytest.mark.proof) for n in ARCHITECTURES if n != 87)]
)
def test_the_source_compiles(architecture: int, tmp_path: Path) -> None:
    """By nvcc as well: its front end is another one than NVRTC's."""
    command = [needs_tool("nvcc"), "-std=c++17", f"-arch=sm_{architecture}", "-cubin", str(KERNELS / "letterbox.cu")]
    done = subprocess.run(
        [*command, "-o", str(tmp_path / "a.cubin")], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr


def test_it_is_loaded_from_the_package_with_its_nul() -> None:
    assert preprocess.kernel_module() == PTX.encode() + b"\0"


@pytest.mark.proof
def test_the_wheel_carries_source_and_ptx(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, timeout=100)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    assert {"letterbox.cu", "letterbox.ptx"} <= {Path(name).name for name in names}
