"""`ultralytics`' own `predict()` beside partsight: the same image and model, the same threads, in turns.

ultralytics is no part of an installed partsight; this file is the only one of the command line that imports it.
"""

from __future__ import annotations

import ast
import json
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from partsight.cli.bench_rig import Rig
from partsight.domain.errors import BackendUnavailable
from partsight.domain.frame import Grab, PixelFormat
from partsight.domain.model import ModelSpec, OutputFormat

Image = npt.NDArray[np.uint8]

PAUSE_S = 0.02
"""Before each call. ONNX Runtime's threads spin for a while after a run; without a pause they would take the other
side's core, on whichever side comes second."""
WARM_UP_CALLS = 5
SAME_IOU = 0.9
CLEAR_SCORE = 0.3
"""Boxes are compared from this score on: below it, noise decides on which side of the floor one lies."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A warm `predict()`. threads: what its runtime says, read back from it.

    predict: BGR image (h, w, 3) to ultralytics' results for it.
    """

    name: str
    threads: int
    predict: Callable[[Image], Any]


@dataclass(frozen=True, slots=True)
class Duel:
    """How partsight did against one peer: medians in milliseconds, and medians and quartiles of ratios image by image.

    ratio: partsight's time from frame to recorded verdict over `predict()`'s from image to boxes.
    detect_ratio: partsight's time from image to boxes over the same: the same work on both sides.
    boxes: clear boxes that the peer found in some of the images; agreed: those that partsight found too.
    """

    peer: str
    backend: str
    ours_ms: float
    ours_detect_ms: float
    peer_ms: float
    ratio: float
    ratio_quartiles: tuple[float, float]
    detect_ratio: float
    peer_threads: int
    boxes: int
    agreed: int


def load_ultralytics() -> Any:
    """The package, told to leave network and packages alone. Raises BackendUnavailable."""
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ["YOLO_VERBOSE"] = "false"  # it talks on stdout, which is for results
    try:
        import ultralytics
    except ImportError as problem:
        raise BackendUnavailable(
            f"--peers needs ultralytics, which is not here ({problem}); it comes with partsight's `train` extra, "
            "and a checkout's `make bench` has it in an environment of its own"
        ) from problem
    return ultralytics


def open_peer(name: str, spec: ModelSpec, weights: Path | None, threads: int, folder: Path) -> Peer:
    """`onnx` and `openvino`: the bundle's own file. `pytorch`: `weights`. `folder` takes the files made for it.

    Raises BackendUnavailable.
    """
    yolo = load_ultralytics().YOLO
    file = {"onnx": _fixed_onnx, "openvino": _fixed_openvino}[name](spec, folder) if weights is None else weights
    model = yolo(str(file), task="detect")

    def predict(image: Image) -> Any:
        return model.predict(
            image,
            imgsz=spec.width,
            conf=spec.floor,
            iou=spec.nms_iou,
            max_det=spec.max_detections,
            device="cpu",
            # Of a model with two heads, the one that the bundle was exported with.
            nms=False if spec.output is OutputFormat.END2END else None,
            verbose=False,
        )[0]

    predict(np.full((spec.height, spec.width, 3), spec.pad, np.uint8))
    # Only now: importing ultralytics has set OpenCV to one thread, and its first call torch to all cores but one. For
    # the other runtimes torch only prepares the images; more threads made that slower on a busy machine: its own choice
    # stays.
    cv2.setNumThreads(threads or cores())
    if name == "pytorch":
        return Peer(name, _torch_threads(threads), predict)
    set_threads = _onnx_threads if name == "onnx" else _openvino_threads
    return Peer(name, set_threads(model.predictor.model.backend, file, threads), predict)


def duel(peer: Peer, rig: Rig, grabs: Sequence[Grab], parts: int, tick: Callable[[], None]) -> Duel:
    """`parts` images through both, one after the other, in an order that is drawn anew for each."""
    images = [as_bgr(grab) for grab in grabs]
    for number in range(WARM_UP_CALLS):
        peer.predict(images[number % len(images)])
        rig.part(grabs[number % len(grabs)])
    draw = random.Random(7)  # noqa: S311 - an order, no secret
    ours, detect, theirs = [], [], []
    for number in range(parts):
        which = number % len(grabs)
        for mine in draw.sample((True, False), 2):
            time.sleep(PAUSE_S)
            if mine:
                part = rig.part(grabs[which])
                ours.append(part.verdict)
                detect.append(part.detect)
            else:
                begun = time.perf_counter_ns()
                peer.predict(images[which])
                theirs.append((time.perf_counter_ns() - begun) * 1e-6)
        tick()
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    quarters = quantiles(ratios, n=4) if parts > 1 else [ratios[0]] * 3
    boxes, agreed = _agreement(peer, rig, grabs[:8], images)
    return Duel(
        peer=peer.name,
        backend=rig.detector.model.backend,
        ours_ms=round(median(ours), 3),
        ours_detect_ms=round(median(detect), 3),
        peer_ms=round(median(theirs), 3),
        ratio=round(median(ratios), 4),
        ratio_quartiles=(round(quarters[0], 4), round(quarters[2], 4)),
        detect_ratio=round(median(a / b for a, b in zip(detect, theirs, strict=True)), 4),
        peer_threads=peer.threads,
        boxes=boxes,
        agreed=agreed,
    )


def _agreement(peer: Peer, rig: Rig, grabs: Sequence[Grab], images: Sequence[Image]) -> tuple[int, int]:
    """Clear boxes of the peer, and how many of them partsight found too: a fast answer must be the same answer."""
    boxes = agreed = 0
    for grab, image in zip(grabs, images, strict=False):
        rows = np.asarray(peer.predict(image).boxes.data.cpu().numpy(), np.float32)
        found = rig.detections(grab)
        for row in rows[rows[:, 4] >= CLEAR_SCORE]:
            boxes += 1
            same = found.class_ids == int(row[5])
            agreed += bool((_iou(found.boxes[same], row[:4]) >= SAME_IOU).any())
    return boxes, agreed


def _iou(boxes: npt.NDArray[np.float32], box: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Overlaps of (n, 4) boxes with one, (n,)."""
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    shared = np.maximum(sides, 0).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    overlaps: npt.NDArray[np.float32] = shared / np.maximum(areas - shared, 1e-6)
    return overlaps


def as_bgr(grab: Grab) -> Image:
    """What `predict()` takes; converted once and outside the clock, in the peer's favour. Raises BackendUnavailable."""
    if grab.format is PixelFormat.BGR8:
        return np.asarray(grab.pixels, np.uint8)
    if grab.format is PixelFormat.MONO8:
        return np.asarray(cv2.cvtColor(grab.pixels, cv2.COLOR_GRAY2BGR), np.uint8)
    raise BackendUnavailable(f"{grab.name}: ultralytics cannot take {grab.format.value}; use 8-bit images for --peers")


# --- the same model for both ----------------------------------------------------------------------


def _fixed_onnx(spec: ModelSpec, folder: Path) -> Path:
    """The bundle's file with its free sizes fixed: free ones would cost ultralytics time that partsight saves."""
    import onnx

    model = onnx.load(spec.path)
    entries = {entry.key: entry.value for entry in model.metadata_props}
    if "names" not in entries:
        raise BackendUnavailable(f"{spec.path}: was not exported by ultralytics, so its predict() cannot be a peer")
    sizes = model.graph.input[0].type.tensor_type.shape.dim
    for size, value in zip(sizes, (1, 3, spec.height, spec.width), strict=True):
        size.dim_value = value
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 1
    arguments = ast.literal_eval(entries.get("args", "{}"))
    entries |= {"imgsz": str([spec.height, spec.width]), "batch": "1", "args": str(arguments | {"dynamic": False})}
    onnx.helper.set_model_props(model, entries)
    path = folder / "peer.onnx"
    onnx.save(model, path)
    return path


def _fixed_openvino(spec: ModelSpec, folder: Path) -> Path:
    """The same file as OpenVINO's own format in float32, as ultralytics' export makes it."""
    import onnx
    import openvino as ov

    source = _fixed_onnx(spec, folder)
    place = folder / "peer_openvino_model"
    place.mkdir()
    ov.save_model(ov.convert_model(source), place / "peer.xml", compress_to_fp16=False)
    entries = {entry.key: entry.value for entry in onnx.load(source).metadata_props}
    for key in ("stride", "batch", "imgsz", "names", "args", "channels", "end2end"):
        if key in entries:
            entries[key] = ast.literal_eval(entries[key])
    # JSON is YAML too, but for keys, which must stay numbers.
    names = entries.pop("names")
    lines = [f"{key}: {json.dumps(value)}" for key, value in entries.items()]
    lines += ["names:", *(f"  {number}: {json.dumps(name)}" for number, name in names.items())]
    (place / "metadata.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return place


# --- the same threads for both --------------------------------------------------------------------


def cores() -> int:
    """What this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _onnx_threads(backend: Any, file: Path, threads: int) -> int:
    import onnxruntime as ort

    if threads:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        backend.session = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return int(backend.session.get_session_options().intra_op_num_threads) or cores()


def _openvino_threads(backend: Any, file: Path, threads: int) -> int:
    import openvino as ov

    if threads:
        core = ov.Core()
        # As ultralytics does it, but for the threads.
        device = "CPU" if core.available_devices == ["CPU"] else "AUTO"
        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        backend.ov_compiled_model = core.compile_model(next(file.glob("*.xml")), device, config)
    return int(backend.ov_compiled_model.get_property("INFERENCE_NUM_THREADS"))


def _torch_threads(threads: int) -> int:
    import torch

    torch.set_num_threads(threads or cores())
    return int(torch.get_num_threads())
