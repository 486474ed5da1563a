"""An ONNX file to a TensorRT plan, on the device that will run it. Minutes on a Jetson: never while a line starts.

Precision lies in the ONNX file (fp32, fp16, or int8 by explicit Q/DQ; never a calibrator). Shapes are fixed. No plan
runs on another device or version (neither VERSION_COMPATIBLE nor AMPERE_PLUS), and none carries host code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from partsight.detectors.signature import Port, check_output, check_ports
from partsight.detectors.tensorrt.api import logger, reason, refuse_dynamic, strongly_typed, type_name
from partsight.domain.errors import BundleError, DetectorError
from partsight.domain.model import ModelSpec

log = structlog.get_logger(__name__)

WORKSPACE_BYTES = 1 << 30
OPTIMIZATION_LEVEL = 3
"""TensorRT's own default; 5 took 30 to 44 minutes a model in one report."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What to build. spec: of the file whose bytes are built; its `precision` is the plan's."""

    spec: ModelSpec
    workspace_bytes: int = WORKSPACE_BYTES
    optimization_level: int = OPTIMIZATION_LEVEL


@dataclass(frozen=True, slots=True)
class BuiltPlan:
    """plan: for a Runtime of the same TensorRT on the same device. timing_cache: makes the next build quicker."""

    plan: bytes
    timing_cache: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """How far one phase of a build is. Phases are nested: `parent` is "" for an outermost one."""

    phase: str
    parent: str
    done: int
    of: int


def build_plan(
    trt: Any,
    onnx: bytes,
    options: BuildOptions,
    timing_cache: bytes = b"",
    progress: Callable[[Step], bool] = lambda _: True,
) -> BuiltPlan:
    """Build. One thread at a time, with the device's driver present.

    timing_cache: of an earlier build on this device with this TensorRT, or b"". progress: called from TensorRT's
    threads for every step; False cancels the build. Raises BundleError where the model is at fault, DetectorError else.
    """
    builder = trt.Builder(logger(trt))
    strong = strongly_typed(trt)
    flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED) if strong else 0
    network = builder.create_network(flags)
    # The parser owns the weights until the plan is built.
    parser = _parsed(trt, network, onnx, options.spec)
    _fix_shapes(trt, network, options.spec)
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_bytes)
    config.builder_optimization_level = options.optimization_level
    if not strong:
        _allow_precision(trt, config, options.spec.precision)
    cache = _use_timing_cache(config, timing_cache)
    config.progress_monitor = monitor = _monitor(trt, progress)
    blob = builder.build_serialized_network(network, config)
    if monitor.cancelled:
        raise DetectorError(f"{options.spec.path}: the build was cancelled; run it again, it resumes")
    if blob is None:
        raise DetectorError(
            f"{options.spec.path}: TensorRT {trt.__version__} cannot build it: {reason(trt)}; if memory is short close "
            "other programs or lower the workspace, else export the model again with opset 17"
        )
    del parser
    return BuiltPlan(bytes(blob), bytes(config.get_timing_cache().serialize()) if cache else b"")


def _parsed(trt: Any, network: Any, onnx: bytes, spec: ModelSpec) -> Any:
    parser = trt.OnnxParser(network, logger(trt))
    if not parser.parse(onnx):
        errors = [_parser_error(parser.get_error(index)) for index in range(parser.num_errors)]
        raise BundleError(
            f"{spec.path}: TensorRT {trt.__version__} refuses it: {'; '.join(errors) or reason(trt)}; "
            "export the model again (opset 17, `partsight models convert` for fp16 and int8)"
        )
    return parser


def _parser_error(error: Any) -> str:
    node = error.node_name() or f"node {error.node()}"
    return f"{node} ({error.node_operator()}): {error.desc()}"


def _fix_shapes(trt: Any, network: Any, spec: ModelSpec) -> None:
    """Hold inputs and outputs against the card; give the input's free dimensions the card's size, one image at a time.

    The parser allows exactly that after parsing: a free dimension may become a number.
    """
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    batch = check_ports(
        spec,
        tuple(_port(trt, tensor) for tensor in inputs),
        tuple(_port(trt, network.get_output(index)) for index in range(network.num_outputs)),
    )
    if batch != 1:
        raise BundleError(f"{spec.path}: takes {batch} images at once, on the GPU one at a time runs; export batch=1")
    if -1 in tuple(inputs[0].shape):
        inputs[0].shape = (1, 3, spec.height, spec.width)
    output = _port(trt, network.get_output(0))
    refuse_dynamic((_port(trt, inputs[0]), output), str(spec.path))
    check_output(spec, tuple(n or 0 for n in output.shape), 1)


def _port(trt: Any, tensor: Any) -> Port:
    shape = tuple(None if n < 0 else int(n) for n in tuple(tensor.shape))
    return Port(tensor.name, type_name(trt, tensor.dtype), shape)


def _allow_precision(trt: Any, config: Any, precision: str) -> None:
    """Before strong typing a flag allows what the file says; the int8 file's rest is in half."""
    if precision in {"fp16", "int8"}:
        config.set_flag(trt.BuilderFlag.FP16)
    if precision == "int8":
        config.set_flag(trt.BuilderFlag.INT8)


def _use_timing_cache(config: Any, content: bytes) -> Any:
    """The cache in use; one that this TensorRT refuses is replaced by an empty one, which is only slower."""
    for content_or_none in (content, b""):
        cache = config.create_timing_cache(content_or_none)
        if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
            return cache
    return None


def _monitor(trt: Any, progress: Callable[[Step], bool]) -> Any:
    """An IProgressMonitor. TensorRT calls it from several threads; a phase's parent may be None.

    Its caller is C++ that lets no exception through: where `progress` raises, the build is cancelled instead.
    """
    phases: dict[str, tuple[str, int]] = {}

    def tell(self: Any, step: Step) -> None:
        try:
            self.cancelled = not progress(step) or self.cancelled
        except Exception as problem:  # noqa: BLE001 - the top of TensorRT's thread: it would end the process
            self.cancelled = True
            log.warning("the build is cancelled, nobody takes its progress any more", reason=str(problem))

    def __init__(self: Any) -> None:  # noqa: N807 - a method of the class made below
        trt.IProgressMonitor.__init__(self)
        self.cancelled = False

    def phase_start(self: Any, phase: str, parent: str | None, steps: int) -> None:
        phases[phase] = (parent or "", steps)
        tell(self, Step(phase, parent or "", 0, steps))

    def step_complete(self: Any, phase: str, step: int) -> bool:
        parent, steps = phases.get(phase, ("", 0))
        tell(self, Step(phase, parent, step + 1, steps))
        return not self.cancelled

    def phase_finish(self: Any, phase: str) -> None:
        parent, steps = phases.pop(phase, ("", 0))
        tell(self, Step(phase, parent, steps, steps))

    methods = {
        "__init__": __init__,
        "phase_start": phase_start,
        "step_complete": step_complete,
        "phase_finish": phase_finish,
    }
    return type("Progress", (trt.IProgressMonitor,), methods)()
