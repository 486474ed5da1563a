"""What the tests in the training environment share: a small model that was really trained, and real images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.random import Generator

pytest.importorskip("ultralytics", reason="these tests need the training environment: make test-training")

import openvino  # noqa: F401 - starts a thread of its own, which is then no test's fault
from ultralytics import YOLO

from partsight.scoring.deeppcb import CLASSES, read_deeppcb
from partsight.training.crops import Crop
from partsight.training.fit import FitSettings, Mix, finish, fit
from partsight.training.simulated import simulated_source

REAL_IMAGES = 100
SMALL = 160
TIMEOUT_S = 600
WARNINGS = "ignore"
"""torch and ultralytics warn of their own insides; run-time tests still fail on any warning."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Training takes its time, and its libraries warn."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))
            item.add_marker(pytest.mark.filterwarnings(WARNINGS))


@pytest.fixture(scope="session")
def real_images(deeppcb: Path) -> list[Any]:
    """100 boards with defects from all over trainval, BGR."""
    tested = [sample.image for sample in read_deeppcb(deeppcb, "trainval").samples[::2]]
    chosen = tested[:: len(tested) // REAL_IMAGES][:REAL_IMAGES]
    assert len(chosen) == REAL_IMAGES
    return [cv2.imread(str(path)) for path in chosen]


@pytest.fixture(scope="session")
def yaml_of(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """`yaml_of("yolo11n")`: ultralytics' own model description, for the six defects."""

    def write(name: str) -> Path:
        path = tmp_path_factory.mktemp("yaml") / f"{name}.yaml"
        # A dict of plain values is YAML too.
        path.write_text(repr({**YOLO(f"{name}.yaml").model.yaml, "nc": len(CLASSES)}), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def small_yolo11(yaml_of: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a YOLO11n that knows a few pieces of simulated boards by heart: enough to give boxes."""
    rng, draw = np.random.default_rng(0), simulated_source(("A",))
    pieces = [piece for piece in (draw(rng, SMALL) for _ in range(60)) if len(piece.boxes)]

    def again(rng: Generator, _side: int) -> Crop:
        return pieces[int(rng.integers(len(pieces)))]

    settings = FitSettings(minutes=10, steps=100, epoch_steps=100, side=SMALL, batch=8, rate=3e-3)
    folder, mixes = tmp_path_factory.mktemp("fit"), [Mix(again, 1.0)]
    made = fit(yaml_of("yolo11n"), mixes, settings, folder, print)
    return finish([made], mixes, settings, folder / "final.pt")
