"""What every detector backend must do. A backend's author subclasses `DetectorContract` in a test module:

    class TestMyDetector(DetectorContract):
        def open(self, spec):
            return MyDetector(spec, MyDetector.Settings())

The suite makes its own tiny model with the `onnx` package: it finds red and blue squares on a grid, so that
a wrong colour order, a wrong place or a mixed-up class is seen at once. pytest and onnx come with the `test` extra.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from partsight.domain.detections import Detections
from partsight.domain.errors import BundleError, DetectorError
from partsight.domain.frame import Frame, Grab, PixelFormat
from partsight.domain.model import ModelSpec, OutputFormat
from partsight.domain.ports import Detector
from partsight.domain.trigger import Trigger, TriggerKind

SIDE = 64
CELL = 8
CELLS = (SIDE // CELL) ** 2
NAMES = ("red", "blue")
RED, BLUE = (0, 0, 255), (255, 0, 0)


def tiny_spec(folder: Path, output: OutputFormat, batch: int | None = None, *, poison: float = 0.0) -> ModelSpec:
    """Write a tiny model and say how to read it: each 8x8 cell of a 64x64 input is a box, its mean red and mean
    blue are its scores. batch: None leaves it free. poison: added to everything, so that NaN spoils the output.
    """
    path = folder / f"tiny-{output.value}-{batch}-{poison}.onnx"
    path.write_bytes(_tiny_model(output, batch, poison))
    return ModelSpec(
        name="tiny",
        version="1",
        path=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        precision="fp32",
        classes=NAMES,
        width=SIDE,
        height=SIDE,
        output=output,
        thresholds={"red": 0.7, "blue": 0.7},
        floor=0.6,
    )


def _tiny_model(output: OutputFormat, batch: int | None, poison: float) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    centres = (np.arange(CELLS // CELL) + 0.5) * CELL
    y, x = (grid.ravel() for grid in np.meshgrid(centres, centres, indexing="ij"))
    half = CELL / 2
    end2end = output is OutputFormat.END2END
    box = (x - half, y - half, x + half, y + half) if end2end else (x, y, x * 0 + CELL, y * 0 + CELL)
    constants: dict[str, Any] = {
        "boxes": np.stack(box)[None].astype(np.float32),
        "ends": np.array([0, 2], np.int64),
        "flat": np.array([0, 2, CELLS], np.int64),
        "poison": np.array([poison], np.float32),
        "nothing": np.zeros((1, 1, 1), np.float32),
    }
    nodes = [
        helper.make_node("AveragePool", ["images"], ["pooled"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]),
        helper.make_node("Gather", ["pooled", "ends"], ["both"], axis=1),
        helper.make_node("Reshape", ["both", "flat"], ["clean"]),
        helper.make_node("Add", ["clean", "poison"], ["scores"]),
        # Brings the boxes to the batch's size.
        helper.make_node("ReduceMean", ["clean"], ["mean"], axes=[1, 2], keepdims=1),
        helper.make_node("Mul", ["mean", "nothing"], ["zero"]),
        helper.make_node("Add", ["boxes", "zero"], ["places"]),
    ]
    if end2end:
        nodes += [
            helper.make_node("ReduceMax", ["scores"], ["best"], axes=[1], keepdims=1),
            helper.make_node("ArgMax", ["scores"], ["which"], axis=1, keepdims=1),
            helper.make_node("Cast", ["which"], ["class"], to=TensorProto.FLOAT),
            helper.make_node("Concat", ["places", "best", "class"], ["columns"], axis=1),
            helper.make_node("Transpose", ["columns"], ["output0"], perm=[0, 2, 1]),
        ]
    else:
        nodes.append(helper.make_node("Concat", ["places", "scores"], ["output0"], axis=1))
    count: Any = batch or "batch"
    shape = [count, CELLS, 6] if end2end else [count, 6, CELLS]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [count, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    content: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    return content


def frame(pixels: npt.NDArray[Any], form: PixelFormat = PixelFormat.BGR8, bit_depth: int = 8) -> Frame:
    """Pixels as a frame of a trigger that nobody waits for."""
    trigger = Trigger(1, 1, 1, TriggerKind.CALL, datetime.now(timezone.utc), 0, 0)
    return Frame(trigger, "contract", Grab(pixels, form, bit_depth, name="contract"), 0)


def square(width: int, height: int, box: tuple[int, int, int, int], colour: tuple[int, int, int]) -> Any:
    """A black BGR image with one square (x1, y1, x2, y2)."""
    image = np.zeros((height, width, 3), np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = colour
    return image


def _same(one: Detections, other: Detections) -> None:
    np.testing.assert_array_equal(one.boxes, other.boxes)
    np.testing.assert_array_equal(one.scores, other.scores)
    np.testing.assert_array_equal(one.class_ids, other.class_ids)


def _changed(spec: ModelSpec, content: bytes) -> ModelSpec:
    """The spec of a file with other content, whose hash is right: only its content can betray it."""
    path = spec.path.with_name("changed.onnx")
    path.write_bytes(content)
    return dataclasses.replace(spec, path=path, sha256=hashlib.sha256(content).hexdigest())


KINDS = [
    pytest.param(form, batch, id=f"{form.value}-{batch or 'free'}")
    for form, batch in [
        (OutputFormat.ANCHORS, None),
        (OutputFormat.ANCHORS, 3),
        (OutputFormat.END2END, None),
        (OutputFormat.END2END, 1),
    ]
]

WRONG: dict[str, Callable[[ModelSpec], ModelSpec]] = {
    "changed-byte": lambda spec: dataclasses.replace(spec, sha256="0" * 64),
    "missing": lambda spec: dataclasses.replace(spec, path=spec.path.with_name("absent.onnx")),
    "cut-off": lambda spec: _changed(spec, spec.path.read_bytes()[:-400]),
    "empty": lambda spec: _changed(spec, b""),
    "garbage": lambda spec: _changed(spec, bytes(range(256)) * 8),
    "input-name": lambda spec: dataclasses.replace(spec, input_name="pixels"),
    "input-size": lambda spec: dataclasses.replace(spec, width=2 * SIDE),
    "classes": lambda spec: dataclasses.replace(spec, classes=("a", "b", "c"), output=OutputFormat.ANCHORS),
}


class DetectorContract:
    """Subclass and say how to open the backend."""

    def open(self, spec: ModelSpec) -> Detector:
        """A detector for this model. Raises BundleError."""
        raise NotImplementedError("a backend's test class says how to open it")

    @pytest.fixture
    def spec(self, tmp_path: Path) -> ModelSpec:
        return tiny_spec(tmp_path, OutputFormat.ANCHORS)

    @pytest.fixture
    def detector(self, spec: ModelSpec) -> Iterator[Detector]:
        detector = self.open(spec)
        yield detector
        detector.close()

    def test_says_what_it_is(self, detector: Detector, spec: ModelSpec) -> None:
        assert detector.names == NAMES
        assert (detector.model.name, detector.model.sha256) == (spec.name, spec.sha256)
        assert detector.model.backend
        assert detector.model.precision

    @pytest.mark.parametrize(("form", "batch"), KINDS)
    def test_finds_each_colour_in_its_place(self, form: OutputFormat, batch: int | None, tmp_path: Path) -> None:
        detector = self.open(tiny_spec(tmp_path, form, batch))
        images = [
            (square(SIDE, SIDE, (8, 16, 16, 24), RED), "red", (8, 16, 16, 24)),
            (square(SIDE, SIDE, (40, 0, 48, 8), BLUE), "blue", (40, 0, 48, 8)),
            # Twice the model's size: scaled down. Twice as wide as high: a border above and below.
            (square(2 * SIDE, 2 * SIDE, (16, 32, 32, 48), BLUE), "blue", (16, 32, 32, 48)),
            (square(2 * SIDE, SIDE, (32, 16, 48, 32), RED), "red", (32, 16, 48, 32)),
        ]
        found = detector.detect([frame(image) for image, _, _ in images])
        alone = [detector.detect([frame(image)])[0] for image, _, _ in images]
        detector.close()
        for one, single, (_, name, box) in zip(found, alone, images, strict=True):
            _same(one, single)
            assert [NAMES[i] for i in one.class_ids] == [name]
            np.testing.assert_allclose(one.boxes[0], box, atol=0.01)
            assert one.scores[0] > 0.9

    def test_takes_every_pixel_format(self, detector: Detector) -> None:
        red = square(SIDE, SIDE, (16, 16, 32, 32), RED)
        for form, offsets in {
            PixelFormat.BAYER_RG8: (0, 0),
            PixelFormat.BAYER_GR8: (0, 1),
            PixelFormat.BAYER_GB8: (1, 0),
            PixelFormat.BAYER_BG8: (1, 1),
        }.items():
            mosaic = np.zeros((SIDE, SIDE), np.uint8)
            row, column = offsets
            mosaic[row::2, column::2] = red[row::2, column::2, 2]
            ids = detector.detect([frame(mosaic, form)])[0].class_ids
            assert len(ids) >= 1, form
            assert set(ids.tolist()) == {0}, form
        grey = red[..., 2].copy()
        deep = grey.astype(np.uint16) * 16
        mono = detector.detect([frame(grey, PixelFormat.MONO8)])[0]
        # 12 significant bits: 4080 of 4095 is white.
        mono16 = detector.detect([frame(deep, PixelFormat.MONO16, 12)])[0]
        assert len(mono) >= 4
        np.testing.assert_allclose(mono16.scores, mono.scores, atol=0.01)

    def test_takes_frames_of_any_shape(self, detector: Detector) -> None:
        for height, width in [(1, 1), (1, 500), (700, 1), (63, 65), (2, 3)]:
            found = detector.detect([frame(np.full((height, width, 3), RED, np.uint8))])[0]
            assert (found.boxes >= 0).all()
            assert (found.boxes[:, [0, 2]] <= width).all()
            assert (found.boxes[:, [1, 3]] <= height).all()

    def test_gives_what_was_asked_for_nothing(self, detector: Detector) -> None:
        assert detector.detect([]) == []

    def test_judges_the_same_pixels_the_same(self, detector: Detector) -> None:
        noise = np.random.default_rng(1).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
        noise[8:24, 8:24] = RED
        noise[32:40, 8:24] = BLUE
        before = noise.copy()
        first = detector.detect([frame(noise)])[0]
        kept = (first.boxes.copy(), first.scores.copy())
        assert len(first) >= 4
        assert (np.diff(first.scores) <= 0).all()
        assert (first.scores > 0.6).all()
        # What was given out once is not overwritten by the next frame.
        detector.detect([frame(square(SIDE, SIDE, (0, 0, 64, 64), BLUE))])
        np.testing.assert_array_equal(first.boxes, kept[0])
        np.testing.assert_array_equal(first.scores, kept[1])
        _same(detector.detect([frame(noise)])[0], first)
        np.testing.assert_array_equal(noise, before)

    def test_a_border_is_clean_after_a_frame_of_another_shape(self, detector: Detector) -> None:
        wide = frame(square(2 * SIDE, SIDE, (32, 16, 48, 32), RED))
        first = detector.detect([wide])[0]
        detector.detect([frame(np.full((SIDE, SIDE, 3), BLUE, np.uint8))])
        _same(detector.detect([wide])[0], first)

    def test_says_how_long_it_took(self, detector: Detector) -> None:
        detector.warm_up()
        detector.detect([frame(square(SIDE, SIDE, (0, 0, 8, 8), RED))] * 2)
        times = detector.times
        assert min(times.preprocess_ms, times.infer_ms, times.decode_ms) > 0

    @pytest.mark.parametrize("form", list(OutputFormat))
    @pytest.mark.parametrize("poison", [float("nan"), float("inf"), 7.0])
    def test_refuses_what_cannot_be_a_score(self, form: OutputFormat, poison: float, tmp_path: Path) -> None:
        detector = self.open(tiny_spec(tmp_path, form, 1, poison=poison))
        with pytest.raises(DetectorError, match="tiny"):
            detector.detect([frame(np.zeros((SIDE, SIDE, 3), np.uint8))])
        detector.close()

    @pytest.mark.parametrize(
        "bad",
        [
            pytest.param(Grab(np.zeros((0, 0, 3), np.uint8), PixelFormat.BGR8, name="bad"), id="empty"),
            pytest.param(Grab(np.zeros((8, 8), np.uint8), PixelFormat.BGR8, name="bad"), id="one-channel"),
            pytest.param(Grab(np.zeros((8, 8, 4), np.uint8), PixelFormat.BGR8, name="bad"), id="four-channel"),
            pytest.param(Grab(np.zeros((8, 8), np.uint16), PixelFormat.MONO8, name="bad"), id="deep"),
            pytest.param(Grab(np.zeros((2, 2), np.uint8), PixelFormat.BAYER_BG8, name="bad"), id="small-bayer"),
        ],
    )
    def test_refuses_pixels_that_are_not_their_format(self, detector: Detector, bad: Grab) -> None:
        with pytest.raises(DetectorError, match="bad"):
            detector.detect([dataclasses.replace(frame(np.zeros((1, 1, 3), np.uint8)), grab=bad)])
        # And is as good as before.
        assert len(detector.detect([frame(square(SIDE, SIDE, (8, 8, 16, 16), RED))])[0]) == 1

    def test_is_closed_for_good(self, detector: Detector) -> None:
        detector.close()
        detector.close()
        with pytest.raises(DetectorError, match="closed"):
            detector.detect([frame(np.zeros((SIDE, SIDE, 3), np.uint8))])

    @pytest.mark.parametrize("wrong", WRONG)
    def test_refuses_a_file_that_is_not_what_its_card_says(self, wrong: str, tmp_path: Path) -> None:
        spec = WRONG[wrong](tiny_spec(tmp_path, OutputFormat.END2END))
        with pytest.raises(BundleError) as caught:
            self.open(spec).close()
        assert str(spec.path) in str(caught.value)

    @pytest.mark.parametrize("form", list(OutputFormat))
    def test_refuses_the_other_output_format_and_names_it(self, form: OutputFormat, tmp_path: Path) -> None:
        other = next(one for one in OutputFormat if one is not form)
        spec = dataclasses.replace(tiny_spec(tmp_path, form), output=other)
        with pytest.raises(BundleError, match=form.value):
            self.open(spec).close()

    def test_a_red_frame_is_found_by_colour_of_the_card(self, tmp_path: Path) -> None:
        spec = dataclasses.replace(tiny_spec(tmp_path, OutputFormat.END2END), colour="BGR")
        detector = self.open(spec)
        found = detector.detect([frame(cv2.merge([np.full((SIDE, SIDE), v, np.uint8) for v in RED]))])[0]
        detector.close()
        # A model that wants BGR sees red where this tiny model looks for blue.
        assert len(found) > 0
        assert set(found.class_ids.tolist()) == {1}
