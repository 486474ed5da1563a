"""Drawn defects are what they are called, lie in their boxes, and have the sizes of real ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from partsight.cameras.simulated.board import Board, board
from partsight.cameras.simulated.defects import BOX_MARGIN_PX, KINDS, draw_defect, draw_defects
from partsight.cameras.simulated.sheet import Mask, Sheet

SEEDS = range(12)


def changed(before: Mask, after: Mask) -> Mask:
    return before ^ after


def nets(mask: Mask) -> int:
    return cv2.connectedComponents(mask, connectivity=8)[0] - 1


@pytest.fixture(scope="module")
def a_board() -> Board:
    return board("A")


def drawn(the_board: Board, kind: str, seed: int) -> tuple[Mask, Mask, tuple[int, ...]]:
    """Mask before, mask after, and the tight box."""
    before = the_board.masks[0]
    rng = np.random.default_rng(seed)
    found = draw_defect(before, kind, rng, forbidden=the_board.keep_out, margin_px=0)
    assert found is not None, f"no place for {kind} with seed {seed}"
    after, truth = found
    assert truth.name == kind
    return before, after, tuple(int(value) for value in truth.box)


@pytest.mark.parametrize("kind", KINDS)
def test_the_box_is_tight_and_the_change_is_visible(a_board: Board, kind: str) -> None:
    for seed in SEEDS:
        before, after, (x1, y1, x2, y2) = drawn(a_board, kind, seed)
        rows, columns = np.nonzero(changed(before, after))
        assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (x1, y1, x2, y2)
        assert len(rows) >= 12
        assert set(np.unique(after)) <= {0, 1}


@pytest.mark.parametrize("kind", KINDS)
def test_a_defect_adds_or_takes_copper_only(a_board: Board, kind: str) -> None:
    takes = kind in {"open", "mousebite", "pin-hole"}
    for seed in SEEDS:
        before, after, _ = drawn(a_board, kind, seed)
        assert set(before[changed(before, after) > 0].tolist()) == {1 if takes else 0}


@pytest.mark.parametrize("kind", KINDS)
def test_fiducials_holes_and_edges_stay_free(a_board: Board, kind: str) -> None:
    for seed in SEEDS:
        before, after, _ = drawn(a_board, kind, seed)
        assert not (changed(before, after) & a_board.keep_out).any()


def test_an_open_parts_the_track_where_it_lies(a_board: Board) -> None:
    for seed in SEEDS:
        before, after, (x1, y1, x2, y2) = drawn(a_board, "open", seed)
        around = np.s_[max(y1 - 40, 0) : y2 + 40, max(x1 - 40, 0) : x2 + 40]
        assert nets(np.ascontiguousarray(after[around])) > nets(np.ascontiguousarray(before[around]))


def test_a_short_joins_two_nets(a_board: Board) -> None:
    for seed in SEEDS:
        before, after, _ = drawn(a_board, "short", seed)
        assert nets(after) == nets(before) - 1


@pytest.mark.parametrize(("kind", "more_copper", "more_ground"), [
    ("mousebite", 0, 0), ("spur", 0, 0), ("copper", 1, 0), ("pin-hole", 0, 1),
])  # fmt: skip
def test_the_rest_leaves_the_nets_as_they_are(a_board: Board, kind: str, more_copper: int, more_ground: int) -> None:
    for seed in SEEDS:
        before, after, _ = drawn(a_board, kind, seed)
        assert nets(after) - nets(before) == more_copper
        assert nets(1 - after) - nets(1 - before) == more_ground


def test_the_same_seed_draws_the_same_and_the_margin_widens_the_box(a_board: Board) -> None:
    mask = a_board.masks[0]
    first, again, wide = (
        draw_defect(mask, "spur", np.random.default_rng(7), margin_px=margin) for margin in (0, 0, BOX_MARGIN_PX)
    )
    assert first is not None
    assert again is not None
    assert wide is not None
    assert np.array_equal(first[0], again[0])
    assert first[1] == again[1]
    assert wide[1].box[0] == first[1].box[0] - BOX_MARGIN_PX
    assert wide[1].box[3] == first[1].box[3] + BOX_MARGIN_PX


def test_where_there_is_no_place_there_is_no_defect() -> None:
    empty = np.zeros((200, 200), np.uint8)
    rng = np.random.default_rng(0)
    for kind in ("open", "short", "mousebite", "spur", "pin-hole"):
        assert draw_defect(empty, kind, rng) is None
    assert draw_defect(empty, "copper", rng) is not None
    everywhere = np.ones_like(empty)
    assert draw_defect(empty, "copper", rng, forbidden=everywhere) is None


def test_several_defects_stand_apart(a_board: Board) -> None:
    mask, boxes = draw_defects(Sheet(a_board.masks[1]), KINDS, np.random.default_rng(4), a_board.keep_out)
    assert [box.name for box in boxes] == list(KINDS)
    covered = np.zeros_like(mask, dtype=np.int32)
    for box in boxes:
        x1, y1, x2, y2 = (int(value) for value in box.box)
        room = BOX_MARGIN_PX
        covered[max(y1 - room, 0) : y2 + room, max(x1 - room, 0) : x2 + room] += 1
    assert covered.max() == 1
    assert not (changed(a_board.masks[1], mask) & (covered == 0)).any()


@pytest.mark.deeppcb
def test_sizes_are_those_of_real_defects(deeppcb: Path) -> None:
    """On real templates: the median of the longer side within a third of that of the annotations."""
    real: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for path in sorted((deeppcb / "PCBData").glob("group*/*_not/*.txt"))[::3]:
        for line in path.read_text().splitlines():
            x1, y1, x2, y2, number = (int(value) for value in line.split())
            if number:
                real[KINDS[number - 1]].append(max(x2 - x1, y2 - y1))
    templates = sorted((deeppcb / "PCBData").glob("group*/*/*_temp.jpg"))[::100]
    ours: dict[str, list[float]] = {kind: [] for kind in KINDS}
    rng = np.random.default_rng(0)
    for path in templates:
        mask = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) < 128).astype(np.uint8)
        for kind in KINDS * 3:
            found = draw_defect(mask, kind, rng)
            if found is not None:
                x1, y1, x2, y2 = found[1].box
                ours[kind].append(max(x2 - x1, y2 - y1))
    for kind in KINDS:
        assert len(ours[kind]) > len(templates), f"{kind}: hardly ever a place on real boards"
        assert np.median(ours[kind]) == pytest.approx(np.median(real[kind]), rel=0.34)
