"""Pictures for screens are made small in two steps: their size is exact, and what they show stays where it is."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from partsight.api.previews import smaller

SIDES = st.integers(1, 700)


@given(SIDES, SIDES, st.integers(1, 800))
def test_it_has_the_width_that_was_asked_for_and_never_more_than_the_frame(wide: int, high: int, width: int) -> None:
    frame = np.full((high, wide, 3), 90, np.uint8)
    shown = smaller(frame, width)
    assert shown.shape[1] == min(wide, width)
    assert abs(shown.shape[0] - high * shown.shape[1] / wide) <= 1
    assert shown.dtype == np.uint8
    # An even picture stays even: no edge of black comes in.
    assert shown.min() >= 89
    assert shown.max() <= 91


@given(st.integers(200, 700), st.integers(200, 700), st.floats(0.1, 0.9), st.floats(0.1, 0.9), st.data())
def test_a_spot_stays_under_its_box(wide: int, high: int, across: float, down: float, data: st.DataObject) -> None:
    width = data.draw(st.integers(20, wide))
    frame = np.zeros((high, wide, 3), np.uint8)
    x, y, half = round(across * wide), round(down * high), max(8, 2 * wide // width)
    frame[max(0, y - half) : y + half, max(0, x - half) : x + half] = 255
    shown = smaller(frame, width).mean(axis=2).astype(np.float64)
    rows, columns = np.indices(shown.shape) + 0.5
    middle_x, middle_y = (columns * shown).sum() / shown.sum(), (rows * shown).sum() / shown.sum()
    scale = shown.shape[1] / wide
    seen = np.argwhere(frame[:, :, 0] > 0).mean(axis=0) + 0.5
    assert abs(middle_x - seen[1] * scale) < 1.0
    assert abs(middle_y - seen[0] * shown.shape[0] / high) < 1.0
