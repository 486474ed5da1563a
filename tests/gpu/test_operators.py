"""The oldest TensorRT's operators: what is outside of them is refused when a model is converted, not on a device."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from tests.gpu.graphs import end_to_end, spec_of, with_dfl

from partsight.domain.errors import BundleError
from partsight.models.bundle import find, load
from partsight.models.precisions.graph import OPSETS, fixed, lint, operators


def test_the_table_has_what_yolo_needs_and_no_more_than_tensorrt_knows() -> None:
    known = operators()
    yolo = "Conv Sigmoid Mul Add Sub Div Concat Split Resize MaxPool MatMul Softmax Transpose Reshape Slice"
    end2end = "TopK GatherElements Gather Mod ReduceMax Expand Unsqueeze Flatten Cast Tile"
    quantised = "QuantizeLinear DequantizeLinear"
    assert set(f"{yolo} {end2end} {quantised}".split()) <= known
    # Marked N in NVIDIA's table.
    assert not known & {"DynamicQuantizeLinear", "QLinearConv", "ConvInteger", "MatMulInteger", "Compress", "Unique"}
    assert len(known) == len(set(known)) > 130
    unknown = [name for name in known if not onnx.defs.has(name)]
    assert unknown == [], "a name that ONNX does not have was mistyped"


def test_what_ships_keeps_to_the_table() -> None:
    bundle = load(find("pcb"))
    for precision in bundle.precisions:
        lint(onnx.load(bundle.spec(precision).path), precision)
    spec = bundle.spec()
    lint(end_to_end(fixed(spec.path.read_bytes(), spec), 6), "end to end")


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What becomes of `code` in an interpreter of its own."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=dict(os.environ), check=False)


def refused(model: Any, folder: Path) -> str:
    spec = spec_of(model, folder)
    with pytest.raises(BundleError) as caught:
        fixed(spec.path.read_bytes(), spec)
    return str(caught.value)


def test_everything_that_tensorrt_lacks_is_told_at_once(tmp_path: Path) -> None:
    model = with_dfl()
    output = model.graph.output[0].name
    model.graph.node.extend(
        [
            helper.make_node("Unique", [output], ["u"], "/unique"),
            helper.make_node("FusedConv", ["images", "u"], ["f"], "/fused", domain="com.microsoft"),
        ]
    )
    told = refused(model, tmp_path)
    assert "Unique (first at node '/unique')" in told
    assert "com.microsoft.FusedConv (first at node '/fused')" in told
    assert "export the model again" in told


@pytest.mark.parametrize("opset", [OPSETS[0] - 1, OPSETS[-1] + 1])
def test_an_opset_that_the_oldest_parser_does_not_know_is_refused(opset: int, tmp_path: Path) -> None:
    model = with_dfl()
    model.opset_import[0].version = opset
    assert f"opset {opset}" in refused(model, tmp_path)


def test_a_graph_inside_a_node_is_refused(tmp_path: Path) -> None:
    model = with_dfl()
    branch = helper.make_graph(
        [helper.make_node("Identity", [model.graph.output[0].name], ["b"])],
        "branch",
        [],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)],
    )
    model.graph.node.append(helper.make_node("If", ["images"], ["i"], "/if", then_branch=branch, else_branch=branch))
    assert "'/if' (If) holds a graph of its own" in refused(model, tmp_path)


def test_a_station_does_without_onnx() -> None:
    """Only the conversion needs the package; the line, its checks and its screen must not."""
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "import partsight.daemon.run, partsight.cli.check, partsight.cli.run, partsight.cli.judge, partsight.cli.app\n"
        "import partsight.cli.models, partsight.detectors.onnx, partsight.models.bundle\n"
        "print('fine')"
    )
    done = python(code)
    assert done.stdout.strip() == "fine", done.stderr


def test_without_onnx_the_command_names_the_cure(tmp_path: Path) -> None:
    code = (
        "import sys, importlib.util as u\n"
        "real = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'onnx' else real(name, *a)\n"
        "sys.argv = ['partsight', 'models', 'convert', 'pcb', '--precision', 'fp16', '--out', sys.argv[1]]\n"
        "from partsight.cli.app import main; main()"
    )
    done = python(code, str(tmp_path / "new"))
    assert done.returncode == 3
    assert "pip install 'partsight[convert]'" in done.stderr
