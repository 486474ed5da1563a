"""Crops of the simulated line, so that its parts are judged as well as real boards."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

from partsight.cameras.simulated import SimulatedSettings
from partsight.cameras.simulated.world import World
from partsight.scoring.deeppcb import CLASSES
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


def _crop(world: World, rng: Generator, side: int) -> Crop:
    picture, truth = world.render(int(rng.integers(1 << 30)), colour=bool(rng.random() < 0.5))
    if picture.ndim == 3:
        picture = np.ascontiguousarray(picture[..., ::-1])
    boxes = np.array([defect.box for defect in truth.defects], np.float32).reshape(-1, 4)
    class_ids = np.array([CLASSES.index(defect.name) for defect in truth.defects], np.int64)
    crop = placed_crop(picture, boxes, class_ids, rng, side, scales=(0.85, 1.2), binary=False)
    return spoiled(turned(crop, rng, inverted=0.0), rng)
