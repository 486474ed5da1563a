"""Crops of the simulated line, so that its parts are judged as well as real boards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from partsight.cameras.simulated import SimulatedSettings
from partsight.cameras.simulated.world import World
from partsight.domain.frame import Truth
from partsight.scoring.deeppcb import CLASSES
from partsight.training.boards import Board
from partsight.training.crops import Crop, Source, placed_crop, spoiled, turned

PARTS = tuple("ABCDEFGHIJ")
SEED = 7_000_000
"""Far from the seeds of demo, tests and scores: what is learned by heart must not flatter them."""


def simulated_source(parts: tuple[str, ...] = PARTS) -> Source:
    """Crops of boards on the belt: with defects, without, shifted, turned, wrong, absent; grey or tinted."""
    worlds: dict[str, World] = {}

    def crop(rng: Generator, side: int) -> Crop:
        part = parts[int(rng.integers(len(parts)))]
        if part not in worlds:
            worlds[part] = World(_settings(part))
        return _crop(worlds[part], rng, side)

    return crop


def _settings(part: str) -> Any:
    return SimulatedSettings(
        part=part,
        seed=SEED,
        defect_rate=0.75,
        defects_per_bad_part=(1, 6),
        empty_rate=0.02,
        shifted_rate=0.06,
        rotated_rate=0.08,
        wrong_rate=0.04,
    )


def simulated_boards(parts: Sequence[str], each: int, seed: int) -> list[Board]:
    """Boards in their place, BGR, each with defects and, as its template, another of the same part without."""
    boards = []
    for part in parts:
        places = {"part": part, "seed": seed, "empty_rate": 0, "shifted_rate": 0, "rotated_rate": 0, "wrong_rate": 0}
        bad = World(SimulatedSettings(**places, defect_rate=1, defects_per_bad_part=(1, 3)))
        good = World(SimulatedSettings(**places, defect_rate=0))
        boards += [_board(part, number, bad, good) for number in range(each)]
    return boards


def _board(part: str, number: int, bad: World, good: World) -> Board:
    picture, truth = bad.render(number, colour=True)
    boxes, class_ids = _truth(truth)
    return Board(f"{part}{number}", part, picture, good.render(number, colour=True)[0], boxes, class_ids)


def _truth(truth: Truth) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    boxes = np.array([defect.box for defect in truth.defects], np.float32).reshape(-1, 4)
    return boxes, np.array([CLASSES.index(defect.name) for defect in truth.defects], np.int64)


def _crop(world: World, rng: Generator, side: int) -> Crop:
    picture, truth = world.render(int(rng.integers(1 << 30)), colour=bool(rng.random() < 0.5))
    if picture.ndim == 3:
        picture = np.ascontiguousarray(picture[..., ::-1])
    crop = placed_crop(picture, *_truth(truth), rng, side, scales=(0.85, 1.2), binary=False)
    return spoiled(turned(crop, rng, inverted=0.0), rng)
