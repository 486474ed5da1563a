"""What stands in a detector's place while there is none: every part is INVALID, with the reason, and nothing passes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from partsight.domain.detections import Detections, ModelRef
from partsight.domain.errors import DetectorError, DetectorLost
from partsight.domain.frame import Frame
from partsight.domain.model import ModelSpec
from partsight.domain.ports import DetectionTimes


class AbsentDetector:
    """The `Detector` port without a detector. until: from when on a new process may have one."""

    def __init__(self, spec: ModelSpec, backend: str, reason: str, until: datetime) -> None:
        self.model = ModelRef(spec.name, spec.sha256, backend, spec.precision)
        self.names = spec.classes
        self.times = DetectionTimes(0.0, 0.0, 0.0)
        self._reason = reason
        self._until = until

    def warm_up(self) -> None:
        """Nothing is there to warm."""

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """Raises DetectorError; DetectorLost once it is time for a new process to try."""
        if datetime.now(timezone.utc) >= self._until:
            raise DetectorLost(f"it is time to try {self.model.backend} again; {self._reason}")
        raise DetectorError(self._reason)

    def close(self) -> None:
        """Nothing to give back."""
