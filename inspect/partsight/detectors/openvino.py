"""OpenVINO on x86 CPUs. Bytes go in as they are: colour order and scaling are part of the compiled graph."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from partsight.detectors.detector import YoloDetector
from partsight.detectors.openvino_unreported import ColorFormat, PrePostProcessor, ov
from partsight.detectors.signature import Port, check_ports, read_checked
from partsight.domain.detections import ModelRef
from partsight.domain.errors import BackendUnavailable, BundleError
from partsight.domain.model import ModelSpec

DTYPES = {"f32": "float32", "f16": "float16", "f64": "float64"}


class OpenVinoSettings(BaseModel):
    """`threads`: 0 takes all cores.

    `precision`: bf16 is quicker on some cores and changes scores in the third digit; auto takes it where the
    core has it. A model must pass its gate in the precision that it runs in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    threads: int = Field(0, ge=0, le=1024)
    precision: Literal["fp32", "bf16", "auto"] = "fp32"


class OpenVinoDetector(YoloDetector):
    """Raises BundleError where the file is not what its card says, BackendUnavailable where this CPU cannot."""

    Settings = OpenVinoSettings

    def __init__(self, spec: ModelSpec, settings: OpenVinoSettings | None = None) -> None:
        settings = settings or OpenVinoSettings()
        core = ov.Core()
        bf16 = _bf16(core, settings.precision)
        runner = OpenVinoRunner(core, spec, settings.threads, bf16=bf16)
        # A quantised file stays what it is: bfloat16 is only what its remaining float steps run in.
        precision = "bf16" if bf16 and spec.precision != "int8" else spec.precision
        super().__init__(spec, runner, ModelRef(spec.name, spec.sha256, "openvino", precision))


class OpenVinoRunner:
    """A compiled model of one fixed shape with one request, bound to the letterbox's memory."""

    def __init__(self, core: Any, spec: ModelSpec, threads: int, *, bf16: bool) -> None:
        model = _read(core, spec)
        inputs = tuple(_port(node, spec.input_name) for node in model.inputs)
        self.batch = check_ports(spec, inputs, tuple(_port(node) for node in model.outputs))
        compiled = _compile(core, _with_bytes_in(model, spec, self.batch), spec, threads, bf16=bf16)
        self._request = compiled.create_infer_request()
        self._bound: npt.NDArray[np.uint8] | None = None

    def prepare(self, pixels: npt.NDArray[np.uint8]) -> None:
        """Nothing to do for pixels that are bound already."""
        if self._bound is not pixels:
            self._request.set_input_tensor(ov.Tensor(pixels, shared_memory=True))
            self._bound = pixels

    def run(self) -> npt.NDArray[np.float32]:
        """The output in OpenVINO's own memory, valid until the next run."""
        self._request.infer()
        output: npt.NDArray[np.float32] = self._request.get_output_tensor(0).data
        return output.astype(np.float32, copy=False)


def _bf16(core: Any, precision: str) -> bool:
    if precision == "fp32":
        return False
    here = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if precision == "bf16" and not here:
        raise BackendUnavailable('detector \'openvino\': this CPU has no bfloat16; set precision = "fp32" or "auto"')
    return here


def _read(core: Any, spec: ModelSpec) -> Any:
    content = read_checked(spec)
    try:
        return core.read_model(content)
    except Exception as problem:  # its errors share no class below Exception
        raise BundleError(f"{spec.path}: OpenVINO cannot read it: {problem}; export the model again") from problem


def _with_bytes_in(model: Any, spec: ModelSpec, batch: int) -> Any:
    """The model behind a byte image: (batch, height, width, 3) BGR in."""
    try:
        model.reshape([batch, 3, spec.height, spec.width])
        steps = PrePostProcessor(model)
        first = steps.input()
        first.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC")).set_color_format(ColorFormat.BGR)
        change = first.preprocess().convert_element_type(ov.Type.f32)
        if spec.colour == "RGB":
            change = change.convert_color(ColorFormat.RGB)
        change.scale(1 / spec.scale)
        first.model().set_layout(ov.Layout("NCHW"))
        return steps.build()
    except Exception as problem:  # its errors share no class below Exception
        raise BundleError(
            f"{spec.path}: OpenVINO cannot give it {spec.width}x{spec.height} pixels: {problem}; "
            "correct [input] in the card or export the model again"
        ) from problem


def _compile(core: Any, model: Any, spec: ModelSpec, threads: int, *, bf16: bool) -> Any:
    options: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
        "NUM_STREAMS": 1,
        # What was compiled once is never taken from a disk: only what was checked runs.
        "CACHE_DIR": "",
    }
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    try:
        return core.compile_model(model, "CPU", options)
    except Exception as problem:  # its errors share no class below Exception
        # The file could be read, so it is this backend that cannot: another may.
        raise BackendUnavailable(f"{spec.path}: OpenVINO cannot compile it here: {problem}") from problem


def _port(node: Any, wanted: str = "") -> Port:
    # A tensor may have several names: the wanted one counts if it is among them.
    names = sorted(node.names, key=lambda name: (name != wanted, name))
    kind = node.element_type.get_type_name()
    shape = tuple(n.get_length() if n.is_static else None for n in node.partial_shape)
    return Port(names[0] if names else "", DTYPES.get(kind, kind), shape)
