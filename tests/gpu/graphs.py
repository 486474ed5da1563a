"""Small ONNX models for the tests of precisions: the parts of YOLO heads that decide what TensorRT takes.

Weights are He-scaled noise, so that the output depends on the input: an untrained model of constant weights answers the
same to everything, and every comparison on it would pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from partsight.domain.model import ModelSpec, OutputFormat

SIDE = 64
BINS = 16
CLASSES = ("scratch", "dent")


class Graph:
    """Nodes with their weights, one after another; each method gives the name of what it makes."""

    def __init__(self, seed: int = 0) -> None:
        self.nodes: list[Any] = []
        self.values: dict[str, np.ndarray[Any, Any]] = {}
        self._random = np.random.default_rng(seed)

    def node(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        names = [f"{op.lower()}{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, f"/{op}{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names

    def value(self, array: Any, dtype: Any = np.int64) -> str:
        name = f"value{len(self.values)}"
        self.values[name] = np.asarray(array, dtype)
        return name

    def conv(self, x: str, inputs: int, outputs: int, size: int = 3, stride: int = 1) -> str:
        scale = 1.6 / np.sqrt(inputs * size * size)
        weights = self._random.standard_normal((outputs, inputs, size, size)) * scale
        bias = self._random.standard_normal(outputs) * 0.1
        kernel = {"kernel_shape": [size, size], "strides": [stride, stride], "pads": [size // 2] * 4}
        name: str = self.node("Conv", x, self.value(weights, np.float32), self.value(bias, np.float32), **kernel)
        return name

    def silu(self, x: str) -> str:
        name: str = self.node("Mul", x, self.node("Sigmoid", x))
        return name

    def model(self, output: str, shape: list[int], side: int = SIDE, opset: int = 17) -> Any:
        graph = helper.make_graph(
            self.nodes,
            "tiny",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side, side])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
            [numpy_helper.from_array(array, name) for name, array in self.values.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def with_dfl(seed: int = 0) -> Any:
    """As YOLOv8 and YOLO11 end: distances as distributions, their means by a convolution of 0, 1, 2, ... (DFL)."""
    g = Graph(seed)
    cells = (SIDE // 4) ** 2
    x = g.silu(g.conv("images", 3, 16, stride=2))
    x = g.silu(g.conv(x, 16, 32, stride=2))
    x = g.node("Concat", x, g.node("MaxPool", x, kernel_shape=[5, 5], strides=[1, 1], pads=[2, 2, 2, 2]), axis=1)
    x = g.silu(g.conv(x, 64, 32, size=1))
    boxes = g.conv(g.silu(g.conv(x, 32, 32)), 32, 4 * BINS, size=1)
    scores = g.conv(g.silu(g.conv(x, 32, 32)), 32, len(CLASSES), size=1)
    spread = g.node("Reshape", boxes, g.value([1, 4, BINS, cells]))
    spread = g.node("Softmax", g.node("Transpose", spread, perm=[0, 2, 1, 3]), axis=1)
    bins = g.value(np.arange(BINS).reshape(1, BINS, 1, 1), np.float32)
    means = g.node("Reshape", g.node("Conv", spread, bins), g.value([1, 4, cells]))
    start, end = g.node("Split", means, axis=1, outputs=2)
    y, x_ = (grid.ravel() + 0.5 for grid in np.meshgrid(*(np.arange(SIDE // 4),) * 2, indexing="ij"))
    anchors = g.value(np.stack([x_, y])[None], np.float32)
    low, high = g.node("Sub", anchors, start), g.node("Add", anchors, end)
    centre = g.node("Div", g.node("Add", low, high), g.value(2, np.float32))
    box = g.node("Mul", g.node("Concat", centre, g.node("Sub", high, low), axis=1), g.value(4, np.float32))
    classes = g.node("Sigmoid", g.node("Reshape", scores, g.value([1, len(CLASSES), cells])))
    output = g.node("Concat", box, classes, axis=1)
    return g.model(output, [1, 4 + len(CLASSES), cells])


def end_to_end(model: Any, classes: int, keep: int = 300) -> Any:
    """A one-to-many model of a fixed shape with the end of YOLO26 and YOLOv10 behind it: the best `keep` by TopK, a row
    x1 y1 x2 y2 score class for each, (1, keep, 6).
    """
    g = Graph()
    g.nodes = list(model.graph.node)
    g.values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    old = model.graph.output[0]
    side = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    rows = g.node("Transpose", old.name, perm=[0, 2, 1])
    boxes, scores = g.node("Split", rows, g.value([4, classes]), axis=2, outputs=2)
    best = (
        g.node("ReduceMax", scores, axes=[2], keepdims=0)
        if _opset(model) < 18
        else g.node("ReduceMax", scores, g.value([2]), keepdims=0)
    )
    _, anchors = g.node("TopK", best, g.value([keep]), axis=1, outputs=2)
    column = g.node("Unsqueeze", anchors, g.value([2]))
    boxes = g.node("GatherElements", boxes, g.node("Expand", column, g.value([1, keep, 4])), axis=1)
    scores = g.node("GatherElements", scores, g.node("Expand", column, g.value([1, keep, classes])), axis=1)
    top, index = g.node("TopK", g.node("Flatten", scores, axis=1), g.value([keep]), axis=1, outputs=2)
    place = g.node("Unsqueeze", g.node("Div", index, g.value(classes)), g.value([2]))
    kind = g.node("Unsqueeze", g.node("Mod", index, g.value(classes)), g.value([2]))
    boxes = g.node("GatherElements", boxes, g.node("Expand", place, g.value([1, keep, 4])), axis=1)
    centre, size = (
        g.node("Split", boxes, axis=2, num_outputs=2, outputs=2)
        if _opset(model) >= 18
        else g.node("Split", boxes, axis=2, outputs=2)
    )
    half = g.node("Mul", size, g.value(0.5, np.float32))
    corners = [g.node("Sub", centre, half), g.node("Add", centre, half)]
    columns = [*corners, g.node("Unsqueeze", top, g.value([2])), g.node("Cast", kind, to=TensorProto.FLOAT)]
    output = g.node("Concat", *columns, axis=2)
    made = g.model(output, [1, keep, 6], side, _opset(model))
    onnx.checker.check_model(made, full_check=True)
    return made


def _opset(model: Any) -> int:
    return int(model.opset_import[0].version)


def spec_of(model: Any, folder: Path, classes: tuple[str, ...] = CLASSES, name: str = "tiny") -> ModelSpec:
    """The model as a file, and how to read it."""
    path = folder / f"{name}.onnx"
    path.write_bytes(model.SerializeToString())
    dims = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    end2end = model.graph.output[0].type.tensor_type.shape.dim[2].dim_value == 6
    return ModelSpec(
        name=name,
        version="1",
        path=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        precision="fp32",
        classes=classes,
        width=dims[3],
        height=dims[2],
        output=OutputFormat.END2END if end2end else OutputFormat.ANCHORS,
        thresholds=dict.fromkeys(classes, 0.5),
    )


def pictures(count: int, side: int = SIDE, seed: int = 0) -> Iterator[Any]:
    """Blocks of colour with noise, (1, 3, side, side) float32 in 0 to 1."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        blocks = np.kron(random.random((1, 3, 8, 8)), np.ones((1, 1, side // 8, side // 8)))
        yield (blocks * 0.8 + random.random((1, 3, side, side)) * 0.2).astype(np.float32)
