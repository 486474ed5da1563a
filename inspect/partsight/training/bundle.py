"""A checkpoint as a bundle: ONNX file, card, golden frames, licence."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import cv2
import onnx
from ultralytics import YOLO

from partsight.cameras.simulated import SimulatedSettings
from partsight.cameras.simulated.world import World
from partsight.detectors.golden import TOLERANCES, frame_of, iou
from partsight.detectors.onnx import OnnxDetector
from partsight.domain.detections import Detections
from partsight.domain.model import ModelSpec, OutputFormat
from partsight.models.bundle import hash_file, load
from partsight.models.card import Card, CardFile, CardGolden, CardInput, CardOutput, write_card
from partsight.scoring.deeppcb import CLASSES
from partsight.training.boards import Pixels
from partsight.training.choose import FLOOR, NMS_IOU

MODEL = "model.onnx"
LICENCE = "AGPL-3.0-only"
LICENCE_NOTE = (
    "Weights trained with ultralytics carry its licence: who passes them on, or lets others use them over a "
    "network, owes those the source of the whole work under AGPL-3.0, or needs a licence from Ultralytics. "
    "partsight itself is Apache-2.0 and runs any other model as well."
)
GOLDEN_SEED = 40_000
GOLDEN_FRAMES = 3
GOLDEN_TRIES = 40
UNPICKED = 3000
"""Boxes before NMS that are looked at."""


@dataclass(frozen=True, slots=True)
class Making:
    """What the card tells about a model. `training` and `scores` are free tables."""

    name: str
    architecture: str
    head: OutputFormat
    thresholds: Mapping[str, float]
    classes: tuple[str, ...] = CLASSES
    side: int = 640
    training: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)


def write_bundle(checkpoint: Path, making: Making, folder: Path) -> Path:
    """Make a whole bundle in `folder`, which may exist already. Returns the card's path."""
    folder.mkdir(parents=True, exist_ok=True)
    export_onnx(checkpoint, making.head, folder / MODEL, f"{making.architecture}, {making.name}")
    shutil.copyfile(_licence_text(), folder / "LICENSE")
    write_card(folder, _card(making, folder, ()))
    golden = write_golden(load(folder).spec(), folder)
    return write_card(folder, _card(making, folder, golden))


def export_onnx(checkpoint: Path, head: OutputFormat, target: Path, description: str, side: int = 640) -> None:
    """Write an ONNX file with float32 NCHW input, free in batch, height and width; sizes follow the input."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copy(checkpoint, Path(folder) / "model.pt"))
        end2end = False if head is OutputFormat.END2END else None  # ultralytics: nms=False keeps the NMS-free head
        made = YOLO(str(copy)).export(
            format="onnx", imgsz=side, dynamic=True, simplify=True, opset=17, device="cpu", nms=end2end, verbose=False
        )
        model = onnx.load(made)
    for entry in model.metadata_props:
        if entry.key == "description":
            entry.value = description  # ultralytics writes the path of the data here
    onnx.save(model, target)


def _card(making: Making, folder: Path, golden: Sequence[CardGolden]) -> Card:
    return Card(
        schema=1,
        name=making.name,
        version=datetime.now(timezone.utc).strftime("%Y.%m.%d"),
        task="detect",
        architecture=making.architecture,
        classes=making.classes,
        licence=LICENCE,
        licence_note=LICENCE_NOTE,
        floor=FLOOR,
        files={MODEL: CardFile(sha256=hash_file(folder / MODEL), precision="fp32")},
        input=CardInput(width=making.side, height=making.side),
        output=CardOutput(format=making.head, nms_iou=NMS_IOU),
        thresholds=dict(making.thresholds),
        training=dict(making.training),
        scores=dict(making.scores),
        golden=tuple(golden),
    )


def _licence_text() -> Path:
    files = distribution("ultralytics").files or []
    found = [entry for entry in files if entry.name == "LICENSE" and "dist-info" in str(entry)]
    return Path(str(distribution("ultralytics").locate_file(found[0])))


def write_golden(spec: ModelSpec, folder: Path) -> list[CardGolden]:
    """Frames of the simulated line with what this model finds on them (ONNX Runtime, float32)."""
    (folder / "golden").mkdir(exist_ok=True)
    for old in (folder / "golden").iterdir():
        old.unlink()
    detector = OnnxDetector(spec)
    entries = []
    for number, pixels in enumerate(_golden_frames(spec, detector)):
        image, answer = f"golden/board{number}.png", f"golden/board{number}.json"
        cv2.imwrite(str(folder / image), pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        found = detector.detect([frame_of(pixels)])[0]
        (folder / answer).write_text(json.dumps(_as_table(found), indent=1) + "\n", encoding="utf-8")
        entries += [
            CardGolden(file=file, sha256=hash_file(folder / file), reference="ONNX Runtime, fp32")
            for file in (image, answer)
        ]
    detector.close()
    return entries


def _golden_frames(spec: ModelSpec, detector: OnnxDetector) -> list[Pixels]:
    """Boards with defects, those whose answer hangs least on rounding, and one without."""
    bad = World(SimulatedSettings(seed=GOLDEN_SEED, defect_rate=1, defects_per_bad_part=(3, 5), **_NO_STRAYS))
    good = World(SimulatedSettings(seed=GOLDEN_SEED, defect_rate=0, **_NO_STRAYS))
    # Without NMS all that was in the running is seen.
    unpicked = OnnxDetector(replace(spec, nms_iou=0.999, max_detections=UNPICKED))
    boards: list[tuple[int, Pixels]] = []
    for number in range(GOLDEN_TRIES):
        pixels = bad.render(number, colour=False)[0]
        found, running = (one.detect([frame_of(pixels)])[0] for one in (detector, unpicked))
        boards.append((rivals(found, running, spec), pixels))
        if sum(count == 0 for count, _ in boards) == GOLDEN_FRAMES - 1:
            break
    unpicked.close()
    boards.sort(key=lambda board: board[0])
    return [*(pixels for _, pixels in boards[: GOLDEN_FRAMES - 1]), good.render(GOLDEN_FRAMES - 1, colour=False)[0]]


def rivals(found: Detections, running: Detections, spec: ModelSpec) -> int:
    """How many of the found boxes above their thresholds won over a neighbour only by a score that rounding can turn.

    In half precision NMS would pick that neighbour, whose box is another than the one written down: a right engine
    would be refused. running: the same image's boxes before NMS.
    """
    allowed = TOLERANCES["fp16"]
    count = 0
    for box, score, kind in zip(found.boxes, found.scores, found.class_ids, strict=True):
        if score < spec.thresholds[spec.classes[kind]]:
            continue
        near = (running.class_ids == kind) & (running.scores >= score - allowed.score)
        count += any(spec.nms_iou < iou(box, other) < allowed.iou for other in running.boxes[near])
    return count


_NO_STRAYS: dict[str, Any] = {"empty_rate": 0, "shifted_rate": 0, "rotated_rate": 0, "wrong_rate": 0}


def _as_table(found: Detections) -> dict[str, Any]:
    return {
        "boxes": [[round(float(value), 2) for value in box] for box in found.boxes],
        "scores": [round(float(score), 4) for score in found.scores],
        "classes": [found.names[int(class_id)] for class_id in found.class_ids],
    }
