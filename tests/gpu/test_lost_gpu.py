"""What the line sees of a GPU that hangs or is gone: INVALID in time, then a new process. rule_1, rule_2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.gpu.live_models import live_spec
from tests.gpu.pretend.gpu import PretendGpu
from tests.gpu.pretend.tensorrt.module import load as load_trt
from tests.gpu.rig import Rig

from partsight.detectors.tensorrt.runner import Limits
from partsight.domain.detections import Detections
from partsight.domain.frame import Frame
from partsight.domain.reasons import Reason
from partsight.domain.trigger import TriggerKind
from partsight.domain.verdict import Result
from partsight.testing.line_in_a_box import SELF_TEST, ToldDetector, line, nothing

pytestmark = pytest.mark.gpu_variants("pycuda+deferred", "cuda-bindings+eager")


class OnTheGpu(ToldDetector):
    """Parts go through the GPU; what it found in them is not what this test is about."""

    def __init__(self, rig: Rig, folder: Path) -> None:
        super().__init__(lambda frame: nothing())
        self.real = rig.detector(live_spec(folder), Limits(timeout_s=0.3))

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        if frames[0].camera != SELF_TEST:
            self.real.detect(frames)
        return super().detect(frames)

    def close(self) -> None:
        self.real.close()


@pytest.mark.parametrize("fault", ["hang", "lost"])
def test_a_part_is_invalid_in_time_and_the_process_ends(
    gpu: PretendGpu, fault: str, wait_until: Any, tmp_path: Path
) -> None:
    gpu.allow("leaks")
    detector = OnTheGpu(Rig(gpu, load_trt("10.3.0")), tmp_path)
    with line(tmp_path, detector=detector, deadline_ms=5000.0, stuck_after=1000) as box:
        first = box.station.trigger(TriggerKind.CALL)
        wait_until(lambda: box.seen.of(first.sequence), what="a verdict of a part before the fault")
        gpu.set(**{fault: 1 if fault == "hang" else 999})
        second = box.station.trigger(TriggerKind.CALL)
        wait_until(lambda: box.fatal, what="the process would be ended")
        (verdict,) = [one.verdict for one in box.seen.of(second.sequence)]
        assert verdict.result is Result.INVALID
        assert verdict.code == Reason.DETECTOR_FAILED
        gpu.set(**{fault: 0})
    detector.close()
    assert len(box.fatal) == 1
