"""NVIDIA's own parser and builder (TensorRT-RTX, which builds without a GPU) take our files and refuse bad ones.

Each runs in a process of its own, since the library may end it. What the layers are is asked of the parsed network:
a built engine can only be read where there is a GPU.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from tests.gpu.graphs import end_to_end, pictures, with_dfl

from partsight.models.bundle import find, load
from partsight.models.precisions.graph import fixed, output_convolutions
from partsight.models.precisions.half import half
from partsight.models.precisions.quantised import kept_in_float, quantised

MISSING = (
    "TensorRT-RTX is not installed, so no file was shown to NVIDIA's parser: "
    "pip install tensorrt-rtx-cu13-bindings tensorrt-rtx-cu13-libs"
)
pytestmark = pytest.mark.skipif(importlib.util.find_spec("tensorrt_rtx_bindings") is None, reason=MISSING)
CHILD = Path(__file__).with_name("rtx_child.py")
SIDE = 640
"""The shipped model's own."""


def shown_to_nvidia(*files: Path) -> list[dict[str, Any]]:
    """What became of each file. The process may end at one of them: then that is its result."""
    command = [sys.executable, str(CHILD), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"ended with {done.returncode} after {len(told)} files: {done.stderr[-2000:]}"
    return told


@pytest.fixture
def shown(tmp_path: Path) -> Callable[[Any], dict[str, Any]]:
    """What NVIDIA's parser and builder make of a model."""

    def show(model: Any) -> dict[str, Any]:
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return shown_to_nvidia(path)[0]

    return show


@pytest.fixture(scope="module")
def pcb() -> Any:
    """The shipped model in float32 at its own size."""
    spec = load(find("pcb")).spec()
    return fixed(spec.path.read_bytes(), spec)


def assert_built(told: dict[str, Any]) -> None:
    assert told["parsed"], told["errors"]
    assert told["built"] > 10_000, told["log"]


def test_each_file_that_ships_is_parsed_and_built_in_the_precision_that_its_card_says() -> None:
    bundle = load(find("pcb"))
    specs = [bundle.spec(precision) for precision in bundle.precisions]
    assert {"fp32", "fp16"} <= set(bundle.precisions)
    for spec, told in zip(specs, shown_to_nvidia(*(spec.path for spec in specs)), strict=True):
        if spec.precision == "fp32":
            # It is free in its size, which whoever builds must set; that it parses is what counts here.
            assert told["parsed"], told["errors"]
            assert set(told["convolutions"]) == {"FLOAT FLOAT"}
            continue
        assert_built(told)
        assert told["inputs"] == [["images", "HALF", [1, 3, SIDE, SIDE]]]
        assert told["outputs"] == [["output0", "FLOAT", [1, 10, 8400]]]
        assert set(told["convolutions"]) == {"HALF HALF"}
        if spec.precision == "int8":
            assert told["int8"] > 0.9 * sum(told["convolutions"].values())


def test_float32_at_a_fixed_size_is_built(pcb: Any, shown: Callable[[Any], dict[str, Any]]) -> None:
    told = shown(pcb)
    assert_built(told)
    assert told["inputs"] == [["images", "FLOAT", [1, 3, SIDE, SIDE]]]
    assert told["outputs"] == [["output0", "FLOAT", [1, 10, 8400]]]


def test_an_end_to_end_model_is_built_and_chooses_its_boxes_in_float32(
    pcb: Any, shown: Callable[[Any], dict[str, Any]]
) -> None:
    told = shown(half(end_to_end(pcb, 6), "end to end"))
    assert_built(told)
    assert told["outputs"][0][1:] == ["FLOAT", [1, 300, 6]]
    assert told["layers"]["TOPK"] == 2
    assert set(told["convolutions"]) == {"HALF HALF"}


def test_a_head_with_dfl_is_built_in_each_precision(shown: Callable[[Any], dict[str, Any]]) -> None:
    model = _lifted(with_dfl())
    assert_built(shown(model))
    told = shown(half(model, "tiny"))
    assert_built(told)
    # DFL's own convolution belongs to the decoding of boxes.
    assert told["convolutions"] == {"HALF HALF": 7, "FLOAT FLOAT": 1}
    told = shown(half(quantised(model, pictures(16), "tiny"), "tiny"))
    assert_built(told)
    assert told["convolutions"] == {"HALF HALF": 7, "FLOAT FLOAT": 1}
    assert told["int8"] == 8 - len(kept_in_float(model)) == 2
    assert len(output_convolutions(model)) == 2


BAD = {
    # name: arguments of onnxruntime's quantiser, and what the parser says
    "zero points that are not zero": ({"activation_type": QuantType.QInt8}, {}, "zero point"),
    "unsigned activations": ({"activation_type": QuantType.QUInt8}, {"ActivationSymmetric": True}, "zero point"),
    "a quantised bias": (
        {"activation_type": QuantType.QInt8},
        {"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": True},
        "Int32",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_int8_of_a_kind_that_we_never_make_is_refused(kind: str, tmp_path: Path) -> None:
    arguments, options, says = BAD[kind]
    source, target = tmp_path / "source.onnx", tmp_path / "bad.onnx"
    onnx.save(with_dfl(), source)

    class Images(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime is untyped
        waiting = pictures(4)

        def get_next(self) -> dict[str, Any] | None:
            image = next(self.waiting, None)
            return None if image is None else {"images": image}

    quantize_static(
        str(source),
        str(target),
        Images(),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        weight_type=QuantType.QInt8,
        per_channel=True,
        extra_options=options,
        **arguments,
    )
    told = shown_to_nvidia(target)[0]
    assert not told["parsed"]
    assert says.lower() in " ".join(told["errors"]).lower(), told["errors"]


def test_a_file_that_is_no_model_is_refused_and_the_process_lives(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(os.urandom(2000))
    told = shown_to_nvidia(path)[0]
    assert not told["parsed"]
    assert told["errors"]


def _lifted(model: Any) -> Any:
    return onnx.version_converter.convert_version(model, 19)
