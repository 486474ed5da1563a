"""From judged parts to figures: hand-computed cases."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from partsight.domain.detections import Detections, ModelRef
from partsight.domain.verdict import Result
from partsight.scoring.samples import Sample, make_sample, unannotated
from partsight.scoring.summary import ScoredPart, Summary, summarise

CLASSES = ("open", "short")
MODEL = ModelRef("m", "0" * 64, "onnx", "fp32")
BOX = (0.0, 0.0, 10.0, 10.0)


def found(*rows: tuple[int, float, tuple[float, float, float, float]]) -> Detections:
    return Detections(
        np.array([box for *_, box in rows], np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in rows], np.float32),
        np.array([class_id for class_id, *_ in rows], np.int32),
        CLASSES,
        MODEL,
    )


def sample(group: str, *rows: tuple[int, tuple[float, float, float, float]], scored: bool = True) -> Sample:
    return make_sample(Path("a.png"), group, CLASSES, rows, scored=scored)


def part(truth: Sample, result: Result, detections: Detections | None, latency_ms: float | None = 10.0) -> ScoredPart:
    return ScoredPart(truth, result, 0 if result is Result.OK else 1000, detections, (100, 100), latency_ms)


def summary_of(*parts: ScoredPart) -> Summary:
    return summarise(parts, CLASSES, (0.5, 0.5))


def test_escapes_and_overkills_by_hand() -> None:
    bad, good = sample("a", (0, BOX)), sample("a")
    told = summary_of(
        part(bad, Result.OK, found()),
        part(bad, Result.NG, found((0, 0.9, BOX))),
        part(bad, Result.REVIEW, found((0, 0.4, BOX))),
        part(good, Result.OK, found()),
        part(good, Result.NG, found((1, 0.9, BOX))),
        part(good, Result.REVIEW, found((1, 0.4, BOX))),
        part(good, Result.INVALID, None, None),
        part(unannotated(Path("x.png"), "a"), Result.NG, found()),
    )
    assert told.verdicts == {"OK": 2, "NG": 3, "REVIEW": 2, "INVALID": 1}
    assert told.unannotated == 1
    assert told.escapes is not None
    assert (told.escapes.count, told.escapes.of) == (1, 3), "REVIEW does not pass"
    assert told.overkills is not None
    assert (told.overkills.count, told.overkills.of) == (3, 4)
    assert told.overkills_by == {"NG": 1, "REVIEW": 1, "INVALID": 1}


def test_an_unreadable_bad_part_misses_all_its_defects_but_does_not_escape() -> None:
    told = summary_of(
        part(sample("a", (0, BOX), (1, BOX)), Result.INVALID, None, None),
        part(sample("a", (0, BOX)), Result.NG, found((0, 0.9, BOX))),
    )
    assert told.detection is not None
    assert told.detection.rates.recall == pytest.approx(1 / 3)
    assert told.detection.missed is not None
    assert (told.detection.missed.count, told.detection.missed.of) == (2, 3)
    assert told.escapes is not None
    assert told.escapes.count == 0


def test_templates_count_for_overkill_only() -> None:
    board, template = sample("a", (0, BOX)), sample("a", scored=False)
    told = summary_of(part(board, Result.NG, found((0, 0.9, BOX))), part(template, Result.NG, found((0, 0.95, BOX))))
    assert told.detection is not None
    assert told.detection.parts == 1
    assert (told.detection.rates.f_score, told.detection.map) == (1.0, 1.0)
    assert told.overkills is not None
    assert told.overkills.rate == 1.0


def test_a_good_part_that_is_scored_costs_precision() -> None:
    told = summary_of(
        part(sample("a", (0, BOX)), Result.NG, found((0, 0.9, BOX))),
        part(sample("a"), Result.NG, found((0, 0.95, BOX))),
    )
    assert told.detection is not None
    assert (told.detection.rates.precision, told.detection.rates.recall) == (0.5, 1.0)
    assert told.detection.ap == {"open": 0.5}


def test_average_precision_uses_boxes_under_the_threshold_and_f_score_does_not() -> None:
    told = summary_of(part(sample("a", (0, BOX)), Result.OK, found((0, 0.1, BOX))))
    assert told.detection is not None
    assert (told.detection.rates.f_score, told.detection.map) == (0.0, 1.0)
    assert (told.detection.rates.precision, told.detection.rates.recall) == (None, 0.0)


def test_truth_is_compared_by_class_name_not_by_number() -> None:
    swapped = make_sample(Path("a.png"), "a", ("short", "open"), [(1, BOX)])
    told = summary_of(part(swapped, Result.NG, found((0, 0.9, BOX))))
    assert told.detection is not None
    assert told.detection.ap == {"open": 1.0}


def test_a_class_that_the_model_does_not_know_is_missed() -> None:
    strange = make_sample(Path("a.png"), "a", ("scratch",), [(0, BOX)])
    told = summary_of(part(strange, Result.OK, found((0, 0.9, BOX))))
    assert told.detection is not None
    assert told.detection.ap == {"scratch": 0.0}
    assert told.detection.rates.recall == 0.0
    assert told.escapes is not None
    assert told.escapes.count == 1


def test_relative_boxes_are_scaled_to_the_image() -> None:
    relative = make_sample(Path("a.png"), "a", CLASSES, [(0, (0.0, 0.0, 0.1, 0.1))], relative=True)
    told = summary_of(part(relative, Result.NG, found((0, 0.9, BOX))))
    assert told.detection is not None
    assert told.detection.rates.f_score == 1.0


def test_a_class_that_the_recipe_does_not_use_counts_nowhere_but_in_ap() -> None:
    truth = sample("a", (1, BOX))
    told = summarise([part(truth, Result.OK, found((1, 0.99, BOX)))], CLASSES, (0.5, math.inf))
    assert told.detection is not None
    assert told.detection.rates.recall == 0.0
    assert told.detection.ap == {"short": 1.0}


def test_without_annotations_there_are_verdicts_and_latency_only() -> None:
    parts = [part(unannotated(Path("x.png"), "a"), Result.OK, found(), float(ms)) for ms in range(1, 101)]
    told = summary_of(*parts)
    assert (told.detection, told.escapes, told.overkills, told.overkills_by) == (None, None, None, None)
    assert told.latency_ms is not None
    assert (told.latency_ms.p50, told.latency_ms.max) == (50.5, 100.0)
    assert told.latency_ms.p50 < told.latency_ms.p95 < told.latency_ms.p99 < told.latency_ms.max
