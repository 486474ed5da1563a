"""The letterbox kernel gives the CPU path's own bits (rule_7): every pixel format, size, stride and model input.

The real CUDA source, compiled by g++, launched by the real packages on the pretend driver.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gpu.pretend.gpu import PretendGpu

from partsight.detectors.letterbox import Letterbox
from partsight.detectors.tensorrt import preprocess
from partsight.detectors.tensorrt.cuda.port import CudaPort
from partsight.domain.errors import DetectorError
from partsight.domain.frame import Grab, PixelFormat
from partsight.domain.model import ModelSpec, OutputFormat

pytestmark = pytest.mark.gpu_variants("pycuda+eager", "cuda-bindings+deferred")

F16, F32 = np.dtype(np.float16), np.dtype(np.float32)
BYTE = np.dtype(np.uint8)
SIZES = [
    *((1280, 720), (1920, 1080), (640, 480), (640, 640), (1280, 1280), (333, 777)),
    *((2448, 2048), (101, 67), (4096, 3000), (320, 240), (1300, 1000)),
]
BAYER = [form for form in PixelFormat if form.value.startswith("Bayer")]


def model(
    width: int = 640, height: int = 640, *, colour: str = "RGB", scale: float = 1 / 255, pad: int = 114
) -> ModelSpec:
    return ModelSpec(
        *("m", "1", Path("m.onnx"), "0" * 64, "fp32", ("a",), width, height, OutputFormat.END2END, {}),
        colour=colour,
        scale=scale,
        pad=pad,
    )


def grab(size: tuple[int, int], form: PixelFormat, seed: int = 0, depth: int = 8) -> Grab:
    """Noise: the hardest picture for rounding."""
    width, height = size
    shape = (height, width, 3) if form.channels == 3 else (height, width)
    high = 1 << depth if form is PixelFormat.MONO16 else 256
    return Grab(np.random.default_rng(seed).integers(0, high, shape, dtype=form.dtype), form, depth)


def noise(size: tuple[int, int], form: PixelFormat, seed: int) -> Grab:
    return grab(size, form, seed, depth=10 if form is PixelFormat.MONO16 else 8)


def on_cpu(image: Grab, spec: ModelSpec, dtype: np.dtype[Any]) -> Any:
    """What `detectors/onnx.py` feeds its model with."""
    letterbox = Letterbox(spec.width, spec.height, spec.pad)
    letterbox.fill(0, image)
    planes = letterbox.pixels[0].transpose(2, 0, 1)
    if spec.colour == "RGB":
        planes = planes[::-1]
    return np.multiply(planes, np.float32(spec.scale), dtype=np.float32).astype(dtype)


def on_gpu(
    port: CudaPort,
    image: Grab,
    spec: ModelSpec,
    dtype: np.dtype[Any],
    *,
    row_gap: int = 0,
    batch: int = 1,
    slot: int = 0,
) -> Any:
    """The whole batch, (batch, 3, h, w). row_gap: bytes that lie between two rows of the frame."""
    feed = preprocess.feed(image.size, image.format, spec, dtype)
    row = int(np.prod(feed.frame_shape[1:]))
    frame = port.pinned((feed.frame_shape[0], row + row_gap), BYTE, mapped=True)
    frame.array[...] = 0xEE
    staged = np.empty(feed.frame_shape, np.uint8)
    preprocess.stage(image, staged)
    frame.array[:, :row] = staged.reshape(len(staged), row)
    tables = [port.pinned(table.shape, table.dtype, mapped=True) for table in (feed.columns, feed.rows)]
    for memory, table in zip(tables, (feed.columns, feed.rows), strict=True):
        memory.array[...] = table
    result = port.pinned((batch, 3, spec.height, spec.width), dtype)
    result.array.view(np.uint8)[...] = 0xAB
    target, stream = port.alloc(result.array.nbytes), port.stream()
    kernel = port.kernel(preprocess.kernel_module(), feed.kernel, preprocess.SIGNATURE)
    assert frame.device is not None
    at = target + slot * result.array[0].nbytes
    arguments = feed.arguments(frame.device, row + row_gap, at, *(int(memory.device or 0) for memory in tables))
    port.copy_in(target, result.array, stream)
    port.launch(kernel, feed.grid, preprocess.BLOCK, stream, arguments)
    port.copy_out(result.array, target, stream)
    port.synchronize(stream)
    answer = result.array.copy()
    for memory in (frame, result, *tables):
        port.free_pinned(memory)
    port.free(target)
    port.free_stream(stream)
    return answer


@pytest.mark.gpu_variants("cuda-bindings+deferred")
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_colour_frames_of_every_size(gpu: PretendGpu, size: tuple[int, int]) -> None:
    image, spec = grab(size, PixelFormat.BGR8), model()
    with gpu.opened() as port:
        for dtype in (F32, F16):
            assert np.array_equal(on_gpu(port, image, spec, dtype)[0], on_cpu(image, spec, dtype))


@pytest.mark.parametrize("form", PixelFormat, ids=lambda form: form.value)
def test_every_pixel_format(gpu: PretendGpu, form: PixelFormat) -> None:
    """Smaller, larger and the same size, in both colour orders."""
    with gpu.opened() as port:
        for size in ((1280, 960), (320, 320), (200, 150)):
            for spec in (model(320, 320), model(320, 320, colour="BGR")):
                image = grab(size, form, depth=12 if form is PixelFormat.MONO16 else 8)
                assert np.array_equal(on_gpu(port, image, spec, F32)[0], on_cpu(image, spec, F32)), size


def test_any_frame_into_any_input(gpu: PretendGpu) -> None:
    """Small sizes find the borders' rules: odd ones, one pixel wide ones, larger and smaller inputs."""
    side = st.integers(3, 40)

    @settings(max_examples=80)
    @given(
        image=st.builds(noise, st.tuples(side, side), st.sampled_from(PixelFormat), st.integers(0, 1000)),
        spec=st.builds(
            model,
            st.integers(1, 48),
            st.integers(1, 48),
            colour=st.sampled_from(["RGB", "BGR"]),
            scale=st.sampled_from([1 / 255, 1.0, 0.0039, 1 / 127.5]),
            pad=st.integers(0, 255),
        ),
        dtype=st.sampled_from([F16, F32]),
        gap=st.integers(0, 7),
    )
    def same(image: Grab, spec: ModelSpec, dtype: np.dtype[Any], gap: int) -> None:
        assert np.array_equal(on_gpu(port, image, spec, dtype, row_gap=gap)[0], on_cpu(image, spec, dtype))

    with gpu.opened() as port:
        same()


def test_a_very_flat_frame(gpu: PretendGpu) -> None:
    with gpu.opened() as port:
        for size in ((900, 1), (1, 900), (1, 1), (2, 3)):
            image, spec = grab(size, PixelFormat.BGR8), model(64, 64)
            assert np.array_equal(on_gpu(port, image, spec, F32)[0], on_cpu(image, spec, F32)), size


def test_an_image_of_a_batch_touches_no_other(gpu: PretendGpu) -> None:
    """A slot is an offset of the pointer: before and after it nothing is written."""
    image, spec = grab((50, 40), PixelFormat.BGR8), model(48, 32)
    with gpu.opened() as port:
        batch = on_gpu(port, image, spec, F16, batch=3, slot=1)
    assert np.array_equal(batch[1], on_cpu(image, spec, F16))
    assert (batch[[0, 2]].view(np.uint8) == 0xAB).all()


def test_the_kernel_reads_and_writes_inside_its_memory(gpu: PretendGpu) -> None:
    """Blocks of 32 x 8 threads overlap an input of 33 x 9; the fences around all memory hold."""
    with gpu.opened() as port:
        for form in PixelFormat:
            on_gpu(port, grab((31, 17), form), model(33, 9), F16)
    assert gpu.stat("illegal_address") == 0


def test_a_frame_that_is_not_its_format_is_refused(gpu: PretendGpu) -> None:
    assert gpu.package
    for image in (
        Grab(np.zeros((4, 4), np.uint8), PixelFormat.BGR8, name="f"),
        Grab(np.zeros((2, 9), np.uint8), PixelFormat.BAYER_RG8, name="f"),
        Grab(np.zeros((4, 4), np.uint16), PixelFormat.MONO16, 17, name="f"),
    ):
        with pytest.raises(DetectorError, match="frame 'f'"):
            preprocess.stage(image, np.empty((4, 4, 3), np.uint8))
    with pytest.raises(DetectorError, match="float64"):
        preprocess.kernel_name(PixelFormat.BGR8, np.dtype(np.float64))


def test_bayer_patterns_are_told_apart(gpu: PretendGpu) -> None:
    """A red, a green and a blue picture through each pattern come out in that colour: no two are swapped."""
    with gpu.opened() as port:
        for channel in range(3):
            for form in BAYER:
                mosaic = np.zeros((16, 16), np.uint8)
                names = form.value[5:7] + {"RG": "GB", "GR": "BG", "GB": "RG", "BG": "GR"}[form.value[5:7]]
                for place, name in enumerate(names):
                    mosaic[place // 2 :: 2, place % 2 :: 2] = 200 if name == "RGB"[channel] else 0
                planes = on_gpu(port, Grab(mosaic, form), model(16, 16, scale=1.0), F32)[0]
                assert [int(plane[8, 8]) for plane in planes] == [200 if i == channel else 0 for i in range(3)], form


def test_real_images(gpu: PretendGpu, deeppcb: Path) -> None:
    paths = sorted(deeppcb.glob("PCBData/group*/*/*_test.jpg"))[:3]
    with gpu.opened() as port:
        for path in paths:
            pixels = cv2.imread(str(path))
            for image in (Grab(pixels, PixelFormat.BGR8), Grab(pixels[..., 0].copy(), PixelFormat.MONO8)):
                assert np.array_equal(on_gpu(port, image, model(), F16)[0], on_cpu(image, model(), F16))
    assert paths
