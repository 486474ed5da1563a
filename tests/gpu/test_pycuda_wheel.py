"""pycuda's wheel is built without a GPU; where it cannot be, one line says why, and the set-up goes on."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/pycuda_wheel.sh"
HEADERS = importlib.util.find_spec("nvidia.cuda_runtime") if importlib.util.find_spec("nvidia") else None
BARE = os.path.realpath(sys.executable)  # the Python that .venv was made with: none of our packages


def build(python: str, folder: Path, timeout_s: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/bash", SCRIPT, python, "2026.1", folder],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def test_without_cudas_headers_it_says_so(tmp_path: Path) -> None:
    done = build(BARE, tmp_path / "wheels", CUDA_HOME=str(tmp_path))
    assert (done.returncode, done.stderr) == (3, "no cuda.h: install the CUDA toolkit, or set CUDA_HOME\n")
    assert not (tmp_path / "wheels").exists()


def test_without_a_compiler_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "include").mkdir()
    (tmp_path / "include/cuda.h").touch()
    done = build(BARE, tmp_path / "wheels", CUDA_HOME=str(tmp_path), PATH="/nonexistent")
    assert (done.returncode, done.stderr) == (3, "no C++ compiler: install g++\n")


def test_a_broken_build_is_no_wheel(tmp_path: Path) -> None:
    """A cuda.h that is none: another exit status than 'cannot be built here', and nothing half done in the folder."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/g++").write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    (tmp_path / "bin/g++").chmod(0o755)
    (tmp_path / "include").mkdir()
    (tmp_path / "include/cuda.h").touch()
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    done = build(BARE, tmp_path / "wheels", CUDA_HOME=str(tmp_path), PATH=path)
    assert done.returncode not in (0, 3)
    assert "broken" in done.stderr
    assert not (tmp_path / "wheels").exists()


@pytest.mark.proof
@pytest.mark.timeout(1800)
@pytest.mark.skipif(HEADERS is None, reason="nvidia-cuda-runtime-cu12 is not installed: run `make test`")
def test_a_wheel_is_built_by_the_packages_headers_alone(tmp_path: Path) -> None:
    """Without the CUDA toolkit: what a fresh machine does once."""
    done = build(sys.executable, tmp_path, 1700, CUDA_HOME="/nonexistent")
    assert done.returncode == 0, done.stderr
    assert [path.name.split("-")[:2] for path in tmp_path.iterdir()] == [["pycuda", "2026.1"]]
