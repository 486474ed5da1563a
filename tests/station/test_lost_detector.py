"""A detector that only a new process can bring back: the process ends, also where no part comes to find it out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from partsight.detectors.absent import AbsentDetector
from partsight.domain.detections import Detections
from partsight.domain.errors import DetectorError, DetectorLost
from partsight.domain.frame import Frame
from partsight.domain.model import ModelSpec, OutputFormat
from partsight.domain.trigger import TriggerKind
from partsight.domain.verdict import Result
from partsight.testing.line_in_a_box import NO_RULES, ToldDetector, line

Wait = Callable[..., Any]
PROVES = replace(NO_RULES, self_test_parts=2)


class StandIn(ToldDetector):
    """The real stand-in, asked by a line in a box."""

    def __init__(self, folder: Path, until: datetime) -> None:
        super().__init__()
        spec = ModelSpec("m", "1", folder / "m", "0" * 64, "fp16", self.names, 640, 640, OutputFormat.ANCHORS, {})
        self._absent = AbsentDetector(spec, "tensorrt", "the GPU was lost", until)

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        self.calls += 1
        return self._absent.detect(frames)


def lost(_: Frame) -> Detections:
    raise DetectorLost("the GPU does not answer")


def test_rule_2_lost_in_the_self_test_ends_the_process_without_a_part(tmp_path: Path, wait_until: Wait) -> None:
    """Not ready, so no PLC triggers: waiting for a part would be waiting for ever."""
    with line(tmp_path, detector=ToldDetector(lost), rules=PROVES) as box:
        wait_until(lambda: box.fatal, what="the process would be ended")
        assert not box.station.status().ready
    assert "does not answer" in box.fatal[0]


def test_rule_2_a_gpu_that_rests_is_tried_again_when_its_time_comes(tmp_path: Path, wait_until: Wait) -> None:
    detector = StandIn(tmp_path, datetime.now(timezone.utc) - timedelta(seconds=1))
    with line(tmp_path, detector=detector, rules=PROVES) as box:
        wait_until(lambda: box.fatal, what="the process would be ended")
    assert "it is time to try tensorrt again" in box.fatal[0]


def test_rule_2_while_it_rests_each_part_is_invalid_and_the_process_stays(tmp_path: Path, wait_until: Wait) -> None:
    detector = StandIn(tmp_path, datetime.now(timezone.utc) + timedelta(hours=1))
    with pytest.raises(DetectorError, match="the GPU was lost"):
        detector.detect([])
    with line(tmp_path, detector=detector, rules=PROVES) as box:
        wait_until(lambda: detector.calls >= 2, what="the self-test has asked")
        assert not box.station.status().ready
        part = box.station.trigger(TriggerKind.CALL)
        wait_until(lambda: box.seen.of(part.sequence), what="its verdict")
        assert [one.verdict.result for one in box.seen.of(part.sequence)] == [Result.INVALID]
        assert not box.fatal
