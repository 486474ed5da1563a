"""ONNX Runtime on the CPU: runs everywhere, and is the reference for other backends."""

from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from pydantic import BaseModel, ConfigDict, Field

from partsight.detectors.detector import YoloDetector
from partsight.detectors.signature import Port, check_ports, read_checked
from partsight.domain.detections import ModelRef
from partsight.domain.errors import BackendUnavailable, BundleError
from partsight.domain.model import ModelSpec

DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"}
ERRORS_ONLY = 3
SPIN_US = "20"


class OnnxSettings(BaseModel):
    """`threads`: 0 takes all cores. `precision`: the CPU provider computes in what the file holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threads: int = Field(0, ge=0, le=1024)
    precision: Literal["fp32", "bf16", "auto"] = "fp32"


class OnnxDetector(YoloDetector):
    """Raises BundleError where the file is not what its card says, BackendUnavailable for bf16."""

    Settings = OnnxSettings

    def __init__(self, spec: ModelSpec, settings: OnnxSettings | None = None) -> None:
        settings = settings or OnnxSettings()
        if settings.precision == "bf16":
            raise BackendUnavailable(
                "detector 'onnx' cannot compute in bf16 on a CPU; set precision = \"fp32\" or use backend 'openvino'"
            )
        runner = OnnxRunner(spec, settings.threads)
        super().__init__(spec, runner, ModelRef(spec.name, spec.sha256, "onnx", spec.precision))


class OnnxRunner:
    """A session with its input and its bound output in memory that is kept."""

    def __init__(self, spec: ModelSpec, threads: int) -> None:
        content = read_checked(spec)
        # A first session, unoptimised, only tells the names of the free dimensions: fixed ones make the real
        # session plan its memory and fold its shape arithmetic.
        ports = _session(spec, content, threads, {}, plain=True)
        inputs, outputs = tuple(map(_port, ports.get_inputs())), tuple(map(_port, ports.get_outputs()))
        self.batch = check_ports(spec, inputs, outputs)
        shape = (self.batch, 3, spec.height, spec.width)
        names = zip(ports.get_inputs()[0].shape, shape, strict=True)
        self._session = _session(spec, content, threads, {n: size for n, size in names if isinstance(n, str)})
        self._output = outputs[0].name
        self._blob = np.zeros(shape, inputs[0].dtype)
        self._feed = {spec.input_name: self._blob}
        self._planes = np.zeros(shape, np.uint8)
        order = (2, 1, 0) if spec.colour == "RGB" else (0, 1, 2)
        # cv2.split writes blue, green and red into these views.
        self._split = [[planes[channel] for channel in order] for planes in self._planes]
        self._scale = np.float32(spec.scale)

    def prepare(self, pixels: npt.NDArray[np.uint8]) -> None:
        """Bytes to float planes: split, then one multiplication; `benchmarks/preprocess.py` compares the ways."""
        for image, planes in zip(pixels, self._split, strict=True):
            cv2.split(image, planes)
        # In float32; for a float16 input each product is rounded once, as the GPU's kernel does it.
        np.multiply(self._planes, self._scale, out=self._blob)

    def run(self) -> npt.NDArray[np.float32]:
        """The output as an array of its own."""
        output: npt.NDArray[np.float32] = self._session.run([self._output], self._feed)[0]
        return output.astype(np.float32, copy=False)


def _session(spec: ModelSpec, content: bytes, threads: int, sizes: dict[str, int], *, plain: bool = False) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Its threads otherwise burn their cores for long between operators and frames, which belong to cameras, records
    # and screens: with one core taken by others a frame took twice as long. Never to spin costs a seventh at 320
    # pixels, as each of some 300 operators then waits for a thread to wake; this short, the gaps inside a frame are
    # bridged and no others.
    options.add_session_config_entry("session.intra_op.spin_duration_us", SPIN_US)
    if plain:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = 1
    for name, size in sizes.items():
        options.add_free_dimension_override_by_name(name, size)
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as problem:  # its errors share no class below Exception
        raise BundleError(
            f"{spec.path}: ONNX Runtime cannot load it: {problem}; export the model again (opset 17 or lower is safe)"
        ) from problem


def _port(arg: Any) -> Port:
    shape = tuple(n if isinstance(n, int) else None for n in arg.shape)
    return Port(arg.name, DTYPES.get(arg.type, arg.type), shape)
