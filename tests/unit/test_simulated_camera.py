"""The simulated line: what comes, when, the truth about it, and each fault on request."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from partsight.cameras.simulated import SimulatedCamera, reference
from partsight.cameras.simulated.board import board
from partsight.cameras.simulated.camera import TRIGGERS_WAITING
from partsight.cameras.simulated.defects import KINDS
from partsight.domain.errors import CameraLost, CameraUnavailable
from partsight.domain.frame import Grab


def camera(**settings: Any) -> SimulatedCamera:
    made = SimulatedCamera(SimulatedCamera.Settings(**{"rate_hz": 0, "seed": 3, **settings}))
    made.open(5.0)
    return made


def grabs(made: SimulatedCamera, count: int) -> list[Grab]:
    found = [made.grab(1.0) for _ in range(count)]
    assert None not in found
    return [grab for grab in found if grab is not None]


GOOD_ONLY: dict[str, Any] = {
    "defect_rate": 0, "empty_rate": 0, "shifted_rate": 0, "rotated_rate": 0, "wrong_rate": 0,
}  # fmt: skip


def grey(grab: Grab) -> np.ndarray:
    return cv2.cvtColor(grab.pixels, cv2.COLOR_BGR2GRAY) if grab.pixels.ndim == 3 else grab.pixels


# --- boards ---


def test_each_part_type_is_its_own_board() -> None:
    pictures = {part: reference(part).picture for part in "ABC"}
    assert np.array_equal(reference("A").picture, pictures["A"])
    for one, other in itertools.combinations("ABC", 2):
        assert (pictures[one] != pictures[other]).mean() > 0.05


@pytest.mark.parametrize("part", ["A", "B", "C", "housing 7"])
def test_no_two_nets_touch_and_every_trace_is_whole(part: str) -> None:
    the_board = board(part)
    layout = the_board.layout
    for mask in the_board.masks:
        nets = cv2.connectedComponents(mask, connectivity=8)[0] - 1
        # A ring and a dot for each fiducial; each trace joins two pads, or a pad and its via.
        assert nets == len(layout.pads) - len(layout.traces) + 2 * 3
    assert len(layout.traces) >= 8
    assert 3 <= len(layout.holes) <= 5


@pytest.mark.parametrize("size", [(640, 640), (800, 640), (320, 320)])
def test_fiducials_are_found_at_their_places_on_every_good_part(size: tuple[int, int]) -> None:
    width, height = size
    clean = reference("A", width, height)
    assert len(clean.fiducials) == 3
    half, reach = 25 * height // 640, 14 * height // 640
    made = camera(width=width, height=height, **GOOD_ONLY)
    for grab in grabs(made, 8):
        for x, y in clean.fiducials:
            left, top = round(x) - half, round(y) - half
            patch = clean.picture[top : top + 2 * half, left : left + 2 * half]
            search = grey(grab)[top - reach : top + 2 * half + reach, left - reach : left + 2 * half + reach]
            scores = cv2.matchTemplate(search, patch, cv2.TM_CCOEFF_NORMED)
            _, best, _, (dx, dy) = cv2.minMaxLoc(scores)
            assert best > 0.85
            # Jitter: 3 px, and a degree at 350 px from the centre.
            assert np.hypot(dx - reach, dy - reach) <= 12 * height / 640
    made.close()


def test_holes_are_dark_discs_on_the_bright_board() -> None:
    clean = reference("A")
    for x, y in clean.holes:
        inside = clean.picture[round(y) - 5 : round(y) + 5, round(x) - 5 : round(x) + 5]
        rim = clean.picture[round(y), round(x + clean.hole_radius_px) + 6]
        assert inside.max() < 100
        assert rim > 200


# --- the stream ---


def test_the_same_seed_gives_the_same_parts_and_another_seed_others() -> None:
    first, again, other = (grabs(camera(seed=seed), 12) for seed in (3, 3, 4))
    for one, two in zip(first, again, strict=True):
        assert np.array_equal(one.pixels, two.pixels)
        assert one.truth == two.truth
    assert [g.truth for g in first] != [g.truth for g in other]
    assert [g.device_id for g in first] == list(range(1, 13))


def test_no_two_good_frames_are_bit_identical() -> None:
    frames = grabs(camera(**GOOD_ONLY), 10)
    assert all(not np.array_equal(a.pixels, b.pixels) for a, b in itertools.combinations(frames, 2))
    assert all(g.truth is not None and g.truth.good for g in frames)


def test_rates_are_kept_and_the_truth_says_what_is_there() -> None:
    made = camera(width=128, height=128, defect_rate=0.5, empty_rate=0.1, shifted_rate=0.1, rotated_rate=0.1,
                  wrong_rate=0.1, defects_per_bad_part=(2, 4))  # fmt: skip
    truths = [g.truth for g in grabs(made, 400)]
    places = [t.place for t in truths if t is not None]
    for place in ("absent", "shifted", "rotated", "wrong"):
        assert 20 <= places.count(place) <= 65
    bad = [t for t in truths if t is not None and t.defects]
    assert 0.35 <= len(bad) / places.count("present") <= 0.65
    assert all(t.place == "present" and 2 <= len(t.defects) <= 4 for t in bad)
    assert {box.name for t in bad for box in t.defects} == set(KINDS)
    assert all(
        0 <= x1 < x2 <= 128 and 0 <= y1 < y2 <= 128 for t in bad for x1, y1, x2, y2 in (b.box for b in t.defects)
    )


def test_boxes_lie_where_the_picture_differs() -> None:
    """The defect is near the middle of its box: laid over a clean part, the box holds a strong difference."""
    made = camera(defect_rate=1.0, empty_rate=0, shifted_rate=0, rotated_rate=0, wrong_rate=0)
    clean = reference("A").picture
    hits = total = 0
    for grab in grabs(made, 15):
        assert grab.truth is not None
        for truth in grab.truth.defects:
            x1, y1, x2, y2 = (round(value) for value in truth.box)
            cut = grey(grab)[y1:y2, x1:x2]
            reach = 14
            search = clean[max(y1 - reach, 0) : y2 + reach, max(x1 - reach, 0) : x2 + reach]
            total += 1
            # Nowhere near does a clean board look like this.
            hits += float(cv2.matchTemplate(search, cut, cv2.TM_SQDIFF).min()) / cut.size > 400
    assert total >= 15
    assert hits == total


@pytest.mark.parametrize(("rate", "place"), [
    ("empty_rate", "absent"), ("shifted_rate", "shifted"), ("rotated_rate", "rotated"), ("wrong_rate", "wrong"),
])  # fmt: skip
def test_a_part_out_of_place_looks_unlike_the_part(rate: str, place: str) -> None:
    clean = reference("A").picture.astype(np.float32)
    for grab in grabs(camera(**{**GOOD_ONLY, rate: 1.0}), 6):
        assert grab.truth is not None
        assert grab.truth.place == place
        assert not grab.truth.good
        assert np.corrcoef(grey(grab).ravel(), clean.ravel())[0, 1] < 0.9


def test_mono_frames_have_one_channel() -> None:
    (grab,) = grabs(camera(format="Mono8", **GOOD_ONLY), 1)
    assert grab.pixels.shape == (640, 640)


# --- pace and triggers ---


def test_parts_that_nobody_grabs_pass_by(wait_until: Callable[..., Any]) -> None:
    made = camera(rate_hz=100, width=64, height=64)
    (first,) = grabs(made, 1)
    end = time.monotonic() + 0.1
    wait_until(lambda: time.monotonic() > end)
    (second,) = grabs(made, 1)
    assert first.device_id is not None
    assert second.device_id is not None
    assert second.device_id - first.device_id >= 9
    everything = grabs(camera(width=64, height=64), second.device_id)
    assert everything[-1].truth == second.truth
    assert np.array_equal(everything[-1].pixels, second.pixels)


def test_frames_keep_the_pace() -> None:
    made = camera(rate_hz=50, width=64, height=64)
    began = time.monotonic()
    last = grabs(made, 10)[-1]
    took = time.monotonic() - began
    assert last.device_id is not None
    assert took >= 0.02 * last.device_id - 0.03


def test_triggers_queue_in_order_up_to_a_bound() -> None:
    made = camera(width=64, height=64)
    made.open(1.0, triggered=True)
    for _ in range(TRIGGERS_WAITING):
        made.trigger()
    with pytest.raises(CameraUnavailable, match="refused"):
        made.trigger()
    ids = [g.device_id for g in grabs(made, TRIGGERS_WAITING)]
    assert ids == list(range(1, TRIGGERS_WAITING + 1))
    assert made.grab(0.0) is None
    made.trigger()
    (after,) = grabs(made, 1)
    assert after.device_id == TRIGGERS_WAITING + 1  # the refused trigger was not counted


# --- misbehaviour ---


def test_drop_loses_frames_and_the_number_counts_on() -> None:
    made = camera(width=64, height=64, misbehaviour=[{"kind": "drop", "after": 3, "parts": 2}])
    assert [g.device_id for g in grabs(made, 5)] == [1, 2, 3, 6, 7]


def test_stall_gives_nothing_and_leaves_no_gap() -> None:
    made = camera(width=64, height=64, misbehaviour=[{"kind": "stall", "after": 2, "parts": 2}])
    found = [made.grab(0.02) for _ in range(6)]
    assert [g and g.device_id for g in found] == [1, 2, None, None, 3, 4]


def test_freeze_repeats_the_picture_under_new_numbers() -> None:
    made = camera(width=64, height=64)
    (first,) = grabs(made, 1)
    made.misbehave("freeze", parts=2)
    frozen = grabs(made, 2)
    (after,) = grabs(made, 1)
    assert [g.device_id for g in frozen] == [2, 3]
    assert all(np.array_equal(g.pixels, first.pixels) for g in frozen)
    assert not np.array_equal(after.pixels, first.pixels)


def test_black_and_overexposed_are_just_that() -> None:
    faults = [{"kind": "black", "after": 1, "parts": 1}, {"kind": "overexposed", "after": 3, "parts": 1}]
    first, black, fine, white, _ = grabs(camera(misbehaviour=faults, **GOOD_ONLY), 5)
    assert black.pixels.max() == 0
    assert (white.pixels == 255).mean() > 0.5
    assert all((g.pixels == 255).mean() < 0.01 for g in (first, fine))


def test_disconnect_loses_the_camera_which_comes_back() -> None:
    made = camera(width=64, height=64, misbehaviour=[{"kind": "disconnect", "after": 2, "parts": 2}])
    grabs(made, 2)
    with pytest.raises(CameraLost, match="unplugged"):
        made.grab(0.1)
    for _ in range(2):
        with pytest.raises(CameraUnavailable, match="unplugged"):
            made.open(1.0)
    made.open(1.0)
    (back,) = grabs(made, 1)
    assert back.device_id == 1
    assert back.truth == grabs(camera(width=64, height=64), 3)[2].truth


def test_disconnect_for_a_time_ends_by_itself(wait_until: Callable[..., Any]) -> None:
    made = camera(width=64, height=64)
    made.misbehave("disconnect", seconds=0.1)
    with pytest.raises(CameraLost):
        made.grab(0.1)
    with pytest.raises(CameraLost):
        made.trigger()

    def opens() -> bool:
        try:
            made.open(1.0)
        except CameraUnavailable:
            return False
        return True

    assert not opens()
    wait_until(opens, 5.0)
    grabs(made, 1)


@pytest.mark.parametrize("settings", [
    {"empty_rate": 0.6, "wrong_rate": 0.6},
    {"defects_per_bad_part": (3, 1)},
    {"colour": "red"},
    {"misbehaviour": [{"kind": "stall"}]},
    {"misbehaviour": [{"kind": "sulk", "parts": 1}]},
    {"part": ""},
])  # fmt: skip
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SimulatedCamera.Settings(**settings)
