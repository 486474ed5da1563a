"""One part judged: measure, detect, decide. The station's inference thread and `partsight judge` share it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from partsight.domain.errors import DetectorError, ImageError
from partsight.domain.frame import Frame, Pixels
from partsight.domain.ports import Detector
from partsight.domain.reasons import Reason
from partsight.domain.verdict import Verdict
from partsight.domain.views import ImageFacts, View
from partsight.recipes import Recipe, decide
from partsight.station.facts import Measurer


@dataclass(frozen=True, slots=True)
class Judged:
    """A part's verdict with what led to it. `error`: why the detector gave nothing, for the fault that people see.

    infer_ms: the detector's inference alone. detect_ms: with preprocessing and decoding.
    decide_ms: measuring and deciding.
    """

    verdict: Verdict
    views: tuple[View, ...]
    infer_ms: float
    detect_ms: float
    decide_ms: float
    error: DetectorError | None = None


class Judge:
    """Judges the frames of one part. One thread calls it.

    scales: mm per pixel by camera. live: cameras whose frames are checked for being frozen.
    """

    def __init__(
        self,
        detector: Detector,
        recipe: Recipe,
        scales: Mapping[str, float | None] | None = None,
        live: frozenset[str] = frozenset(),
    ) -> None:
        self.detector = detector
        self.recipe = recipe
        self._scales = dict(scales or {})
        self._live = live
        self._before: dict[str, Pixels] = {}
        self._measurers: dict[str, Measurer] = {}

    def set_live(self, camera: str, live: bool) -> None:
        """Say whether a camera's frames come from a sensor; known only once it is open."""
        self._live = self._live | {camera} if live else self._live - {camera}
        self._before.pop(camera, None)

    def change_recipe(self, recipe: Recipe) -> None:
        """Judge by this recipe from the next part on."""
        self.recipe = recipe
        self._measurers.clear()

    def rehearse(self, frame: Frame) -> None:
        """Do for a made-up frame what is done for a real one, and forget it. Raises nothing that `judge` would not."""
        rules = next(iter(self.recipe.views))
        Measurer(self.recipe, rules).measure(frame.grab)
        self.detector.detect([frame])

    def judge(self, frames: Sequence[Frame], failed: Sequence[View] = ()) -> Judged:
        """The verdict from all `frames` of a part and the views that `failed` before there was a frame.

        A frame that cannot be measured, or a detector that fails, makes its view a failure and the part
        INVALID; only a defect of partsight itself raises.
        """
        began = time.perf_counter()
        facts = [self._measure(frame) for frame in frames]
        measured = time.perf_counter()
        usable = [frame for frame, fact in zip(frames, facts, strict=True) if isinstance(fact, ImageFacts)]
        error: DetectorError | None = None
        try:
            detections = iter(self.detector.detect(usable) if usable else [])
            infer_ms = self.detector.times.infer_ms if usable else 0.0
        except DetectorError as problem:
            error, infer_ms = problem, 0.0
        detected = time.perf_counter()
        views = list(failed)
        for frame, fact in zip(frames, facts, strict=True):
            if isinstance(fact, View):
                views.append(fact)
            elif error is not None:
                views.append(View(frame.camera, None, fact, Reason.DETECTOR_FAILED, str(error)))
            else:
                views.append(View(frame.camera, next(detections), fact))
        verdict = decide(views, self.recipe)
        decided = time.perf_counter()
        return Judged(
            verdict,
            tuple(views),
            infer_ms,
            (detected - measured) * 1e3,
            (measured - began + decided - detected) * 1e3,
            error,
        )

    def _measure(self, frame: Frame) -> ImageFacts | View:
        camera = frame.camera
        measurer = self._measurers.get(camera)
        if measurer is None:
            measurer = self._measurers[camera] = Measurer(self.recipe, camera, self._scales.get(camera))
        live = camera in self._live
        before = self._before.get(camera) if live else None
        if live:
            self._before[camera] = frame.pixels
        try:
            return measurer.measure(frame.grab, before)
        except ImageError as problem:
            return View(camera, failure=problem.reason, detail=str(problem))
