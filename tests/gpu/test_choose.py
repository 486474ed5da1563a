"""Which backend runs: the GPU's where it can, else the CPU's with the reason; a named one is that or nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.gpu.engine_folder import build_into
from tests.gpu.live_models import live_spec
from tests.gpu.pretend.gpu import PretendGpu
from tests.gpu.pretend.tensorrt.module import load as load_trt
from tests.gpu.rig import assert_same, noise, reference

from partsight.detectors.auto import choose, preferred
from partsight.detectors.signature import read_checked
from partsight.detectors.tensorrt.building import BuildOptions, build_plan
from partsight.detectors.tensorrt.engines import EngineStore, identify
from partsight.domain.errors import BackendUnavailable, ConfigError
from partsight.domain.model import ModelSpec

pytestmark = pytest.mark.gpu_variants("pycuda+deferred", "cuda-bindings+eager")


@pytest.fixture
def trt(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What `import tensorrt` gives."""
    module = load_trt("10.3.0")
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    return module


def engines(gpu: PretendGpu, trt: Any, spec: ModelSpec, folder: Path) -> Path:
    """A folder with this model's engine for this GPU, ready."""
    with gpu.opened() as port:
        facts = port.facts
    order = BuildOptions(spec)
    plan = build_plan(trt, read_checked(spec), order).plan
    build_into(EngineStore(folder), identify(order, facts, trt.__version__), plan)
    return folder


def warnings(logs: list[Any]) -> str:
    return " ".join(entry["reason"] for entry in logs if entry["log_level"] == "warning" and "reason" in entry)


def test_the_gpu_comes_first_where_its_engine_is_ready(gpu: PretendGpu, trt: Any, tmp_path: Path) -> None:
    single, half = live_spec(tmp_path, "fp32"), live_spec(tmp_path, "fp16")
    folder = engines(gpu, trt, half, tmp_path / "engines")
    detector = choose(single, "auto", {"engines": folder, "threads": 1}, [single, half])
    assert (detector.model.backend, detector.model.precision) == ("tensorrt", "fp16")
    assert detector.model.sha256 == half.sha256
    frames = [noise(1), noise(2)]
    assert_same(detector.detect(frames), reference(half, frames))
    detector.close()


def test_without_an_engine_the_cpu_runs_and_the_cure_is_said(gpu: PretendGpu, trt: Any, tmp_path: Path) -> None:
    spec, half = live_spec(tmp_path), live_spec(tmp_path, "fp16")
    with capture_logs() as logs:
        detector = choose(spec, "auto", {"engines": tmp_path, "threads": 1, "precision": "fp16"}, [spec, half])
    assert detector.model.backend in preferred()
    assert detector.model.precision == "fp32"
    detector.close()
    assert "run `partsight build`" in warnings(logs)
    chosen = [entry for entry in logs if entry["event"] == "detector chosen"]
    assert "run `partsight build`" in chosen[0]["passed_over"]
    with pytest.raises(BackendUnavailable, match="run `partsight build`"):
        choose(spec, "tensorrt", {"engines": tmp_path}, [spec, half])


def test_a_bundle_without_the_precision_says_so(gpu: PretendGpu, trt: Any, tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match="partsight models convert"):
        choose(live_spec(tmp_path), "tensorrt", {"engines": tmp_path})


def test_a_tensorrt_that_is_too_old_leaves_the_cpu(gpu: PretendGpu, trt: Any, tmp_path: Path) -> None:
    trt.__version__ = "8.6.2"
    with capture_logs() as logs:
        detector = choose(live_spec(tmp_path), "auto", {"engines": tmp_path, "precision": "fp32"})
    assert detector.model.backend in preferred()
    detector.close()
    assert "TensorRT 8.6.2 cannot be used" in warnings(logs)


def test_a_gpu_that_fails_when_it_is_opened_leaves_the_cpu(gpu: PretendGpu, trt: Any, tmp_path: Path) -> None:
    half = live_spec(tmp_path, "fp16")
    folder = engines(gpu, trt, half, tmp_path / "engines")
    gpu.set(oom_at=4)
    with capture_logs() as logs:
        detector = choose(half, "auto", {"engines": folder})
    assert detector.model.backend in preferred()
    detector.close()
    assert "OUT_OF_MEMORY" in warnings(logs)


def test_mistakes_in_the_settings_are_never_passed_over(gpu: PretendGpu, trt: Any, tmp_path: Path) -> None:
    for table in ({"precison": "fp16"}, {"precision": "fp64"}, {"threads": -1}):
        with pytest.raises(ConfigError):
            choose(live_spec(tmp_path), "auto", table)
    with pytest.raises(ConfigError):
        choose(live_spec(tmp_path), "tensorrt", {"threads": 4})
