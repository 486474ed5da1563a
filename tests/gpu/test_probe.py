"""Looking for a GPU never hurts: each way in which a driver can be wrong ends in one sentence with its cure."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.gpu.pretend.driver import PretendDriver

from partsight.detectors.tensorrt.cuda.port import DeviceFacts
from partsight.detectors.tensorrt.cuda.probe import probe
from partsight.domain.errors import BackendUnavailable

Faulty = Callable[..., None]


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch, pretend_driver: PretendDriver) -> Faulty:
    """The probe's child, and nothing in this process, finds the pretend driver with these faults."""

    def set_up(**faults: int) -> None:
        for name, value in pretend_driver.environment(**faults).items():
            monkeypatch.setenv(name, value)

    return set_up


def test_a_gpu_is_described(faulty: Faulty) -> None:
    faulty(integrated=0, capability=89, memory_mb=12288, version=13000)
    uuid = "GPU-07070707-0707-0707-0707-070707070707"
    assert probe() == DeviceFacts("Pretend RTX", (8, 9), 8, 12288 << 20, uuid, False, 13000)


def test_no_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on every machine without an NVIDIA driver; here an empty file hides one that may be there."""
    (tmp_path / "libcuda.so.1").touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    with pytest.raises(BackendUnavailable, match=r"there is no NVIDIA driver: .*libcuda\.so\.1.*JetPack.*backend = "):
        probe()


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ({"version": 11040}, r"too old: it speaks CUDA 11\.4, and 12\.2 is needed; update to JetPack 6\.1"),
        ({"version": 12010}, r"too old: it speaks CUDA 12\.1"),
        ({"init": 100}, r"does not start: CUDA cuInit failed: CUDA_ERROR_NO_DEVICE \(100\)"),
        ({"init": 803}, r"CUDA_ERROR_SYSTEM_DRIVER_MISMATCH \(803\); after a driver update restart the machine"),
        ({"init": 12345}, r"cuInit failed: error \(12345\)"),
        ({"devices": 0}, r"there is no GPU 0: the NVIDIA driver sees 0"),
        ({"lost": 999}, r"cuDeviceGetCount failed: CUDA_ERROR_UNKNOWN \(999\)"),
        ({"init_crashes": 1}, r"ended the process that asked for the GPU \(SIGSEGV\)"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_a_driver_that_is_wrong(faulty: Faulty, faults: dict[str, int], said: str) -> None:
    faulty(**faults)
    with pytest.raises(BackendUnavailable, match=said):
        probe()


def test_a_device_that_is_not_there(faulty: Faulty) -> None:
    faulty()
    with pytest.raises(BackendUnavailable, match="there is no GPU 3: the NVIDIA driver sees 1; correct `device`"):
        probe(device=3)


def test_a_driver_that_hangs_is_given_up(faulty: Faulty) -> None:
    faulty(init_hangs=1)
    begun = time.monotonic()
    with pytest.raises(BackendUnavailable, match=r"did not answer within 1\.5 s"):
        probe(timeout_s=1.5)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("package", ["pycuda", "cuda-bindings"])
@pytest.mark.parametrize("faults", [{"version": 12010}, {"devices": 0}], ids=["old", "none"])
def test_a_port_is_refused_for_the_same_reasons(
    on_pretend_gpu: Callable[..., subprocess.CompletedProcess[str]], package: str, faults: dict[str, int]
) -> None:
    """Whoever opens one without probing."""
    if package == "pycuda":
        pytest.importorskip("pycuda")
    program = (
        "from partsight.detectors.tensorrt.cuda.choose import open_port\n"
        "from partsight.domain.errors import BackendUnavailable\n"
        f"try: open_port(prefer={package!r})\n"
        "except BackendUnavailable as reason: print(reason)"
    )
    done = on_pretend_gpu("-c", program, **faults)
    assert "CUDA 12.1, and 12.2 is needed" in done.stdout or "there is no GPU 0" in done.stdout, done


CHOOSE = """
import sys
for hidden in {hidden}: sys.modules[hidden] = None
from partsight.detectors.tensorrt.cuda.choose import open_port
try: print(open_port(prefer={prefer}).package)
except Exception as problem: print(type(problem).__name__, problem)
"""


def chosen(run: Callable[..., subprocess.CompletedProcess[str]], hidden: list[str], prefer: str | None = None) -> str:
    done = run("-W", "error", "-c", CHOOSE.format(hidden=hidden, prefer=repr(prefer)))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_pycuda_is_taken_where_it_is_and_cuda_bindings_else(
    on_pretend_gpu: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    pytest.importorskip("pycuda")
    assert chosen(on_pretend_gpu, []) == "pycuda"
    assert chosen(on_pretend_gpu, [], "cuda-bindings") == "cuda-bindings"


def test_without_pycuda_the_other_is_taken_and_without_both_the_cure_is_named(
    on_pretend_gpu: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """A pycuda that cannot be imported, as one built for another CUDA, is passed over as well."""
    assert chosen(on_pretend_gpu, ["pycuda"]) == "cuda-bindings"
    assert chosen(on_pretend_gpu, ["pycuda._driver"]) == "cuda-bindings"
    answer = chosen(on_pretend_gpu, ["pycuda", "cuda"])
    assert answer.startswith("BackendUnavailable no package for CUDA can be imported (pycuda: ")
    assert "pip install cuda-bindings" in answer
    assert "BackendUnavailable" in chosen(on_pretend_gpu, ["pycuda"], "pycuda")


def test_no_driver_is_said_before_any_package_is_imported(tmp_path: Path) -> None:
    (tmp_path / "libcuda.so.1").touch()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHOOSE.format(hidden=[], prefer=None)],
        env={**os.environ, "LD_LIBRARY_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "BackendUnavailable there is no NVIDIA driver" in done.stdout, done
