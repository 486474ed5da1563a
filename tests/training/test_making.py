"""A model is really made, end to end: boards, training, choice, export, card, and its detections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from partsight.cameras.simulated import SimulatedSettings
from partsight.cameras.simulated.world import World
from partsight.detectors.auto import choose
from partsight.detectors.golden import frame_of
from partsight.domain.detections import Detections, ModelRef
from partsight.domain.model import ModelSpec, OutputFormat
from partsight.models.bundle import load
from partsight.scoring.deeppcb import CLASSES
from partsight.training import pcb
from partsight.training.boards import MARGIN_PX, Board, copper_of, read_boards, split_groups
from partsight.training.bundle import Making, rivals, write_bundle
from partsight.training.crops import Source, drawn_source, good_source, real_source
from partsight.training.drawing import draw_defect
from partsight.training.simulated import simulated_source

GROUPS = ("A", "B", "C")
ALWAYS = {"empty_rate": 0.0, "shifted_rate": 0.0, "rotated_rate": 0.0, "wrong_rate": 0.0}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in DeepPCB's form: three groups of two simulated boards, each with its template."""
    root = tmp_path_factory.mktemp("boards") / "PCBData"
    lines = [_write_pair(root, part, number) for part in GROUPS for number in range(2)]
    for split in ("trainval", "test"):
        (root / f"{split}.txt").write_text("\n".join(lines), encoding="utf-8")
    return root.parent


def _write_pair(root: Path, part: str, number: int) -> str:
    """The same seed and number give the same board, with defects and without."""
    stem, note = f"{part}/images/{number:05d}", f"{part}/notes/{number:05d}.txt"
    for file in (stem, note):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
    kinds = {"test": 1.0, "temp": 0.0}
    for kind, rate in kinds.items():
        settings = SimulatedSettings(part=part, seed=3, defect_rate=rate, defects_per_bad_part=(6, 10), **ALWAYS)
        pixels, truth = World(settings).render(number, colour=False)
        binary = np.where(pixels > 128, 255, 0).astype(np.uint8)
        cv2.imwrite(str(root / f"{stem}_{kind}.jpg"), binary)
        if kind == "test":
            rows = [(*(int(v) for v in one.box), CLASSES.index(one.name) + 1) for one in truth.defects]
            (root / note).write_text("\n".join(" ".join(map(str, row)) for row in rows), encoding="utf-8")
    return f"{stem}.jpg {note}"


@pytest.fixture(scope="module")
def boards(data: Path) -> list[Board]:
    return read_boards(data, "trainval")


@pytest.mark.parametrize("source", [real_source, drawn_source, good_source, lambda _: simulated_source(("A",))])
def test_crops_hold_their_defects(source: Any, boards: list[Board]) -> None:
    draw: Source = source(boards)
    rng = np.random.default_rng(5)
    crops = [draw(rng, 320) for _ in range(40)]
    assert all(crop.image.shape[:2] == (320, 320) and crop.image.dtype == np.uint8 for crop in crops)
    boxes = np.concatenate([crop.boxes for crop in crops])
    if source is good_source:
        assert len(boxes) == 0
        return
    assert len(boxes) > 20
    assert boxes.min() >= 0
    assert boxes.max() <= 320
    assert (boxes[:, 2:] - boxes[:, :2]).min() > MARGIN_PX / 2
    assert set(np.concatenate([crop.class_ids for crop in crops]).tolist()) <= set(range(len(CLASSES)))


@pytest.mark.parametrize("class_id", range(len(CLASSES)), ids=CLASSES)
def test_a_drawn_defect_changes_copper_inside_its_box_only(class_id: int, boards: list[Board]) -> None:
    rng = np.random.default_rng(class_id)
    good = copper_of(boards[0].template)
    drawn = good.copy()
    box = draw_defect(drawn, class_id, {}, rng)
    assert box is not None
    ys, xs = np.nonzero(drawn != good)
    # The box stands off the defect by the margin, but not over the picture's edge.
    assert (max(0, xs.min() - MARGIN_PX), max(0, ys.min() - MARGIN_PX)) == (box[0], box[1])
    added = CLASSES[class_id] in {"short", "spur", "copper"}
    assert (drawn.sum() > good.sum()) == added


def test_groups_are_never_on_both_sides(boards: list[Board]) -> None:
    learn, held_out = split_groups(boards, ["B"])
    assert {board.group for board in learn} == {"A", "C"}
    assert {board.group for board in held_out} == {"B"}


def test_a_trained_model_becomes_a_bundle_that_finds_defects(small_yolo11: Path, tmp_path: Path) -> None:
    thresholds = dict.fromkeys(CLASSES, 0.3)
    making = Making("small", "yolo11n", OutputFormat.ANCHORS, thresholds, training={"data": "simulated"})
    write_bundle(small_yolo11, making, tmp_path / "small")
    bundle = load(tmp_path / "small")
    assert bundle.card.licence == "AGPL-3.0-only"
    assert "GNU AFFERO GENERAL PUBLIC LICENSE" in (tmp_path / "small" / "LICENSE").read_text(encoding="utf-8")
    assert [path.suffix for path in bundle.golden()] == [".png", ".json"] * 3
    detector = choose(bundle.spec())
    world = World(SimulatedSettings(seed=77, defect_rate=1, defects_per_bad_part=(6, 9), **ALWAYS))
    found = detector.detect([frame_of(world.render(number, colour=True)[0]) for number in range(4)])
    detector.close()
    assert sum(len(one) for one in found) >= 4


@pytest.mark.parametrize(
    ("neighbour", "score", "name", "count"),
    [
        pytest.param((0, 0, 100, 94), 0.895, "open", 1, id="rounding decides"),
        pytest.param((0, 0, 100, 94), 0.85, "open", 0, id="clearly worse"),
        pytest.param((0, 0, 100, 99), 0.895, "open", 0, id="as good a box"),
        pytest.param((0, 0, 100, 94), 0.895, "short", 0, id="of another class"),
        pytest.param((500, 0, 600, 94), 0.895, "open", 0, id="somewhere else"),
    ],
)
def test_an_answer_that_hangs_on_rounding_is_no_golden_one(
    neighbour: tuple[float, ...], score: float, name: str, count: int, tmp_path: Path
) -> None:
    thresholds = dict.fromkeys(CLASSES, 0.5)
    spec = ModelSpec(
        "m", "1", tmp_path, "0" * 64, "fp32", CLASSES, 640, 640, OutputFormat.ANCHORS, thresholds, nms_iou=0.45
    )
    model = ModelRef("m", "0" * 64, "onnx", "fp32")
    best = [(0.0, 0.0, 100.0, 100.0), neighbour]
    ids = np.array([CLASSES.index("open"), CLASSES.index(name)], np.int32)
    scores = np.array([0.9, score], np.float32)
    running = Detections(np.array(best, np.float32), scores, ids, CLASSES, model)
    found = Detections(running.boxes[:1], scores[:1], ids[:1], CLASSES, model)
    assert rivals(found, running, spec) == count


def test_the_command_makes_chooses_exports_and_scores(data: Path, yaml_of: Any, tmp_path: Path) -> None:
    arguments = ["--data", data, "--from", yaml_of("yolo26n"), "--out", tmp_path, "--held-out", "B"]
    short = ["--minutes", 0.05, "--last-minutes", 0.02, "--settle-batches", 2]
    pcb.main([str(word) for word in [*arguments, *short]])
    card = load(tmp_path / "bundle").card
    assert card.classes == CLASSES
    assert card.scores["boards"] == 6
    assert card.training["held_out"] == ["B"]
    assert set(card.thresholds) == set(CLASSES)
