"""TensorRT on an NVIDIA GPU, with an engine that was built and checked on this device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import structlog
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from partsight.detectors.detector import YoloDetector
from partsight.detectors.golden import check_golden
from partsight.detectors.tensorrt.api import load_tensorrt
from partsight.detectors.tensorrt.building import OPTIMIZATION_LEVEL, WORKSPACE_BYTES, BuildOptions
from partsight.detectors.tensorrt.cuda.choose import Package, open_port
from partsight.detectors.tensorrt.cuda.probe import probe
from partsight.detectors.tensorrt.engines import Engine, EngineStore, identify
from partsight.detectors.tensorrt.losses import Losses
from partsight.detectors.tensorrt.runner import Limits, TensorRtRunner
from partsight.domain.detections import ModelRef
from partsight.domain.errors import BackendUnavailable, DetectorError, DetectorLost
from partsight.domain.model import ModelSpec

log = structlog.get_logger(__name__)

MB = 1 << 20
LOSSES = "losses.json"


class TensorRtSettings(BaseModel):
    """`engines`: the state folder's engines, where `partsight build` puts them.

    precision: of the bundle's file that runs. device: the GPU's number. slots: frames on their way at once.
    workspace_mb, optimization_level: as the engine was built with. timeout_s: a frame that the GPU has not answered
    by then cannot be judged. use_graph: replay a CUDA graph for each frame. cuda: the package that speaks to the
    driver.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engines: Annotated[Path, AfterValidator(Path.expanduser)] = Path("engines")
    precision: Literal["fp32", "fp16", "int8"] = "fp16"
    device: int = Field(0, ge=0, le=15)
    slots: int = Field(2, ge=1, le=3)
    workspace_mb: int = Field(WORKSPACE_BYTES // MB, ge=16, le=65536)
    optimization_level: int = Field(OPTIMIZATION_LEVEL, ge=0, le=5)
    timeout_s: float = Field(2.0, gt=0, le=600)
    use_graph: bool = True
    cuda: Literal["auto", "pycuda", "cuda-bindings"] = "auto"


class TensorRtDetector(YoloDetector):
    """Raises BackendUnavailable where the GPU, its driver, TensorRT or the engine is not there, each with its cure;
    BundleError where the engine is not what the card says.

    spec: of the file in the settings' precision. engine: one that was verified already, instead of the store's.
    """

    Settings = TensorRtSettings

    def __init__(
        self, spec: ModelSpec, settings: TensorRtSettings | None = None, *, engine: Engine | None = None
    ) -> None:
        settings = settings or TensorRtSettings(precision=_known(spec.precision))
        if settings.precision != spec.precision:
            raise BackendUnavailable(
                f"{spec.path}: is the model in {spec.precision}, and {settings.precision} is asked for; add that file "
                f"to the bundle (`partsight models convert`), or set precision = {spec.precision!r}"
            )
        for_a_line = engine is None
        losses = Losses(settings.engines / LOSSES)
        if for_a_line:
            losses.check()
        # In this order: without a driver the library ends the process (and with it the line) instead of raising.
        facts = probe(device=settings.device)
        trt = load_tensorrt(facts)
        if engine is None:
            options = BuildOptions(spec, settings.workspace_mb * MB, settings.optimization_level)
            engine = EngineStore(settings.engines).ready(identify(options, facts, trt.__version__))
        package: Package | None = None if settings.cuda == "auto" else settings.cuda
        limits = Limits(settings.slots, settings.timeout_s, settings.use_graph)
        try:
            runner = TensorRtRunner(
                spec,
                trt,
                engine.plan,
                lambda: open_port(settings.device, package),
                limits,
                lost=losses.note if for_a_line else lambda _: None,
            )
        except DetectorLost as problem:
            raise BackendUnavailable(f"the GPU ({facts.name}) cannot run the engine: {problem}") from problem
        self.uses_graphs = runner.uses_graphs
        super().__init__(spec, runner, ModelRef(spec.name, spec.sha256, "tensorrt", spec.precision))
        if for_a_line:
            self._answer_golden(facts.name)

    def _answer_golden(self, gpu: str) -> None:
        """After each load, before the first part: what was right when it was built may be wrong today.

        Raises BackendUnavailable: no part is judged with it.
        """
        try:
            compared = check_golden(self, self._spec)
        except DetectorError as problem:
            self.close()
            raise BackendUnavailable(
                f"the engine on {gpu} does not answer its golden frames as it did when it was built: {problem}; run "
                "`partsight selftest --gpu` and `partsight build --again`"
            ) from problem
        log.info("golden frames answered", frames=compared.frames, boxes=compared.boxes, gpu=gpu)


def _known(precision: str) -> Literal["fp32", "fp16", "int8"]:
    for known in ("fp32", "fp16", "int8"):
        if precision == known:
            return known
    raise BackendUnavailable(f"TensorRT runs models in fp32, fp16 and int8, not in {precision!r}")
