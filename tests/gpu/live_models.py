"""Small YOLO-like models whose output depends on every part of the input, in three precisions.

An untrained graph of a real YOLO gives nearly the same output for every input, so that no test on it could fail.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, checker, helper, numpy_helper

from partsight.domain.model import ModelSpec, OutputFormat

SIDE, CELLS, NAMES = 64, 64, ("scratch", "dent", "stain")
ROWS = 4 + len(NAMES)
PRECISIONS = ("fp32", "fp16", "int8")


def live_spec(folder: Path, precision: str = "fp32", *, free: bool = True, scale: float = 1 / 255) -> ModelSpec:
    """Write the model and say how to read it. free: batch and size are free dimensions, as ultralytics exports them."""
    path = folder / f"live-{precision}-{free}.onnx"
    path.write_bytes(_model(precision, free))
    return ModelSpec(
        name="live",
        version="1",
        path=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        precision=precision,
        classes=NAMES,
        width=SIDE,
        height=SIDE,
        output=OutputFormat.ANCHORS,
        thresholds=dict.fromkeys(NAMES, 0.5),
        scale=scale,
        floor=0.05,
        nms_iou=0.9,
    )


@cache
def _model(precision: str, free: bool) -> bytes:
    rng = np.random.default_rng(3)
    kind = np.float16 if precision == "fp16" else np.float32
    constants: dict[str, npt.NDArray[Any]] = {
        "w1": (rng.standard_normal((8, 3, 4, 4)) * 0.6).astype(kind),
        "b1": (rng.standard_normal(8) * 0.2).astype(kind),
        "w2": (rng.standard_normal((ROWS, 8, 3, 3)) * 0.5).astype(kind),
        "b2": (rng.standard_normal(ROWS) * 0.2).astype(kind),
        "flat": np.array([0, ROWS, -1], np.int64),
        "range": np.array([SIDE] * 2 + [SIDE / 2] * 2 + [1] * len(NAMES), kind).reshape(1, ROWS, 1),
    }
    nodes = []
    first, second = "images", "hidden"
    if precision == "int8":
        nodes, constants = _quantised(nodes, constants)
        first, second = "images_dq", "hidden_dq"
    weights = ("w1_dq", "w2_dq") if precision == "int8" else ("w1", "w2")
    nodes += [
        helper.make_node("Conv", [first, weights[0], "b1"], ["c1"], name="stem", strides=[4, 4]),
        helper.make_node("Relu", ["c1"], ["hidden"], name="act"),
    ]
    if precision == "int8":
        nodes += _pair("hidden")
    nodes += [
        helper.make_node("Conv", [second, weights[1], "b2"], ["c2"], name="head", strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Reshape", ["c2", "flat"], ["raw"], name="flatten"),
        helper.make_node("Sigmoid", ["raw"], ["shares"], name="sigmoid"),
        helper.make_node("Mul", ["shares", "range"], ["output0"], name="spread"),
    ]
    element = TensorProto.FLOAT16 if precision == "fp16" else TensorProto.FLOAT
    dims: list[Any] = ["batch", 3, "height", "width"] if free else [1, 3, SIDE, SIDE]
    out: list[Any] = ["batch", ROWS, "anchors"] if free else [1, ROWS, CELLS]
    graph = helper.make_graph(
        nodes,
        "live",
        [helper.make_tensor_value_info("images", element, dims)],
        [helper.make_tensor_value_info("output0", element, out)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _quantised(nodes: list[Any], constants: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Explicit Q/DQ, symmetric: what TensorRT takes."""
    zero, steps = np.zeros((), np.int8), {"images": 1 / 127, "hidden": 8 / 127}
    constants |= {f"{name}_step": np.array(step, np.float32) for name, step in steps.items()} | {"zero": zero}
    nodes += _pair("images")
    for name in ("w1", "w2"):
        weights = constants.pop(name)
        step = np.abs(weights).max(axis=(1, 2, 3)) / 127
        constants[f"{name}_q"] = np.rint(weights / step[:, None, None, None]).astype(np.int8)
        constants[f"{name}_step"] = step.astype(np.float32)
        constants[f"{name}_zero"] = np.zeros(len(step), np.int8)
        inputs = [f"{name}_q", f"{name}_step", f"{name}_zero"]
        nodes.append(helper.make_node("DequantizeLinear", inputs, [f"{name}_dq"], name=f"{name}_dq", axis=0))
    return nodes, constants


def _pair(name: str) -> list[Any]:
    return [
        helper.make_node("QuantizeLinear", [name, f"{name}_step", "zero"], [f"{name}_q8"], name=f"{name}_q"),
        helper.make_node("DequantizeLinear", [f"{name}_q8", f"{name}_step", "zero"], [f"{name}_dq"], name=f"{name}_d"),
    ]
