"""Makes the golden arrays beside this file, with ultralytics as the reference, in the training environment:

    PYTHONPATH=inspect python tests/golden/make_golden.py CHECKPOINT.pt

CHECKPOINT is a YOLO26 model for the six defects: it gives the end-to-end and the one-to-many outputs. A small
YOLO11 is trained for 200 steps on simulated boards for the third kind. All see boards of the simulated line.

Kept are raw outputs with the boxes that ultralytics' own functions make of exactly these arrays, and small pictures
with what ultralytics' letterbox makes of them. Outputs are rounded before ultralytics sees them: the comparison
stays the same and the files become small.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ultralytics import YOLO
from ultralytics.data.augment import LetterBox
from ultralytics.utils.nms import non_max_suppression
from ultralytics.utils.ops import scale_boxes

from partsight.cameras.simulated import SimulatedSettings
from partsight.cameras.simulated.world import World
from partsight.scoring.deeppcb import CLASSES
from partsight.training.fit import FitSettings, Mix, finish, fit
from partsight.training.simulated import simulated_source

HERE = Path(__file__).resolve().parent
SIDE = 320
FLOOR, IOU, LIMIT = 0.05, 0.45, 300
FRAMES = ((640, 640), (800, 600), (437, 911))
"""Width and height of the frames: square, and two that need a border, one of them odd."""
PICTURES = ((37, 80), (80, 37), (96, 96), (1, 1), (201, 64))
PICTURE_SIDE = 96
Array = np.ndarray[Any, Any]


def main() -> None:
    """Write both files."""
    yolo26 = YOLO(sys.argv[1]).model.float().eval()
    with tempfile.TemporaryDirectory() as folder:
        yolo11 = YOLO(small_yolo11(Path(folder))).model.float().eval()
    arrays: dict[str, Array] = {"classes": np.array(CLASSES)}
    for number, (width, height) in enumerate(FRAMES):
        image = letterboxed(board(number, width, height))
        add(arrays, f"end2end{number}", raw(yolo26, image, end2end=True), (height, width))
        add(arrays, f"anchors{number}", raw(yolo26, image, end2end=False), (height, width))
        add(arrays, f"yolo11_{number}", raw(yolo11, image, end2end=False), (height, width))
    np.savez_compressed(HERE / "outputs.npz", **arrays)
    np.savez_compressed(HERE / "letterbox.npz", **letterboxes())


def small_yolo11(folder: Path) -> Path:
    """A YOLO11n that has learnt enough to give boxes."""
    settings = FitSettings(minutes=60, steps=200, side=160, batch=8, rate=2e-3, epoch_steps=200)
    mixes = [Mix(simulated_source(), 1.0)]
    made = fit(yaml_for(folder, "yolo11n"), mixes, settings, folder, print)
    return finish([made], mixes, settings, folder / "final.pt")


def yaml_for(folder: Path, name: str) -> Path:
    """ultralytics' own yaml of this model, for six classes."""
    model: dict[str, Any] = YOLO(f"{name}.yaml").model.yaml
    path = folder / f"{name}.yaml"
    path.write_text(repr({**model, "nc": len(CLASSES)}), encoding="utf-8")  # a dict of plain values is YAML too
    return path


def board(number: int, width: int, height: int) -> Array:
    """A board with many defects, BGR."""
    settings = SimulatedSettings(
        width=width,
        height=height,
        seed=900,
        defect_rate=1,
        defects_per_bad_part=(8, 12),
        empty_rate=0,
        shifted_rate=0,
        rotated_rate=0,
        wrong_rate=0,
    )
    return World(settings).render(number, colour=True)[0]


def letterboxed(frame: Array) -> torch.Tensor:
    """As ultralytics' predictor feeds a model of a fixed size."""
    image = LetterBox((SIDE, SIDE), auto=False, stride=32)(image=frame)
    return torch.from_numpy(np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1)))[None].float() / 255


def raw(model: Any, image: torch.Tensor, *, end2end: bool) -> Array:
    """One head's output, rounded to 1/8 pixel and 1/4096."""
    if hasattr(model.model[-1], "one2one_cv2"):
        model.end2end = end2end
    with torch.inference_mode():
        output = model(image)[0][0].numpy()
    steps = np.array([8.0] * 4 + [4096.0] * (output.shape[1 if end2end else 0] - 4))
    if end2end:
        steps[5] = 1  # the class
        output = output[output[:, 4] > FLOOR / 4]
    steps = steps if end2end else steps[:, None]
    return (np.round(output * steps) / steps).astype(np.float32)


def add(arrays: dict[str, Array], name: str, output: Array, frame_shape: tuple[int, int]) -> None:
    """The output and ultralytics' boxes of it, (n, 6) in frame pixels."""
    found = non_max_suppression(torch.from_numpy(output)[None], FLOOR, IOU, nc=len(CLASSES), max_det=LIMIT)[0].clone()
    found[:, :4] = scale_boxes((SIDE, SIDE), found[:, :4], frame_shape)
    arrays[f"{name}_output"] = output
    arrays[f"{name}_frame"] = np.array(frame_shape)
    arrays[f"{name}_boxes"] = found.numpy()
    sys.stdout.write(f"{name}: {output.shape}, {len(found)} boxes\n")


def letterboxes() -> dict[str, Array]:
    """Pictures of noise and what ultralytics' letterbox makes of them."""
    rng = np.random.default_rng(7)
    arrays = {}
    for number, (width, height) in enumerate(PICTURES):
        picture = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
        arrays[f"picture{number}"] = picture
        arrays[f"result{number}"] = LetterBox((PICTURE_SIDE, PICTURE_SIDE), auto=False, stride=32)(image=picture)
    return arrays


if __name__ == "__main__":
    main()
