"""Which camera's newest frame goes to the API, and when. Pixels are copied in the link's thread only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import structlog

from partsight.api.channel import MAX_RATE, FrameMessage
from partsight.api.frames import FrameWriter
from partsight.api.line import ApiLine
from partsight.api.parts import findings, found_boxes
from partsight.domain.frame import Frame, Grab
from partsight.domain.inspection import Inspection
from partsight.domain.status import StationState
from partsight.wire.message import clean
from partsight.wire.screen.stream import PreviewHeader

log = structlog.get_logger(__name__)

IDLE_RATE = 5.0
"""Pictures a second of a camera while nothing is judged."""


class Feed:
    """`offer` is called by the fast lane, `watch` by the desk, all else by the link's thread.

    Of each camera that is watched the newest frame is kept, and no other. dropped: frames that could not be handed
    over, because they are too large or memory has run out; a frame that a newer one replaced is not counted.
    """

    def __init__(self, line: ApiLine, frames: FrameWriter) -> None:
        self.fd = frames.fd
        self.slot_bytes = frames.slot_bytes
        self.dropped = 0
        self._line = line
        self._frames = frames
        self._cameras = tuple(camera.name for camera in line.site.config.cameras)
        self._periods_s: Mapping[str, float] = {}
        self._newest: dict[str, tuple[Inspection, Frame]] = {}
        self._due: dict[str, float] = {}
        self._shown: dict[str, Grab] = {}

    def offer(self, inspection: Inspection, frames: Sequence[Frame]) -> None:
        """A part is finished: keep its frames where somebody watches."""
        for frame in frames:
            if frame.camera in self._periods_s:
                self._newest[frame.camera] = (inspection, frame)

    def watch(self, rates: Mapping[str, float]) -> None:
        """Frames a second by camera; cameras that are not here are passed over."""
        periods = {name: 1 / min(rate, MAX_RATE) for name, rate in rates.items() if name in self._cameras}
        self._periods_s = periods
        for name in [name for name in self._newest if name not in periods]:
            self._newest.pop(name, None)

    def due(self, now: float) -> Iterator[FrameMessage]:
        """The frames that are to be told of now, their pixels copied. now: seconds, monotonic."""
        judging = self._line.station.state is StationState.RUNNING
        if judging:
            self._shown.clear()
        for name, period_s in self._periods_s.items():
            due = self._due.get(name, 0.0)
            if now < due:
                continue
            found = self._newest.pop(name, None)
            if found is not None:
                message = self._of_part(*found)
            elif not judging:
                period_s = max(period_s, 1 / IDLE_RATE)  # noqa: PLW2901 - this one picture is followed by a longer pause
                message = self._of_nothing(name)
            else:
                continue
            # A picture that comes a little late does not make the next one late.
            self._due[name] = due + period_s if now - due < period_s else now + period_s
            if message is not None:
                yield message

    def close(self) -> None:
        """Give the memory back."""
        self._frames.close()

    def _of_part(self, inspection: Inspection, frame: Frame) -> FrameMessage | None:
        view = next((v for v in inspection.views if v.camera == frame.camera), None)
        width, height = frame.size
        header = PreviewHeader(
            camera=frame.camera,
            at=inspection.trigger.at,
            width=width,
            height=height,
            sequence=inspection.trigger.sequence,
            part_id=clean(inspection.trigger.part_id),
            result=inspection.verdict.result,
            boxes=found_boxes(view.detections if view is not None else None),
            findings=findings(inspection, frame.camera),
        )
        return self._copied(frame.camera, frame.grab, header)

    def _of_nothing(self, camera: str) -> FrameMessage | None:
        """The camera's newest image, once."""
        grab = self._line.station.peek(camera)
        if grab is None or grab is self._shown.get(camera):
            return None
        self._shown[camera] = grab
        width, height = grab.size if grab.pixels.ndim >= 2 else (0, 0)
        header = PreviewHeader(camera=camera, at=self._line.clock.utc(), width=width, height=height)
        return self._copied(camera, grab, header)

    def _copied(self, camera: str, grab: Grab, header: PreviewHeader) -> FrameMessage | None:
        if grab.error is not None or not grab.pixels.size:
            return None
        try:
            stamp = self._frames.put(camera, grab)
        except OSError as problem:
            log.warning("a picture cannot be handed to the API", camera=camera, problem=str(problem))
            stamp = None
        if stamp is None:
            self.dropped += 1
            return None
        return FrameMessage(
            camera=camera,
            stamp=stamp,
            width=header.width,
            height=header.height,
            format=grab.format.value,
            bit_depth=grab.bit_depth,
            header=header,
        )
