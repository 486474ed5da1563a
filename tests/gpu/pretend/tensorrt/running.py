"""The pretend runtime, engine and execution context, on the pretend driver."""

from __future__ import annotations

import ctypes
import json
import weakref
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
from tests.gpu.pretend.tensorrt.building import MAGIC, check_logger, session

CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
TYPES = {"tensor(float)": "FLOAT", "tensor(float16)": "HALF"}

# A graph may run a callback after the context that made it: it must be there to say so.
_callbacks: list[Any] = []


@cache
def driver() -> ctypes.CDLL:
    """The pretend driver's library."""
    return ctypes.CDLL("libcuda.so.1")


def classes(trt: Any) -> Iterator[type]:
    """For the module that is being made."""
    yield from _runtime(trt)
    yield from _context(trt)


def _runtime(trt: Any) -> Iterator[type]:
    class Runtime:
        def __init__(self, logger: Any) -> None:
            check_logger(logger)
            self._logger = logger
            self._alive: weakref.WeakSet[Any] = weakref.WeakSet()
            self.engine_host_code_allowed = False

        def deserialize_cuda_engine(self, plan: bytes) -> Any:
            try:
                magic, header, content = bytes(plan).split(b"\n", 2)
                told = json.loads(header) if magic == MAGIC else None
            except ValueError:
                told = None
            if told is None:
                self._logger.log(trt.ILogger.Severity.ERROR, "Serialization assertion failed: magic tag does not match")
                return None
            if told["version"] != trt.__version__:
                text = "The engine plan file is not compatible with this version of TensorRT"
                self._logger.log(
                    trt.ILogger.Severity.ERROR, f"{text}, expecting {trt.__version__} got {told['version']}"
                )
                return None
            engine = trt.ICudaEngine(self._logger, content, tuple(told["input"]))
            self._alive.add(engine)
            return engine

        def __del__(self) -> None:
            if len(self._alive):
                trt.pretend.mistakes.append("the runtime ended before its engine")

    class ICudaEngine:
        def __init__(self, logger: Any, content: bytes, shape: tuple[int, ...]) -> None:
            self._logger = logger
            self._session = session(content)
            self._alive: weakref.WeakSet[Any] = weakref.WeakSet()
            source = self._session.get_inputs()[0]
            blank = np.zeros(shape, np.float16 if source.type == "tensor(float16)" else np.float32)
            results = self._session.run(None, {source.name: blank})
            # name: (is input, shape, TensorRT's type)
            self._io = {source.name: (True, shape, TYPES[source.type])}
            for value, result in zip(self._session.get_outputs(), results, strict=True):
                self._io[value.name] = (False, result.shape, TYPES[value.type])

        num_io_tensors = property(lambda self: len(self._io))

        def get_tensor_name(self, index: int) -> str:
            return list(self._io)[index]

        def get_tensor_mode(self, name: str) -> Any:
            return trt.TensorIOMode.INPUT if self._io[name][0] else trt.TensorIOMode.OUTPUT

        def get_tensor_shape(self, name: str) -> tuple[int, ...]:
            return tuple(self._io[name][1])

        def get_tensor_dtype(self, name: str) -> Any:
            return trt.DataType[self._io[name][2]]

        def create_execution_context(self) -> Any:
            scratch = ctypes.c_uint64()
            code = driver().cuMemAlloc_v2(ctypes.byref(scratch), ctypes.c_size_t(trt.pretend.scratch_bytes))
            if code:
                self._logger.log(trt.ILogger.Severity.ERROR, f"Error Code 2: OutOfMemory (cuda error {code})")
                return None
            context = trt.IExecutionContext(self, scratch.value)
            self._alive.add(context)
            return context

        def __del__(self) -> None:
            if len(self._alive):
                trt.pretend.mistakes.append("the engine ended before its context")

    yield Runtime
    yield ICudaEngine


def _context(trt: Any) -> Iterator[type]:
    class IExecutionContext:
        def __init__(self, engine: Any, scratch: int) -> None:
            self._logger, self._io, self._session = engine._logger, engine._io, engine._session
            self._scratch = scratch
            self._addresses: dict[str, int] = {}
            self._work: dict[tuple[int, ...], Any] = {}
            self._ended = [False]

        def set_tensor_address(self, name: str, address: int) -> bool:
            if type(address) is not int:
                raise TypeError("set_tensor_address(): incompatible function arguments")
            if name not in self._io:
                return False
            self._addresses[name] = address
            return True

        def execute_async_v3(self, stream_handle: int) -> bool:
            if type(stream_handle) is not int:
                raise TypeError("execute_async_v3(): incompatible function arguments")
            if stream_handle <= 2:
                trt.pretend.mistakes.append("the null stream: the engine synchronises there, and cannot be captured")
            trt.pretend.refuse_at -= 1
            if trt.pretend.refuse_at == 0 or set(self._addresses) != set(self._io):
                self._logger.log(trt.ILogger.Severity.ERROR, "Error Code 3: API Usage Error (enqueueV3)")
                return False
            key = tuple(self._addresses[name] for name in self._io)
            if key not in self._work:
                self._work[key] = CALLBACK(_work(trt, self._session, self._io, key, self._ended))
                _callbacks.append(self._work[key])
            code = driver().cuLaunchHostFunc(ctypes.c_void_p(stream_handle), self._work[key], None)
            if code:
                self._logger.log(trt.ILogger.Severity.ERROR, f"Error Code 1: Cuda Runtime (cuda error {code})")
            return bool(code == 0)

        def __del__(self) -> None:
            self._ended[0] = True
            code = driver().cuMemFree_v2(ctypes.c_uint64(self._scratch))
            if code == 201:
                trt.pretend.mistakes.append("the context ended in a thread without the CUDA context")

    yield IExecutionContext


def _work(trt: Any, opened: Any, io: Any, addresses: tuple[int, ...], ended: list[bool]) -> Callable[[Any], None]:
    """What the GPU would do: on device memory, which is open to host code inside an operation only."""

    def at(number: int, name: str) -> Any:
        _, shape, kind = io[name]
        dtype = np.dtype(trt.nptype(trt.DataType[kind]))
        raw = (ctypes.c_uint8 * (int(np.prod(shape)) * dtype.itemsize)).from_address(addresses[number])
        return np.frombuffer(raw, dtype).reshape(shape)

    def run(_: Any) -> None:
        if trt.pretend.idle:
            return
        trt.pretend.runs += 1
        if ended[0]:
            trt.pretend.mistakes.append("an engine ran after its context ended")
            return
        try:
            places = {name: at(number, name) for number, name in enumerate(io)}
            results = opened.run(None, {name: places[name] for name in io if io[name][0]})
            if trt.pretend.skip_output:
                return
            for name, result in zip([name for name in io if not io[name][0]], results, strict=True):
                places[name][...] = result
        except Exception as problem:  # noqa: BLE001 - ctypes would only print it
            trt.pretend.mistakes.append(f"the engine failed: {type(problem).__name__}: {problem}")

    return run
