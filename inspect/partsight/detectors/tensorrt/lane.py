"""Frames through one GPU: pinned frame, letterbox kernel, engine, pinned output, in slots that overlap.

All of it belongs to the GPU's thread. One stream keeps the order on the GPU, so slots share the engine's input and
output there; what the host touches (frame, output, event) each slot has for itself, and it is touched only when the
slot's event has happened.

An output can never be an earlier frame's. Before each use the slot's output is filled with NaN by the host, and the
head of the engine's output on the device too: what the engine or the copy leaves unwritten is seen by `decode`, which
refuses a NaN.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog

from partsight.detectors.detector import Take
from partsight.detectors.letterbox import Geometry, check_pixels
from partsight.detectors.signature import check_output, check_ports
from partsight.detectors.tensorrt.api import engine_ports, logger, reason, refuse_dynamic
from partsight.detectors.tensorrt.cuda.port import CudaError, CudaPort, Pinned
from partsight.detectors.tensorrt.preprocess import BLOCK, SIGNATURE, Feed, feed, kernel_module, stage
from partsight.domain.errors import BackendUnavailable, BundleError, DetectorError
from partsight.domain.frame import Grab, PixelFormat
from partsight.domain.model import ModelSpec

log = structlog.get_logger(__name__)

FORMS = 8
"""Frame sizes and formats that are kept ready: a station's cameras. The one unused longest goes."""

POISON = 64
"""Values at the head of the engine's output on the device that are NaN before it runs."""

OUT_OF_MEMORY = "CUDA_ERROR_OUT_OF_MEMORY"

Key = tuple[tuple[int, int], PixelFormat]


class GpuLost(DetectorError):
    """The GPU or its context cannot be used any more."""


@dataclass(slots=True)
class Slot:
    """What one frame in flight has for itself. place: of the frame in flight, None when the slot is free."""

    index: int
    output: Pinned
    event: int
    place: Geometry | None = None


@dataclass(slots=True)
class Form:
    """What frames of one size and format need. frames: pinned, one a slot. arguments: of the kernel, one set a slot.

    device_frame: where frames are copied to, None where the GPU reads the pinned ones itself.
    graphs: one a slot, none where they cannot be captured.
    """

    feed: Feed
    kernel: int
    frames: list[Pinned]
    device_frame: int | None
    arguments: list[tuple[int | float, ...]]
    memory: ExitStack
    graphs: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Spent:
    """Nanoseconds of one `infer`: writing frames into slots, and in `take`; the rest was the GPU's."""

    prepare_ns: int = 0
    take_ns: int = 0


class Lane:
    """Made, used and closed by one thread, which has no other CUDA context.

    Raises BundleError where the plan is not what the card says, BackendUnavailable where TensorRT refuses it, GpuLost
    and CudaError else. On any error nothing stays
    allocated.
    """

    def __init__(self, port: CudaPort, trt: Any, plan: bytes, spec: ModelSpec, *, slots: int, graph: bool) -> None:
        self._port, self._spec, self._graph = port, spec, graph
        self._forms: OrderedDict[Key, Form] = OrderedDict()
        self._runtime: Any = None
        self._engine: Any = None
        self._context: Any = None
        self._slots: list[Slot] = []
        self._stream = 0
        self._memory = ExitStack()
        try:
            port.push()
            self._load(trt, plan)
            self._allocate(trt, slots)
            self._first_run()
        except BaseException:
            self.close()
            raise

    @property
    def uses_graphs(self) -> bool:
        """False where they were refused or not wanted."""
        return self._graph

    def infer(self, grabs: Sequence[Grab], take: Take) -> Spent:
        """`take` each frame's output, float32 as `decode` takes it, in order; it is valid inside that call only.

        Raises DetectorError for a frame that cannot be taken, or from `take`; the lane can be used again.
        Raises GpuLost and CudaError where it cannot.
        """
        spent = Spent()
        taken = 0
        try:
            for index, grab in enumerate(grabs):
                if index - taken == len(self._slots):
                    self._finish(self._slots[taken % len(self._slots)], take, spent)
                    taken += 1
                self._start(self._slots[index % len(self._slots)], grab, spent)
            for index in range(taken, len(grabs)):
                self._finish(self._slots[index % len(self._slots)], take, spent)
        finally:
            # After an error: a slot whose frame is still on its way must not be written.
            self._drain()
        return spent

    def run_bare(self) -> int:
        """Nanoseconds of the engine alone, on the input that lies ready."""
        begun = time.perf_counter_ns()
        self._execute()
        self._port.record(self._slots[0].event, self._stream)
        self._port.wait(self._slots[0].event)
        return time.perf_counter_ns() - begun

    def close(self) -> None:
        """Give everything back, in the order in which it may go. Never raises."""
        steps = (self._idle, self._free_graphs, self._let_go, self._free_forms, self._memory.close, self._port.pop)
        for step in (*steps, self._port.close):
            try:
                step()
            except DetectorError as problem:
                # A lost device refuses each of these calls; the process gives back what it held.
                log.warning("the GPU's memory could not be given back", reason=str(problem))

    # --- opening --------------------------------------------------------------------------------------

    def _load(self, trt: Any, plan: bytes) -> None:
        self._runtime = trt.Runtime(logger(trt))
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            # Not the model's fault: another backend may run it.
            raise BackendUnavailable(
                f"the engine of {self._spec.path} is refused by TensorRT {trt.__version__}: {reason(trt)}; "
                "run `partsight build`"
            )
        inputs, outputs = engine_ports(trt, self._engine)
        batch = check_ports(self._spec, inputs, outputs)
        refuse_dynamic(inputs + outputs, f"the engine of {self._spec.path}")
        output = tuple(n or 0 for n in outputs[0].shape)
        check_output(self._spec, output, 1)
        if batch != 1:
            raise BundleError(
                f"the engine of {self._spec.path} takes {batch} images at once, one is needed: build again"
            )
        self._input = (inputs[0].name, np.dtype(inputs[0].dtype))
        self._output = (outputs[0].name, np.dtype(outputs[0].dtype), output)
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise GpuLost(f"TensorRT cannot run the engine of {self._spec.path}: {reason(trt)}; is GPU memory short?")

    def _allocate(self, trt: Any, slots: int) -> None:
        port, memory = self._port, self._memory
        name, dtype = self._input
        self._stream = port.stream()
        memory.callback(port.free_stream, self._stream)
        self._device_input = self._device(3 * self._spec.height * self._spec.width * dtype.itemsize, memory)
        output_name, output_dtype, shape = self._output
        size = int(np.prod(shape))
        self._device_output = self._device(size * output_dtype.itemsize, memory)
        self._poison = self._pinned((min(POISON, size),), output_dtype, memory)
        self._poison.array.fill(np.nan)
        # A float16 output becomes float32 here, since `decode` reads that.
        self._single = None if output_dtype == np.float32 else np.empty(shape, np.float32)
        for index in range(slots):
            event = port.event()
            memory.callback(port.free_event, event)
            self._slots.append(Slot(index, self._pinned(shape, output_dtype, memory), event))
        for tensor, address in ((name, self._device_input), (output_name, self._device_output)):
            if not self._context.set_tensor_address(tensor, address):
                raise GpuLost(f"TensorRT does not take an address for {tensor!r}: {reason(trt)}")
        module = kernel_module()
        # All at once: the driver compiles the module for this GPU, which is nothing for a frame's time.
        self._kernels = {
            form: port.kernel(module, feed((8, 8), form, self._spec, dtype).kernel, SIGNATURE) for form in PixelFormat
        }

    def _first_run(self) -> None:
        """The engine loads the rest of itself at its first run. It also shows that it runs here at all."""
        grey = np.full((self._spec.height, self._spec.width, 3), self._spec.pad, np.uint8)
        self.infer([Grab(grey, PixelFormat.BGR8, name="first run")], lambda *_: None)

    def _device(self, size: int, memory: ExitStack) -> int:
        address = self._port.alloc(size)
        memory.callback(self._port.free, address)
        return address

    def _pinned(self, shape: Sequence[int], dtype: Any, memory: ExitStack, *, mapped: bool = False) -> Pinned:
        pinned = self._port.pinned(shape, np.dtype(dtype), mapped=mapped)
        memory.callback(self._port.free_pinned, pinned)
        return pinned

    # --- one frame ------------------------------------------------------------------------------------

    def _start(self, slot: Slot, grab: Grab, spent: Spent) -> None:
        begun = time.perf_counter_ns()
        check_pixels(grab)
        form = self._form(grab, slot)
        stage(grab, form.frames[slot.index].array)
        slot.output.array.fill(np.nan)
        spent.prepare_ns += time.perf_counter_ns() - begun
        slot.place = form.feed.place
        if form.graphs:
            self._port.launch_graph(form.graphs[slot.index], self._stream)
        else:
            self._enqueue(form, slot)
        self._port.record(slot.event, self._stream)

    def _finish(self, slot: Slot, take: Take, spent: Spent) -> None:
        assert slot.place is not None
        self._port.wait(slot.event)
        place, slot.place = slot.place, None
        begun = time.perf_counter_ns()
        output = slot.output.array
        if self._single is not None:
            np.copyto(self._single, output)
            output = self._single
        take(output[0], place)
        spent.take_ns += time.perf_counter_ns() - begun

    def _drain(self) -> None:
        for slot in self._slots:
            if slot.place is not None:
                slot.place = None
                self._port.wait(slot.event)

    def _enqueue(self, form: Form, slot: Slot) -> None:
        """Everything of one frame into the stream, nothing waited for: what a graph holds."""
        port, stream = self._port, self._stream
        port.copy_in(self._device_output, self._poison.array, stream)
        if form.device_frame is not None:
            port.copy_in(form.device_frame, form.frames[slot.index].array, stream)
        port.launch(form.kernel, form.feed.grid, BLOCK, stream, form.arguments[slot.index])
        self._execute()
        port.copy_out(slot.output.array, self._device_output, stream)

    def _execute(self) -> None:
        assert self._context is not None
        if not self._context.execute_async_v3(self._stream):
            raise GpuLost("TensorRT refused to run the engine; the log holds its reason")

    # --- frame sizes and formats ----------------------------------------------------------------------

    def _form(self, grab: Grab, free: Slot) -> Form:
        key = (grab.size, grab.format)
        form = self._forms.get(key)
        if form is None:
            form = self._add_form(key, grab, free)
        elif len(self._forms) > 1:
            self._forms.move_to_end(key)
        return form

    def _add_form(self, key: Key, grab: Grab, free: Slot) -> Form:
        # Other frames may be in flight, in forms that are to go.
        self._port.synchronize(self._stream)
        if len(self._forms) >= FORMS:
            self._free_form(self._forms.popitem(last=False)[1])
        try:
            form = self._make_form(key)
        except CudaError as problem:
            if problem.name != OUT_OF_MEMORY:
                raise
            width, height = grab.size
            raise DetectorError(
                f"the GPU has no memory left for frames of {width}x{height} {grab.format.value}: {problem}; "
                "close other programs on it, or take fewer slots or smaller frames"
            ) from problem
        self._forms[key] = form
        self._capture(form, free)
        return form

    def _make_form(self, key: Key) -> Form:
        (size, pixel_format), port = key, self._port
        made = feed(size, pixel_format, self._spec, self._input[1])
        with ExitStack() as memory:
            mapped = port.facts.integrated
            frames = [self._pinned(made.frame_shape, np.uint8, memory, mapped=mapped) for _ in self._slots]
            for frame in frames:
                frame.array.fill(0)
            direct = all(frame.device is not None for frame in frames)
            device_frame = None if direct else self._device(frames[0].array.nbytes, memory)
            tables = [self._table(table, memory) for table in (made.columns, made.rows)]
            sources = [frame.device if device_frame is None else device_frame for frame in frames]
            stride = frames[0].array.strides[0]
            arguments = [made.arguments(int(source or 0), stride, self._device_input, *tables) for source in sources]
            return Form(made, self._kernels[pixel_format], frames, device_frame, arguments, memory.pop_all())

    def _table(self, table: npt.NDArray[np.int32], memory: ExitStack) -> int:
        address = self._device(table.nbytes, memory)
        with ExitStack() as passing:
            pinned = self._pinned(table.shape, table.dtype, passing)
            np.copyto(pinned.array, table)
            self._port.copy_in(address, pinned.array, self._stream)
            self._port.synchronize(self._stream)
        return address

    def _capture(self, form: Form, free: Slot) -> None:
        """A graph for each slot, after one plain run: what is loaded at a first run cannot be captured.

        free: a slot whose output nobody waits for; those of frames in flight must not be written.
        """
        if not self._graph:
            return
        self._enqueue(form, free)
        self._port.synchronize(self._stream)
        try:
            for slot in self._slots:
                form.graphs.append(self._port.capture(self._stream, partial(self._enqueue, form, slot)))
        except DetectorError as problem:
            self._graph = False
            log.warning("no CUDA graph, frames are launched step by step: a little slower", reason=str(problem))
            self._free_graphs_of(form)

    # --- closing --------------------------------------------------------------------------------------

    def _idle(self) -> None:
        """Also without an event: what an error left in the stream still uses the memory."""
        if self._stream:
            self._port.synchronize(self._stream)

    def _free_graphs(self) -> None:
        for form in self._forms.values():
            self._free_graphs_of(form)

    def _free_graphs_of(self, form: Form) -> None:
        while form.graphs:
            self._port.free_graph(form.graphs.pop())

    def _free_form(self, form: Form) -> None:
        self._free_graphs_of(form)
        form.memory.close()

    def _free_forms(self) -> None:
        while self._forms:
            self._forms.popitem()[1].memory.close()

    def _let_go(self) -> None:
        """TensorRT's objects end when nothing holds them: the context before the engine before the runtime."""
        self._context = None
        self._engine = None
        self._runtime = None
