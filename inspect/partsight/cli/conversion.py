"""What stands around a conversion: images as the model is fed, progress, and a look at what came out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import Progress

from partsight.cameras.folder import read_image
from partsight.detectors.golden import frame_of
from partsight.detectors.letterbox import Letterbox
from partsight.detectors.onnx import OnnxDetector
from partsight.domain.detections import Detections
from partsight.domain.errors import BackendUnavailable, BundleError, ConfigError, Mistake
from partsight.domain.frame import Grab, PixelFormat
from partsight.domain.model import ModelSpec
from partsight.models.bundle import Bundle
from partsight.scoring.annotations import read_annotations
from partsight.scoring.matching import iou_matrix

if TYPE_CHECKING:
    from partsight.models.precisions.conversion import Calibration

FP16_SCORE = 0.02
"""What a score may move by in fp16; more means that the conversion is wrong for this model."""
SAME_PLACE = 0.5
"""IoU from which two boxes are of the same defect."""
LOOKED_AT = 8


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line asked for. wanted: precisions. images: how many at most."""

    bundle: Bundle
    wanted: tuple[str, ...]
    target: Path
    calibrate: Path | None
    split: str | None
    images: int


def carry_out(order: Order, messages: Console) -> Bundle:
    """The new bundle. Raises ConfigError for a mistake in the order, BundleError, BackendUnavailable without onnx."""
    if find_spec("onnx") is None:
        raise BackendUnavailable(
            "a conversion needs the package onnx, which a station does without: pip install 'partsight[convert]'"
        )
    from partsight.models.precisions.conversion import convert

    if order.target.exists():
        problem = f"{order.target} is there already, and a bundle is never changed"
        raise ConfigError([Mistake("--out", "", problem, "name another folder, or remove it")])
    files = _files(order, messages)
    wanted: Any = order.wanted
    try:
        with Progress(console=messages, disable=not messages.is_terminal) as progress:
            calibration = _calibration(order, files, progress) if "int8" in order.wanted else None
            shown = [*_pictures(order.bundle), *files[:: max(1, len(files) // LOOKED_AT)]]
            return convert(
                order.bundle,
                wanted,
                order.target,
                calibration,
                samples=lambda: planes(order.bundle.spec(), shown),
                approve=lambda made: _look(made, order, shown, messages),
            )
    except OSError as problem:
        cure = "check the disk and who may write there"
        raise ConfigError([Mistake(str(order.target), "", f"cannot be written: {problem}", cure)]) from problem


# --- images in --------------------------------------------------------------------------------------


def _files(order: Order, messages: Console) -> list[Path]:
    """Images for int8, evenly spread over what is there; those that cannot be read are named and left out."""
    from partsight.models.precisions.conversion import IMAGES_LEAST, IMAGES_WANTED

    if "int8" not in order.wanted:
        return []
    if order.calibrate is None:
        cure = f"name a folder with {IMAGES_WANTED} images of your line, good ones and every defect"
        raise ConfigError([Mistake("--calibrate", "", "int8 takes its ranges from images, and there are none", cure)])
    samples = read_annotations(order.calibrate, order.split, order.bundle.card.classes).samples
    found = [sample.image for sample in samples]
    count = min(order.images, len(found))
    chosen = [found[number * len(found) // count] for number in range(count)]
    readable = []
    for file in chosen:
        error = read_image(file).error
        if error is None:
            readable.append(file)
        else:
            messages.print(f"left out: {error}", markup=False, soft_wrap=True)
    if len(readable) < IMAGES_LEAST:
        problem = f"{len(readable)} images are too few: with fewer than {IMAGES_LEAST} the ranges are chance"
        raise ConfigError([Mistake("--calibrate", str(order.calibrate), problem, f"give {IMAGES_WANTED}, or use fp16")])
    if len(readable) < IMAGES_WANTED:
        messages.print(
            f"[yellow]warning:[/yellow] {len(readable)} images; {IMAGES_WANTED} are asked for, of good parts and of "
            "every defect. What they do not show, int8 may miss.",
            soft_wrap=True,
        )
    return readable


def _calibration(order: Order, files: Sequence[Path], progress: Progress) -> Calibration:
    from partsight.models.precisions.conversion import Calibration, digest

    spec = order.bundle.spec()
    name = (order.calibrate or Path()).resolve().name + (f", {order.split}" if order.split else "")
    task = progress.add_task("calibrating", total=len(files))
    return Calibration(name, digest(files), len(files), lambda: planes(spec, files, lambda: progress.advance(task)))


def planes(
    spec: ModelSpec, files: Sequence[Path], done: Callable[[], None] = lambda: None
) -> Iterator[npt.NDArray[np.float32]]:
    """Each image as the model is fed on the line: (1, 3, height, width) float32. Raises ImageError."""
    letterbox = Letterbox(spec.width, spec.height, spec.pad)
    order = (2, 1, 0) if spec.colour == "RGB" else (0, 1, 2)
    for file in files:
        letterbox.fill(0, _readable(read_image(file)))
        yield np.ascontiguousarray(letterbox.pixels[..., order].transpose(0, 3, 1, 2)) * np.float32(spec.scale)
        done()


def _readable(grab: Grab) -> Grab:
    if grab.error is not None:
        raise grab.error
    return grab


# --- what came out ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Comparison:
    """fp32's defects in another precision. worst_score: the largest change of a score that both have."""

    defects: int
    lost: int
    worst_score: float


def compare(reference: Sequence[Detections], others: Sequence[Detections], spec: ModelSpec) -> Comparison:
    """Each box of `reference` above its class's threshold against the best box of the other in its place."""
    defects = lost = 0
    worst = 0.0
    limits = [spec.thresholds[name] for name in spec.classes]
    for ours, theirs in zip(reference, others, strict=True):
        for box, score, class_id in zip(ours.boxes, ours.scores, ours.class_ids, strict=True):
            if score < limits[int(class_id)]:
                continue
            defects += 1
            there = (theirs.class_ids == class_id) & (iou_matrix(box[None], theirs.boxes)[0] >= SAME_PLACE)
            if there.any():
                worst = max(worst, float(np.abs(theirs.scores[there] - score).min()))
            else:
                lost += 1
    return Comparison(defects, lost, worst)


def _pictures(bundle: Bundle) -> list[Path]:
    return [file for file in bundle.golden() if file.suffix == ".png"]


def _look(made: Bundle, order: Order, files: Sequence[Path], messages: Console) -> None:
    """Show each new file the golden frames and some of the images. Raises BundleError for an fp16 that differs."""
    grabs = [_readable(read_image(file)) for file in files]
    if not grabs:
        messages.print("the bundle has no golden frames: the new files were loaded, not compared", markup=False)
        grabs = [Grab(np.full((order.bundle.card.input.height,) * 2, 114, np.uint8), PixelFormat.MONO8, name="grey")]
    reference = _found(made.spec(), grabs)
    for precision in order.wanted:
        told = compare(reference, _found(made.spec(precision), grabs), made.spec())
        messages.print(
            f"{precision} on {len(grabs)} images: {told.defects} defects, {told.lost} lost, "
            f"scores moved by {told.worst_score:.3f} at most",
            markup=False,
        )
        if precision == "fp16" and (told.lost or told.worst_score > FP16_SCORE):
            raise BundleError(
                f"{order.bundle.folder}: in fp16 it answers otherwise ({told.lost} of {told.defects} defects lost, "
                f"scores moved by {told.worst_score:.3f}, at most {FP16_SCORE:g} is allowed); run it in fp32"
            )


def _found(spec: ModelSpec, grabs: Sequence[Grab]) -> list[Detections]:
    with closing(OnnxDetector(spec)) as detector:
        return detector.detect([replace(_FRAME, grab=grab) for grab in grabs])


_FRAME = frame_of(np.zeros((1, 1), np.uint8))
