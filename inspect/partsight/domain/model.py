"""What a detector must know of a model: checked by `partsight.models`, used by `partsight.detectors`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, unique
from pathlib import Path


@unique
class OutputFormat(str, Enum):
    """The shape of a YOLO model's output.

    END2END: (n, k, 6) rows x1 y1 x2 y2 score class, already free of duplicates (YOLO26, YOLOv10).
    ANCHORS: (n, 4 + classes, m) columns cx cy w h and a score for each class, needs NMS (YOLOv8, YOLO11,
        YOLO26's one-to-many head).
    """

    END2END = "end2end"
    ANCHORS = "anchors"


@dataclass(frozen=True, slots=True)
class GoldenFrame:
    """A picture and what the model must answer to it, with the hashes that the card gives them.

    answer: JSON with `boxes` (x1 y1 x2 y2 in the picture's pixels), `scores` and `classes` (names), down to the floor.
    """

    picture: Path
    picture_sha256: str
    answer: Path
    answer_sha256: str


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One file of a bundle whose hash was checked, and how to feed and read it.

    width, height: the model's input in pixels; a frame is letterboxed into it.
    scale: factor from 0..255 to the model's range. pad: grey of the letterbox's border, 0..255.
    floor: boxes under this score are not kept. nms_iou: only for ANCHORS.
    thresholds: the card's score threshold for each class name, used where a recipe gives none.
    """

    name: str
    version: str
    path: Path
    sha256: str
    precision: str
    classes: tuple[str, ...]
    width: int
    height: int
    output: OutputFormat
    thresholds: Mapping[str, float]
    input_name: str = "images"
    colour: str = "RGB"
    scale: float = 1 / 255
    pad: int = 114
    floor: float = 0.05
    nms_iou: float = 0.45
    max_detections: int = 300
    golden: tuple[GoldenFrame, ...] = ()
