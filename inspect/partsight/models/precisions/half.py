"""A model in half precision: everything up to the last convolutions, not the decoding of boxes behind them.

A coordinate of 600 pixels has steps of half a pixel in float16, which moves the box of a small defect by several
hundredths of its area. Decoding is a thousandth of the work, so it stays in float32, and so does the output.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from partsight.domain.errors import BundleError
from partsight.models.precisions.graph import behind, checked, element_types, key, output_convolutions, rebuilt

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
MAKES_FLOAT = frozenset({"Cast", "ConstantOfShape", "EyeLike", "Range", "RandomNormal", "RandomUniform"})
"""Nodes that say themselves what they give: they stay as they are, and what they give is cast."""

LARGEST = float(np.finfo(np.float16).max)
RESERVE = 4.0
"""Images that nobody has shown yet may give larger values."""


def half(model: Any, where: str) -> Any:
    """The model with a float16 input; its output stays float32. Raises BundleError."""
    return checked(_Half(model, where).made(), where)


def watch(model: Any, images: Iterable[npt.NDArray[np.float32]], where: str) -> None:
    """Raises BundleError where a value between the layers of the float32 model would be too large for float16.

    Neither the file nor its answers on a CPU show this: ONNX Runtime computes float16 in float32 there.
    images: (1, 3, height, width) each, as the model is fed.
    """
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    names = sorted(_Half(model, where).halves() - {one.name for one in model.graph.input})
    del watched.graph.output[:]
    for number, name in enumerate(names):
        size, most = f"watched.{number}.size", f"watched.{number}.most"
        watched.graph.node.append(helper.make_node("Abs", [name], [size]))
        watched.graph.node.append(helper.make_node("ReduceMax", [size], [most], keepdims=0))
        watched.graph.output.append(helper.make_tensor_value_info(most, FLOAT, []))
    session = ort.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    for image in images:
        sizes = np.asarray(session.run(None, {model.graph.input[0].name: image}))
        worst = int(np.argmax(sizes))
        if not sizes[worst] < LARGEST / RESERVE:
            raise BundleError(
                f"{where}: {names[worst]!r} reaches {sizes[worst]:g} on an image, and float16 ends at {LARGEST:g} "
                f"(a reserve of {RESERVE:g} is kept); run this model in fp32"
            )


class _Half:
    def __init__(self, model: Any, where: str) -> None:
        self._model = model
        self._where = where
        self._types = element_types(model)
        self._values = {tensor.name: tensor for tensor in model.graph.initializer}
        stays = behind(model, output_convolutions(model))
        self._stays = {key(node) for node in stays} | {key(n) for n in model.graph.node if n.op_type in MAKES_FLOAT}
        self._made: dict[str, Any] = dict(self._values)
        self._casts: dict[tuple[str, int], Any] = {}
        self._halves = {one.name for one in model.graph.input if self._types[one.name] == FLOAT}
        for node in model.graph.node:
            if key(node) not in self._stays:
                self._halves |= {name for name in node.output if name and self._types.get(name) == FLOAT}

    def halves(self) -> set[str]:
        """Names of the tensors that are float16 in the model made."""
        return set(self._halves)

    def made(self) -> Any:
        graph = self._model.graph
        nodes = [self._node(node) for node in graph.node]
        inputs = []
        for one in graph.input:
            copy = helper.make_tensor_value_info(one.name, HALF, [d.dim_value for d in one.type.tensor_type.shape.dim])
            inputs.append(copy if one.name in self._halves else one)
        for one in graph.output:
            if one.name in self._halves:
                self._widen_output(nodes, one.name)
        return rebuilt(self._model, [*nodes, *self._casts.values()], self._made, inputs, list(graph.output))

    def _node(self, node: Any) -> Any:
        copy = helper.make_node(node.op_type, [], list(node.output), node.name, node.doc_string, node.domain)
        copy.attribute.extend(node.attribute)
        copy.input.extend(self._input(node, place, name) for place, name in enumerate(node.input))
        return copy

    def _input(self, node: Any, place: int, name: str) -> str:
        if not name or self._types.get(name) != FLOAT:
            return name
        # Resize takes its scales in float32 always.
        wanted = FLOAT if key(node) in self._stays or (node.op_type == "Resize" and place > 0) else HALF
        if name in self._values:
            return name if wanted == FLOAT else self._half_value(name)
        return name if (name in self._halves) == (wanted == HALF) else self._cast(name, wanted)

    def _half_value(self, name: str) -> str:
        made = f"{name}.half"
        if made not in self._made:
            array = numpy_helper.to_array(self._values[name])
            finite = array[np.isfinite(array)]
            if finite.size and np.abs(finite).max() > LARGEST:
                raise BundleError(
                    f"{self._where}: {name!r} holds {np.abs(finite).max():g}, more than float16 can hold; "
                    "run this model in fp32"
                )
            self._made[made] = numpy_helper.from_array(array.astype(np.float16), made)
        return made

    def _cast(self, name: str, wanted: int) -> str:
        made = f"{name}.{'half' if wanted == HALF else 'float'}"
        if (name, wanted) not in self._casts:
            self._casts[name, wanted] = helper.make_node("Cast", [name], [made], f"{made}/Cast", to=wanted)
        return made

    def _widen_output(self, nodes: list[Any], name: str) -> None:
        """What is computed in float16 gets another name, and the output's name is that of its float32 copy."""
        inner = f"{name}.half"
        for node in (*nodes, *self._casts.values()):
            for names in (node.input, node.output):
                for place, one in enumerate(names):
                    if one == name:
                        names[place] = inner
        self._casts[inner, FLOAT] = helper.make_node("Cast", [inner], [name], f"{name}/Cast", to=FLOAT)
