"""A plan on a GPU, as a detector's runner: the lane in its own thread, a limit for each answer, and an end for good
when the GPU is lost.

What a part sees: a GPU that hangs, is lost, or answers wrongly raises DetectorError, within the limit, and from then on
at once. The station makes INVALID of it; the GPU comes back with a new process only, since CUDA's errors stick to one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import structlog

from partsight.detectors.detector import Take
from partsight.detectors.tensorrt.cuda.port import CudaError, CudaPort
from partsight.detectors.tensorrt.gpu_thread import GpuThread, Silent
from partsight.detectors.tensorrt.lane import GpuLost, Lane, Spent
from partsight.domain.errors import DetectorError, DetectorLost
from partsight.domain.frame import Grab
from partsight.domain.model import ModelSpec

log = structlog.get_logger(__name__)

T = TypeVar("T")

OPEN_S = 120.0
"""Loading an engine, and compiling the kernel for the GPU where its cache is empty."""

CLOSE_S = 10.0
CURE = (
    "look for 'NVRM: Xid' in `dmesg`, check power, cooling and the card's seat; a new process is needed "
    "(systemd starts one when this ends)"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """slots: frames on their way at once. timeout_s: for the answer to one `detect`. graph: replay a CUDA graph."""

    slots: int = 2
    timeout_s: float = 2.0
    graph: bool = True


class TensorRtRunner:
    """The `FrameRunner` of TensorRT. One thread calls it, and any may close it.

    plan: an engine that was verified: nothing else may ever be loaded. open_port: called in the GPU's thread.
    lost: told why, once, when the GPU hangs or is gone; it must not raise.
    Raises BundleError where the plan is not what the card says, BackendUnavailable where TensorRT refuses it,
    DetectorLost where the GPU does not run it.
    """

    def __init__(
        self,
        spec: ModelSpec,
        trt: Any,
        plan: bytes,
        open_port: Callable[[], CudaPort],
        limits: Limits | None = None,
        *,
        lost: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._limits = limits or Limits()
        self._tell_lost = lost
        self._thread = GpuThread("gpu")
        self._lane: Lane | None = None
        self._dead = ""
        self._closed = False
        slots, graph = self._limits.slots, self._limits.graph
        try:
            self._lane = self._asked(lambda: Lane(open_port(), trt, plan, spec, slots=slots, graph=graph), OPEN_S)
        except BaseException:
            self.close()
            raise

    @property
    def uses_graphs(self) -> bool:
        """Whether frames are replayed as CUDA graphs; False where the driver or TensorRT refused."""
        return self._lane is not None and self._lane.uses_graphs

    def infer(self, grabs: Sequence[Grab], take: Take) -> tuple[int, int]:
        """`take` each frame's output in the frames' order, from the GPU's thread; it is valid inside that call only.

        Returns nanoseconds of preparing and of taking; the rest of the call was the GPU's. Raises DetectorError.
        """
        spent: Spent = self._asked(partial(self._opened().infer, grabs, take), self._limits.timeout_s)
        return spent.prepare_ns, spent.take_ns

    def run_bare(self) -> int:
        """Nanoseconds of the engine alone. Raises DetectorError."""
        return self._asked(self._opened().run_bare, self._limits.timeout_s)

    def close(self) -> None:
        """Give the GPU back. Never raises; where the GPU hangs, that takes a limited time and leaves its thread."""
        if self._closed:
            return
        self._closed = True
        if self._lane is not None and not self._dead:
            self._dead = "it was closed; open a new one"
            self._give_back(self._lane)
        self._lane = None
        if not self._thread.end(CLOSE_S):
            log.error("the GPU's thread does not end: it hangs in the driver", cure=CURE)

    def _opened(self) -> Lane:
        if self._dead or self._lane is None:
            raise DetectorLost(f"the GPU is not used any more: {self._dead}")
        return self._lane

    def _asked(self, work: Callable[[], T], limit_s: float) -> T:
        try:
            return self._thread.call(work, limit_s)
        except Silent:
            # Whatever it still does, nobody reads it: its slots are never used again.
            problem: Exception = TimeoutError(f"the GPU does not answer (waited {limit_s:g} s)")
        except (CudaError, GpuLost) as lost:
            problem = lost
        except DetectorError:
            raise
        except Exception as defect:  # noqa: BLE001 - the driver's edge: TensorRT and pycuda raise what they like
            problem = defect
        raise self._lost(problem)

    def _lost(self, problem: Exception) -> DetectorLost:
        said = (
            str(problem)
            if isinstance(problem, DetectorError | TimeoutError)
            else f"{type(problem).__name__}: {problem}"
        )
        self._dead = f"{said}; {CURE}"
        log.error("the GPU is lost", reason=said, cure=CURE)
        self._tell_lost(said)
        lane, self._lane = self._lane, None
        if lane is not None:
            # Behind the work that may still hang, and without waiting: the part must have its verdict.
            self._thread.post(lane.close)
        error = DetectorLost(self._dead)
        error.__cause__ = problem
        return error

    def _give_back(self, lane: Lane) -> None:
        try:
            self._thread.call(lane.close, CLOSE_S)
        except Silent:
            log.error("the GPU did not answer while it was closed", cure=CURE)
