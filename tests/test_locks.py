"""The lock files fit pyproject.toml and install, wheels only, on every machine the project is for.

Needs the package index. Where it cannot be reached the tests skip, except in CI.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

# Where uv's cache is empty, the first questions take a minute.
pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "requirements"
UV = str(Path(sys.executable).parent / "uv")

X86 = "x86_64-manylinux_2_28"
JETSON = "aarch64-manylinux_2_35"  # JetPack 6 is Ubuntu 22.04: glibc 2.35, Python 3.10
MACHINES = [(X86, "3.10"), (X86, "3.13"), (JETSON, "3.10"), (JETSON, "3.13")]

LOCKED = ("training", "gpu", "test", "screen", "runtime")

UNREACHABLE = ("error sending request", "dns error", "Could not connect", "tcp connect error", "client error (Connect)")


def ask(*command: str) -> tuple[int, str, str]:
    run = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "UV": UV}, capture_output=True, text=True, timeout=200, check=False
    )
    return run.returncode, run.stdout, run.stderr


def answer(code: int, output: str, errors: str) -> str:
    """What was printed. Fails where there is no solution."""
    if code and any(sign in errors for sign in UNREACHABLE) and not os.environ.get("CI"):
        pytest.skip(f"the package index cannot be reached: {errors.strip().splitlines()[-1]}")
    assert code == 0, output + errors
    return output


def resolve(source: str, platform: str, version: str, *options: str) -> set[str]:
    """The `name==version` lines of what `source` needs on that machine, from wheels only."""
    command = [UV, "pip", "compile", source, "--python-platform", platform, "--python-version", version]
    command += ["--only-binary", ":all:", "--no-header", "--no-annotate", "--quiet", *options]
    # The cache was brought up to date by `fit`; only what it cannot answer is worth the wait for the index.
    code, output, _ = ask(*command, "--offline")
    return pins(output if code == 0 else answer(*ask(*command)))


def pins(text: str) -> set[str]:
    return set(re.findall(r"^[\w.-]+==[^\s;]+", text, re.M))


@pytest.fixture(scope="module", autouse=True)
def fit() -> tuple[int, str, str]:
    """What `scripts/lock.sh --check` answers; it also brings uv's cache up to date."""
    return ask(str(ROOT / "scripts/lock.sh"), "--check")


def locked(lock: str) -> set[str]:
    return pins((LOCKS / f"{lock}.txt").read_text())


def test_locks_fit_pyproject(fit: tuple[int, str, str]) -> None:
    """A dependency that was changed without `make lock` shows here."""
    answer(*fit)


def machine(lock: str, platform: str) -> str:
    """Only the daemon's own packages run on a glibc as old as 2.28: PySide6's wheels need 2.34 (Ubuntu 22.04)."""
    return platform if lock == "runtime" else platform.replace("2_28", "2_34")


@pytest.mark.parametrize(("platform", "version"), MACHINES)
@pytest.mark.parametrize("lock", LOCKED)
def test_locks_install_from_wheels(lock: str, platform: str, version: str) -> None:
    """Complete (nothing is added to the pins), and a wheel is there for each pin."""
    # torch is never asked for: its wheels are pinned by hand, and no resolver may pick others.
    found = resolve(
        f"requirements/{lock}.txt", machine(lock, platform), version, "--overrides", "requirements/no-torch.txt"
    )
    assert found <= locked(lock)
    names = {pin.partition("==")[0] for pin in found}
    assert names >= {"numpy", "opencv-python", "onnxruntime", "pydantic", "typer"}
    assert ("openvino" in names) == (platform == X86)


def test_tensorrt_extra_installs_nothing_on_aarch64() -> None:
    """JetPack brings TensorRT; a wheel beside it would shadow the system's."""
    at = ("pyproject.toml", JETSON, "3.10", "--constraints", "requirements/runtime.txt")
    assert resolve(*at, "--extra", "tensorrt") == resolve(*at)


def test_numpy_of_jetpack_is_allowed(tmp_path: Path) -> None:
    """JetPack 6's own torch and OpenCV are built against numpy 1."""
    (tmp_path / "jetpack.txt").write_text("numpy==1.26.4\n")
    found = resolve("pyproject.toml", JETSON, "3.10", "--constraints", str(tmp_path / "jetpack.txt"))
    assert "numpy==1.26.4" in found


def test_one_cv2_wheel_in_every_lock() -> None:
    """Two cv2 wheels overwrite each other, and pip does not see it."""
    for lock in LOCKED:
        wheels = {p for p in locked(lock) if p.startswith("opencv")}
        assert len(wheels) == 1, lock
        assert re.fullmatch(r"opencv-python==4\..*", wheels.pop()), lock


def test_the_locks_agree_with_each_other() -> None:
    """One .venv serves `make demo` and `make test`."""
    assert locked("runtime") <= locked("screen") <= locked("test") <= locked("training")
    assert locked("test") <= locked("gpu")


def test_torch_is_in_its_own_file_only() -> None:
    # tests/gpu need the compiler and the headers of one CUDA release, never beside torch's.
    pinned = [p for lock in LOCKED for p in locked(lock) if re.match(r"(torch|nvidia-cu)", p)]
    assert sorted(pinned) == ["nvidia-cuda-nvrtc-cu12==12.2.140", "nvidia-cuda-runtime-cu12==12.2.140"]
    assert {p.partition("==")[0] for p in locked("torch")} == {"torch", "torchvision"}


def test_locks_name_no_index_and_no_path() -> None:
    for path in LOCKS.glob("*.txt"):
        text = path.read_text()
        assert not re.search(r"://|--(extra-)?index|--find-links| /\w|\bfile:", text), path.name
