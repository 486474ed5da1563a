"""A bundle with golden frames around a small model, in three precisions that agree as those of a trained one do.

Each 8 x 8 cell of the 64 x 64 input is a box; its mean red and its mean blue are the scores of the two classes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from onnx import TensorProto, checker, helper, numpy_helper

from partsight.detectors.golden import frame_of
from partsight.detectors.onnx import OnnxDetector
from partsight.models.bundle import load
from partsight.models.card import Card, write_card

NAMES, SIDE, CELL = ("red", "blue"), 64, 8
CELLS = (SIDE // CELL) ** 2
PRECISIONS = ("fp32", "fp16", "int8")
THRESHOLD = 0.8


def bundle(
    folder: Path,
    precisions: Sequence[str] = PRECISIONS,
    *,
    golden: int = 2,
    gains: Mapping[str, float] = MappingProxyType({}),
    golden_of: str = "fp32",
) -> Path:
    """Write it. The answers are those of the fp32 file in ONNX Runtime. gains: of each precision's
    scores; another than 1 is a file that calculates something else, as a broken build does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "golden").mkdir(exist_ok=True)
    files = {}
    for precision in precisions:
        content = _model(precision, gains.get(precision, 1.0))
        (folder / f"model-{precision}.onnx").write_bytes(content)
        files[f"model-{precision}.onnx"] = {"sha256": hashlib.sha256(content).hexdigest(), "precision": precision}
    card = {
        "schema": 1,
        "name": "cells",
        "version": "1",
        "task": "detect",
        "architecture": "cells",
        "classes": list(NAMES),
        "licence": "Apache-2.0",
        "files": files,
        "input": {"width": SIDE, "height": SIDE},
        "output": {"format": "anchors"},
        "thresholds": dict.fromkeys(NAMES, THRESHOLD),
    }
    write_card(folder, Card.model_validate(card))
    write_card(folder, Card.model_validate(card | {"golden": _golden(folder, golden)}))
    return folder


def picture(seed: int) -> npt.NDArray[np.uint8]:
    """Cells of one colour each with a little noise, (64, 64, 3)."""
    random = np.random.default_rng(seed)
    cells = np.kron(random.integers(0, 230, (SIDE // CELL, SIDE // CELL, 3)), np.ones((CELL, CELL, 1)))
    return (cells + random.integers(0, 25, cells.shape)).astype(np.uint8)


def _golden(folder: Path, count: int) -> list[dict[str, str]]:
    detector = OnnxDetector(load(folder).spec(), OnnxDetector.Settings(threads=1))
    rows = []
    for number in range(count):
        pixels = picture(number)
        found = detector.detect([frame_of(pixels)])[0]
        answer = {
            "boxes": found.boxes.tolist(),
            "scores": found.scores.tolist(),
            "classes": [NAMES[int(place)] for place in found.class_ids],
        }
        png, told = folder / f"golden/{number}.png", folder / f"golden/{number}.json"
        cv2.imwrite(str(png), pixels)
        told.write_text(json.dumps(answer))
        for path in (png, told):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            rows.append({"file": f"golden/{path.name}", "sha256": digest, "reference": "ONNX Runtime, fp32"})
    detector.close()
    return rows


def _model(precision: str, gain: float) -> bytes:
    kind = np.float16 if precision == "fp16" else np.float32
    weights = np.zeros((len(NAMES), 3, CELL, CELL), np.float32)
    weights[0, 0] = weights[1, 2] = gain / CELL**2
    centres = (np.arange(SIDE // CELL) + 0.5) * CELL
    y, x = (grid.ravel() for grid in np.meshgrid(centres, centres, indexing="ij"))
    boxes = np.stack([x, y, x * 0 + CELL, y * 0 + CELL])[None]
    constants: dict[str, npt.NDArray[Any]] = {
        "boxes": boxes.astype(kind),
        "flat": np.array([1, len(NAMES), CELLS], np.int64),
    }
    nodes = []
    if precision == "int8":
        # Explicit Q/DQ, symmetric: what TensorRT takes.
        steps = {"images": 1 / 127, "weights": float(weights.max()) / 127}
        constants |= {f"{name}_step": np.array(step, np.float32) for name, step in steps.items()}
        constants |= {"weights": weights, "zero": np.zeros((), np.int8)}
        for name in steps:
            q = [name, f"{name}_step", "zero"], [f"{name}_q"]
            nodes.append(helper.make_node("QuantizeLinear", *q, name=f"{name}_quantize"))
            d = [f"{name}_q", f"{name}_step", "zero"], [f"{name}_dq"]
            nodes.append(helper.make_node("DequantizeLinear", *d, name=f"{name}_dequantize"))
        first = ["images_dq", "weights_dq"]
    else:
        constants["weights"] = weights.astype(kind)
        first = ["images", "weights"]
    nodes += [
        helper.make_node("Conv", first, ["means"], name="means", strides=[CELL, CELL]),
        helper.make_node("Reshape", ["means", "flat"], ["scores"], name="scores"),
        helper.make_node("Concat", ["boxes", "scores"], ["output0"], name="rows", axis=1),
    ]
    element = TensorProto.FLOAT16 if precision == "fp16" else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "cells",
        [helper.make_tensor_value_info("images", element, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", element, [1, 4 + len(NAMES), CELLS])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content
