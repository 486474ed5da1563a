"""A model with explicit int8 quantisation (Q/DQ), the only kind that every TensorRT takes.

Convolutions take int8 and give float; activations and weights are symmetric (zero point 0), weights have a scale for
each channel, biases stay float. TensorRT's parser refuses any other kind. The first convolution, which sees the pixels,
and those of the head, which lead to one answer only, are not quantised: on the shipped model the head costs half of
what is lost, and it is a small part of the work.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from partsight.domain.errors import BundleError
from partsight.models.precisions.graph import IR_MADE, answers_behind, checked, key, output_convolutions

Planes = npt.NDArray[np.float32]
"""(1, 3, height, width): an image as the model is fed."""
PREPARED = "onnx.quant.pre_process"
"""ONNX Runtime's note that a model was folded before, without which it logs advice."""


class _Images(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime is untyped
    def __init__(self, name: str, images: Iterable[Planes]) -> None:
        self._name = name
        self._images: Iterator[Planes] = iter(images)

    def get_next(self) -> dict[str, Planes] | None:
        image = next(self._images, None)
        return None if image is None else {self._name: image}


def kept_in_float(model: Any) -> list[str]:
    """Names of the convolutions that are not quantised."""
    values = {tensor.name: tensor for tensor in model.graph.initializer}
    images = {one.name for one in model.graph.input}
    ends = {key(node) for node in output_convolutions(model)}
    answers = answers_behind(model)
    # Where there is one answer only, everything leads to it.
    fewest = 1 if len(ends) > 1 else 0

    def stays(node: Any) -> bool:
        outside = node.input[0] in images or node.input[1] not in values
        return outside or key(node) in ends or answers[key(node)] <= fewest

    return [node.name for node in model.graph.node if node.op_type == "Conv" and stays(node)]


def quantised(model: Any, images: Iterable[Planes], where: str) -> Any:
    """The float32 model of a fixed shape with its convolutions in int8, by the largest values that images give.

    Raises BundleError where there is nothing to quantise; what `images` raises passes through.
    """
    source = onnx.ModelProto()
    source.CopyFrom(model)
    for number, node in enumerate(source.graph.node):
        node.name = node.name or f"node{number}"
    kept = kept_in_float(source)
    if all(node.name in kept for node in source.graph.node if node.op_type == "Conv"):
        raise BundleError(f"{where}: has no convolution to quantise; run it in fp16")
    source.metadata_props.add(key=PREPARED, value="onnxruntime.quant")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "int8.onnx"
        quantize_static(
            source,
            str(target),
            _Images(source.graph.input[0].name, images),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=kept,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "QuantizeBias": False,
                # What a convolution gives goes on in float, so that TensorRT can fuse the activation behind it.
                "OpTypesToExcludeOutputQuantization": ["Conv"],
            },
        )
        made = onnx.load(target)
    made.ir_version = IR_MADE
    made.producer_name, made.producer_version = model.producer_name, model.producer_version
    del made.metadata_props[:]
    made.metadata_props.extend(model.metadata_props)
    return checked(made, where)
