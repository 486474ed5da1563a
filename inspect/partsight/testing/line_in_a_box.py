"""A line in a box, for tests of drivers, outputs and recipes: a whole station with real records on disk.

Its camera is the simulated one or yours; its detector is yours or a `ToldDetector`, which answers what a test says.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from partsight.cameras.simulated import SimulatedCamera
from partsight.config.recipe import RecipeFile
from partsight.daemon.places import find_recipe
from partsight.domain.detections import Detections, ModelRef
from partsight.domain.errors import DetectorError
from partsight.domain.frame import Frame
from partsight.domain.inspection import Inspection
from partsight.domain.messages import Event, SelectRecipe
from partsight.domain.ports import Camera, DetectionTimes, FrameSink
from partsight.domain.trigger import TriggerKind
from partsight.outputs.records import SqliteRecords
from partsight.recipes import Recipe, compile_recipe, load_recipe
from partsight.station.clock import SystemClock
from partsight.station.judge import Judge
from partsight.station.line_rules import LineRules
from partsight.station.proof import SELF_TEST
from partsight.station.station import Station, StationPlan

CLASSES = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
NO_RULES = LineRules(rejects_in_a_row=0, reject_share=0.0, invalid_in_a_row=0, self_test_parts=0)
"""A line that nothing stops."""
MODEL = ModelRef("told", "0" * 64, "test", "fp32")


class ToldDetector:
    """A detector that answers what it is told: `answer` may take long or raise. Default: the truth."""

    def __init__(self, answer: Callable[[Frame], Detections] | None = None) -> None:
        self.answer = answer or truthful
        self.calls = 0

    @property
    def model(self) -> ModelRef:
        """Says that nobody real spoke."""
        return MODEL

    @property
    def names(self) -> tuple[str, ...]:
        """The six kinds of the simulated boards."""
        return CLASSES

    @property
    def times(self) -> DetectionTimes:
        """Made up."""
        return DetectionTimes(0.0, 1.0, 0.0)

    def warm_up(self) -> None:
        """Always warm."""

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """One answer for each frame."""
        self.calls += 1
        return [self.answer(frame) for frame in frames]

    def close(self) -> None:
        """Owns nothing."""


def nothing() -> Detections:
    """No box."""
    return Detections.none(CLASSES, MODEL)


def boxes(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    """Rows of x1 y1 x2 y2 score class."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4].copy(), table[:, 4].copy(), table[:, 5].astype(np.int32), CLASSES, MODEL)


def truthful(frame: Frame) -> Detections:
    """Finds exactly the defects that are there. Raises DetectorError for a frame without truth."""
    truth = frame.grab.truth
    if frame.camera == SELF_TEST:
        return nothing()
    if truth is None:
        raise DetectorError(
            "the frame has no truth attached: use the simulated camera, or tell the detector its answer"
        )
    return boxes(*((*d.box, 0.9, CLASSES.index(d.name)) for d in truth.defects))


def demo_recipe() -> Recipe:
    """The recipe of the demo."""
    return load_recipe(find_recipe("demo-board", Path()), CLASSES)


def presence_recipe(**view: Any) -> Recipe:
    """The least that a recipe must ask: something bright is there."""
    coverage = [{"name": "there", "bright_above": 100, "min": 0.2}]
    file = RecipeFile.model_validate(
        {"schema": 1, "name": "presence", "revision": 1, "views": [{"camera": "*", "coverage": coverage, **view}]}
    )
    return compile_recipe(file, Path("presence.toml"), CLASSES)


def camera(**settings: Any) -> SimulatedCamera:
    """Good parts only, unless told otherwise."""
    rates = {f"{name}_rate": 0.0 for name in ("defect", "empty", "shifted", "rotated", "wrong")}
    return SimulatedCamera(SimulatedCamera.Settings.model_validate({**rates, "rate_hz": 0.0, **settings}))


@dataclass
class Seen:
    """An output and a listener that remember everything, with the time at which it came."""

    verdicts: list[Inspection] = field(default_factory=list)
    at_ns: list[int] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    on_publish: Callable[[Inspection], None] = lambda _: None

    def publish(self, inspection: Inspection) -> None:
        """Remember it, then do as the test said."""
        self.at_ns.append(time.monotonic_ns())
        self.verdicts.append(inspection)
        self.on_publish(inspection)

    def of(self, sequence: int) -> list[Inspection]:
        """Every verdict that was published for this part."""
        return [v for v in list(self.verdicts) if v.trigger.sequence == sequence]


@dataclass
class Box:
    """A running line. `fatal`: what would have ended the process."""

    station: Station
    records: SqliteRecords
    seen: Seen
    detector: ToldDetector
    fatal: list[str]


@contextmanager
def line(
    folder: Path,
    *,
    cameras: dict[str, Camera] | None = None,
    detector: ToldDetector | None = None,
    recipe: Recipe | None = None,
    trigger: TriggerKind = TriggerKind.CALL,
    deadline_ms: float = 5000.0,
    frame_timeout_ms: float = 1000.0,
    queue: int = 8,
    period_ms: float = 50.0,
    stuck_after: int = 1000,
    archive: FrameSink | None = None,
    records: SqliteRecords | None = None,
    wait_for_cameras_s: float = 10.0,
    rules: LineRules | None = None,
    find_recipe: Callable[[SelectRecipe], Recipe] | None = None,
    set_up: str = "",
) -> Iterator[Box]:
    """A running station; stopped at the end, and then nothing may be left in flight."""
    cameras = cameras if cameras is not None else {"top": camera()}
    seen, fatal, detector = Seen(), [], detector or ToldDetector()
    records = records or SqliteRecords.open(folder, busy_timeout_s=0.2, ballast_bytes=0)
    plan = StationPlan(
        name="test",
        epoch=records.epoch,
        cameras=cameras,
        frame_timeouts_ms=dict.fromkeys(cameras, frame_timeout_ms),
        trigger=trigger,
        period_ms=period_ms,
        queue=queue,
        deadline_ms=deadline_ms,
        stuck_after=stuck_after,
        rules=rules or NO_RULES,
        set_up=set_up,
    )
    stuck = threading.Event()

    def on_fatal(_: int, why: str) -> None:
        fatal.append(why)
        stuck.wait(10.0)  # a real one ends the process

    station = Station(
        plan,
        Judge(detector, recipe or demo_recipe()),
        records,
        SystemClock(),
        outputs=[seen],
        archive=archive,
        tell=seen.events.append,
        find_recipe=find_recipe,
        challenges=records.challenges,
        fatal=on_fatal,
    )
    try:
        station.start(wait_for_cameras_s)
        yield Box(station, records, seen, detector, fatal)
    finally:
        stuck.set()
        survivors = station.stop()
        records.close()
    assert not survivors, f"threads did not end: {survivors}"
    counters = station.ledger.snapshot()
    assert counters.balanced, f"the books do not balance: {counters}"
    assert counters.in_flight == 0
