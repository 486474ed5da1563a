"""`partsight models convert`: what it makes, what it leaves alone, and what it refuses."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, numpy_helper
from tests.gpu.graphs import end_to_end, pictures, spec_of, with_dfl

from partsight.detectors.golden import check_golden
from partsight.detectors.onnx import OnnxDetector
from partsight.detectors.openvino import OpenVinoDetector
from partsight.domain.errors import BundleError
from partsight.domain.model import ModelSpec, OutputFormat
from partsight.models.bundle import find, load
from partsight.models.precisions.graph import fixed
from partsight.models.precisions.half import half
from partsight.models.precisions.quantised import kept_in_float, quantised
from partsight.testing.detector_contract import BLUE, RED, frame, square, tiny_spec


def partsight(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The program as a person calls it."""
    return subprocess.run(
        [sys.executable, "-m", "partsight", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200"},
    )


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def answer(model: Any, planes: Any) -> Any:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    port = session.get_inputs()[0]
    return session.run(None, {port.name: planes.astype(np.float16 if "16" in port.type else np.float32)})[0]


def with_content(spec: ModelSpec, model: Any, precision: str, folder: Path) -> ModelSpec:
    """The spec of another file for the same model."""
    path = folder / f"{spec.name}-{precision}.onnx"
    path.write_bytes(model.SerializeToString())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return dataclasses.replace(spec, path=path, sha256=sha256, precision=precision)


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped bundle, converted to both by the command; int8 at a small size, to be quick."""
    folder = tmp_path_factory.mktemp("converted")
    small = folder / "small"
    shutil.copytree(find("pcb"), small)
    card = small / "card.toml"
    card.write_text(card.read_text().replace("width = 640", "width = 320").replace("height = 640", "height = 320"))
    images = folder / "images"
    images.mkdir()
    for number, planes in enumerate(pictures(20, 320)):
        cv2.imwrite(str(images / f"{number:02}.png"), (planes[0].transpose(1, 2, 0) * 255).astype(np.uint8))
    before = fingerprint(small)
    done = partsight("models", "convert", small, "--precision", "fp16", "--precision", "int8", "--calibrate", images)
    assert done.returncode == 0, done.stderr
    assert fingerprint(small) == before, "the old bundle was changed"
    assert "20 images; 500 are asked for" in done.stderr
    made = folder / "small-fp16-int8"
    assert done.stdout.strip() == str(made)
    assert sorted(path.name for path in folder.iterdir()) == ["images", "small", "small-fp16-int8"]
    return made


def test_the_new_bundle_loads_with_every_file_and_says_what_it_was_made_of(converted: Path) -> None:
    bundle = load(converted)
    assert bundle.precisions == ("fp32", "fp16", "int8")
    source = load(converted.with_name("small"))
    assert bundle.spec().sha256 == source.spec().sha256
    assert {one.name for one in converted.iterdir()} >= {"LICENSE", "README.md", "golden", "model.onnx"}
    told = bundle.card.training
    assert told["fp16"]["from_sha256"] == told["int8"]["from_sha256"] == source.spec().sha256
    assert told["int8"]["images"] == 20
    assert told["int8"]["images_of"] == "images"
    assert len(told["int8"]["images_sha256"]) == 64
    before = {key: value for key, value in source.card.training.items() if key not in ("fp16", "int8")}
    assert {key: value for key, value in told.items() if key not in ("fp16", "int8")} == before
    assert bundle.card.thresholds == source.card.thresholds


def test_every_precision_finds_defects_on_both_cpu_backends(converted: Path) -> None:
    bundle = load(converted)
    picture = cv2.imread(str(find("pcb") / "golden" / "board1.png"), cv2.IMREAD_UNCHANGED)
    frames = [frame(np.ascontiguousarray(picture if picture.ndim == 3 else picture[..., None].repeat(3, 2)))]
    counts = {}
    for precision in ("fp32", "fp16"):
        spec = bundle.spec(precision)
        for detector in (OnnxDetector(spec), OpenVinoDetector(spec)):
            assert detector.model.precision == precision
            counts[precision, detector.model.backend] = len(detector.detect(frames)[0])
            detector.close()
    assert min(counts.values()) > 0
    detector = OnnxDetector(bundle.spec("int8"))
    assert detector.model.precision == "int8"
    assert len(detector.detect(frames)[0]) > 0
    detector.close()


def test_the_int8_file_is_of_the_only_kind_that_tensorrt_takes(converted: Path) -> None:
    model = onnx.load(load(converted).spec("int8").path)
    onnx.checker.check_model(model, full_check=True)
    assert [one.version for one in model.opset_import] == [19]
    values = {tensor.name: tensor for tensor in model.graph.initializer}
    made = {name: node for node in model.graph.node for name in node.output}
    quantisers = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert len(quantisers) > 100
    for node in quantisers:
        zero = numpy_helper.to_array(values[node.input[2]])
        assert zero.dtype == np.int8
        assert not zero.any()
        assert values[node.input[1]].data_type == TensorProto.FLOAT16
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    int8 = [node for node in convolutions if made.get(node.input[1]) is not None]
    assert len(convolutions) - len(int8) == len(kept_in_float(_source(converted))) == 1 + 24
    for node in int8:
        weights = made[node.input[1]]
        assert made[node.input[0]].op_type == weights.op_type == "DequantizeLinear"
        channels = values[weights.input[0]].dims[0]
        assert list(values[weights.input[1]].dims) == [channels], "a scale for each channel"
        assert values[node.input[2]].data_type == TensorProto.FLOAT16, "the bias is not quantised"
    # No Q behind a convolution: TensorRT then fuses the activation.
    assert not any(made[n.input[0]].op_type == "Conv" for n in quantisers if n.op_type == "QuantizeLinear")


def _source(converted: Path) -> Any:
    spec = load(converted).spec()
    return fixed(spec.path.read_bytes(), spec)


def test_the_fp16_file_holds_halves_up_to_the_decoding_of_boxes(converted: Path) -> None:
    model = onnx.load(load(converted).spec("fp16").path)
    onnx.checker.check_model(model, full_check=True)
    assert model.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT16
    assert model.graph.output[0].type.tensor_type.elem_type == TensorProto.FLOAT
    values = {tensor.name: tensor for tensor in model.graph.initializer}
    kinds = Counter(values[node.input[1]].data_type for node in model.graph.node if node.op_type == "Conv")
    assert set(kinds) == {TensorProto.FLOAT16}
    assert load(converted).spec("fp16").path.stat().st_size < 0.55 * load(converted).spec().path.stat().st_size


def test_the_shipped_files_answer_the_golden_frames_and_are_what_the_command_makes() -> None:
    """rule_8: what ships is what was checked."""
    bundle = load(find("pcb"))
    for precision in bundle.precisions:
        spec = bundle.spec(precision)
        detector = OnnxDetector(spec)
        assert check_golden(detector, spec).boxes > 0
        detector.close()
    spec = bundle.spec()
    made = half(fixed(spec.path.read_bytes(), spec), "pcb")
    planes = next(pictures(1, 640))
    shipped = onnx.load(bundle.spec("fp16").path)
    np.testing.assert_allclose(answer(made, planes), answer(shipped, planes), rtol=0, atol=1e-3)
    assert bundle.card.training["fp16"]["from_sha256"] == spec.sha256


def test_a_coordinate_keeps_its_place_in_fp16() -> None:
    """All in float16, a coordinate of 600 pixels would move by up to a quarter of a pixel."""
    model = with_dfl()
    spec_model = onnx.version_converter.convert_version(model, 19)
    halved = half(spec_model, "tiny")
    worst = 0.0
    for planes in pictures(4, seed=3):
        ours, theirs = answer(model, planes), answer(halved, planes)
        assert ours[:, 4:].std() > 0.05, "the model answers the same to everything: nothing is compared"
        worst = max(worst, float(np.abs(ours[:, :4] - theirs[:, :4]).max()))
    assert 0 < worst < 0.05


def test_an_end_to_end_model_keeps_its_rows(tmp_path: Path) -> None:
    model = onnx.version_converter.convert_version(with_dfl(), 17)
    spec = spec_of(end_to_end(model, 2, 50), tmp_path)
    assert spec.output is OutputFormat.END2END
    source = fixed(spec.path.read_bytes(), spec)
    planes = next(pictures(1, seed=7))
    ours, theirs = answer(source, planes)[0], answer(half(source, "tiny"), planes)[0]
    best = ours[ours[:, 4] > ours[:, 4].max() - 0.02]
    assert len(best) > 0
    for row in best:
        assert np.abs(theirs - row)[:, :4].max(1).min() < 0.1


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), form=st.sampled_from(list(OutputFormat)), colour=st.sampled_from(["red", "blue"]))
def test_a_converted_model_still_tells_colours_and_places(
    seed: int, form: OutputFormat, colour: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A model without any convolution, which finds red and blue squares on a grid."""
    folder = tmp_path_factory.mktemp("tiny")
    spec = tiny_spec(folder, form)
    x, y = (int(n) * 8 for n in np.random.default_rng(seed).integers(0, 8, 2))
    made = with_content(spec, half(fixed(spec.path.read_bytes(), spec), "tiny"), "fp16", folder)
    image = square(64, 64, (x, y, x + 8, y + 8), RED if colour == "red" else BLUE)
    for detector in (OnnxDetector(made), OpenVinoDetector(made)):
        found = detector.detect([frame(image)])[0]
        assert [found.names[int(n)] for n in found.class_ids] == [colour]
        np.testing.assert_allclose(found.boxes, [[x, y, x + 8, y + 8]], atol=0.05)
        detector.close()


# --- refused ----------------------------------------------------------------------------------------


def refused(model: Any, folder: Path) -> str:
    spec = spec_of(model, folder)
    with pytest.raises(BundleError) as caught:
        half(fixed(spec.path.read_bytes(), spec), str(spec.path))
    assert str(spec.path) in str(caught.value)
    return str(caught.value)


def test_weights_that_a_half_cannot_hold_are_refused(tmp_path: Path) -> None:
    model = with_dfl()
    tensor = next(t for t in model.graph.initializer if len(t.dims) == 4)
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * 1e6, tensor.name))
    assert "more than float16 can hold" in refused(model, tmp_path)


def test_a_card_of_another_size_is_refused(tmp_path: Path) -> None:
    spec = dataclasses.replace(spec_of(with_dfl(), tmp_path), width=96)
    with pytest.raises(BundleError, match="correct \\[input\\] in the card"):
        fixed(spec.path.read_bytes(), spec)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    spec = spec_of(with_dfl(), tmp_path)
    with pytest.raises(BundleError, match="cannot be read"):
        fixed(b"\x08\x99 not a model", spec)


def test_a_model_without_convolutions_has_nothing_to_quantise(tmp_path: Path) -> None:
    spec = tiny_spec(tmp_path, OutputFormat.ANCHORS)
    with pytest.raises(BundleError, match="no convolution to quantise"):
        quantised(fixed(spec.path.read_bytes(), spec), pictures(16), "tiny")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere", "--precision", "fp16"), "no model bundle"),
        (("pcb", "--precision", "int8", "--out", "new"), "int8 takes its ranges from images"),
        (("pcb", "--precision", "int8", "--calibrate", "empty", "--out", "new"), "0 images are too few"),
        (("pcb", "--precision", "int8", "--calibrate", "few", "--out", "new"), "3 images are too few"),
        (("pcb", "--precision", "int8", "--calibrate", "absent", "--out", "new"), "no such file or folder"),
        (("pcb", "--precision", "fp16", "--calibrate", "few", "--out", "new"), "only int8 is calibrated"),
        (("pcb", "--precision", "fp16", "--out", "few"), "is there already"),
        (("pcb", "--precision", "fp16", "--out", "few/0.png/new"), "cannot be written"),
        (("pcb", "--precision", "fp8", "--out", "new"), "fp8"),
    ],
)
def test_a_mistake_in_the_call_is_told_with_its_cure_and_writes_nothing(
    arguments: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "few").mkdir()
    for number in range(3):
        cv2.imwrite(str(tmp_path / "few" / f"{number}.png"), np.full((64, 64), 100, np.uint8))
    before = fingerprint(tmp_path)
    done = partsight("models", "convert", *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert fingerprint(tmp_path) == before


def test_a_conversion_that_is_killed_leaves_no_bundle(tmp_path: Path, wait_until: Callable[..., Any]) -> None:
    """The new folder gets its name when it is whole; what a killed run leaves is hidden, and the next run works."""
    command = [sys.executable, "-m", "partsight", "models", "convert", "pcb", "--precision", "fp16", "--out", "new"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    wait_until(lambda: any(tmp_path.glob(".new-*/card.toml")), 60, "the new files are written")
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert not (tmp_path / "new").exists()
    assert partsight(*command[3:], cwd=tmp_path).returncode == 0
    assert load(tmp_path / "new").precisions == ("fp32", "fp16")


def test_a_model_whose_values_outgrow_fp16_is_refused(tmp_path: Path) -> None:
    """Each weight fits and ONNX Runtime answers as before, since it computes in float32; a GPU would give NaN."""
    folder = tmp_path / "odd"
    shutil.copytree(find("pcb"), folder)
    model = onnx.load(folder / "model.onnx")
    place, gate = next((n, node) for n, node in enumerate(model.graph.node) if node.op_type == "Sigmoid")
    # Times a million and divided by it again: nothing in float32, infinity in float16.
    names = [f"{gate.output[0]}.{number}" for number in range(4)] + [gate.output[0]]
    gate.output[0] = names[0]
    for number, factor in enumerate(("up", "up", "down", "down")):
        step = onnx.helper.make_node("Mul", [names[number], factor], [names[number + 1]])
        model.graph.node.insert(place + 1 + number, step)
    for name, factor in (("up", 1e3), ("down", 1e-3)):
        model.graph.initializer.append(numpy_helper.from_array(np.array(factor, np.float32), name))
    onnx.save(model, folder / "model.onnx")
    card = folder / "card.toml"
    changed = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    card.write_text(card.read_text().replace(load(find("pcb")).spec().sha256, changed))
    done = partsight("models", "convert", folder, "--precision", "fp16", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "float16 ends at 65504" in done.stderr
    assert "run this model in fp32" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["odd"]
