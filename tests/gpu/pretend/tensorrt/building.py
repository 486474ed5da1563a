"""The pretend builder: parser, network, config, progress and timing cache."""

from __future__ import annotations

import enum
import json
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

ELEMENTS = {onnx.TensorProto.FLOAT: "FLOAT", onnx.TensorProto.FLOAT16: "HALF", onnx.TensorProto.DOUBLE: "FP8"}
MAGIC, CACHE = b"PRETEND-PLAN", b"PRETEND-TIMING "
PRECISIONS = {"FP16", "INT8", "BF16", "FP8", "INT4"}


def classes(trt: Any) -> Iterator[type]:
    """For the module that is being made."""
    yield from _logging()
    yield from _network(trt)
    yield from _config(trt)
    yield from _builder(trt)


def _logging() -> Iterator[type]:
    class ILogger:
        class Severity(enum.IntEnum):
            INTERNAL_ERROR = 0
            ERROR = 1
            WARNING = 2
            INFO = 3
            VERBOSE = 4

        def __init__(self) -> None:
            self._made = True

    class Logger(ILogger):
        def log(self, severity: Any, message: str) -> None: ...

    yield ILogger
    yield Logger


def _network(trt: Any) -> Iterator[type]:
    class ITensor:
        def __init__(self, network: Any, value: Any, *, is_input: bool) -> None:
            self._network, self._value, self._is_input = network, value, is_input

        @property
        def name(self) -> str:
            return str(self._value.name)

        @property
        def dtype(self) -> Any:
            return trt.DataType[trt.pretend.dtype or ELEMENTS[self._value.type.tensor_type.elem_type]]

        @property
        def shape(self) -> tuple[int, ...]:
            if self._is_input:
                return tuple(self._network._input)
            return tuple(self._network._output_shape())

        @shape.setter
        def shape(self, shape: Any) -> None:
            assert self._is_input, "only an input's shape can be set"
            self._network._input = tuple(shape)

    class INetworkDefinition:
        def __init__(self, flags: int) -> None:
            self._flags, self._model, self._content = flags, None, b""
            self._input: tuple[int, ...] = ()

        def _output_shape(self) -> tuple[int, ...]:
            if -1 in self._input:
                value = self._model.graph.output[0]  # type: ignore[attr-defined]
                return tuple(_dims(value))
            # As TensorRT's shape propagation would: an engine has only fixed shapes then.
            half = trt.pretend.dtype != "FLOAT" and session(self._content).get_inputs()[0].type == "tensor(float16)"
            blank = np.zeros(self._input, np.float16 if half else np.float32)
            shape = session(self._content).run(None, {session(self._content).get_inputs()[0].name: blank})[0].shape
            return tuple(int(n) for n in shape)

        num_inputs = property(lambda self: len(_inputs(self._model)))
        num_outputs = property(lambda self: len(self._model.graph.output))
        num_layers = property(lambda self: len(self._model.graph.node))

        def get_input(self, index: int) -> Any:
            return trt.ITensor(self, _inputs(self._model)[index], is_input=True)

        def get_output(self, index: int) -> Any:
            return trt.ITensor(self, self._model.graph.output[index], is_input=False)  # type: ignore[attr-defined]

    class ParserError:
        def __init__(self, index: int, node: Any, text: str) -> None:
            self._index, self._node, self._text = index, node, text

        def desc(self) -> str:
            return self._text

        def node(self) -> int:
            return self._index

        def node_name(self) -> str:
            return str(self._node.name) if self._node is not None else ""

        def node_operator(self) -> str:
            return str(self._node.op_type) if self._node is not None else ""

    class OnnxParser:
        def __init__(self, network: Any, logger: Any) -> None:
            check_logger(logger)
            self._network, self._errors = network, []

        def parse(self, content: bytes, path: str | None = None) -> bool:
            if not isinstance(content, bytes):
                raise TypeError("parse(): incompatible function arguments")
            try:
                model = onnx.load_from_string(content)
                onnx.checker.check_model(model)
            except Exception as problem:  # noqa: BLE001 - protobuf and onnx raise what they like
                self._errors.append(trt.ParserError(-1, None, f"Failed to parse the ONNX model: {problem}"))
                return False
            for index, node in enumerate(model.graph.node):
                if node.op_type in trt.pretend.unsupported:
                    text = f"No importer registered for op: {node.op_type}"
                    self._errors.append(trt.ParserError(index, node, text))
            if self._errors:
                return False
            network = self._network
            network._model, network._content = model, content
            network._input = tuple(_dims(_inputs(model)[0]))
            return True

        num_errors = property(lambda self: len(self._errors))

        def get_error(self, index: int) -> Any:
            return self._errors[index]

    yield ITensor
    yield INetworkDefinition
    yield ParserError
    yield OnnxParser


def _config(trt: Any) -> Iterator[type]:
    class IProgressMonitor:
        def __init__(self) -> None:
            self._made = True

    class ITimingCache:
        def __init__(self, content: bytes) -> None:
            self._content = content

        def serialize(self) -> Any:
            return trt.IHostMemory(self._content)

    class IHostMemory:
        """`bytes(...)` of it is what real ones give by the buffer protocol."""

        def __init__(self, content: bytes) -> None:
            self._content = content

        def __bytes__(self) -> bytes:
            return self._content

    class IBuilderConfig:
        def __init__(self) -> None:
            self._flags: set[Any] = set()
            self._cache: Any = None
            self.builder_optimization_level = 3
            self.progress_monitor: Any = None

        def set_flag(self, flag: Any) -> None:
            if not isinstance(flag, trt.BuilderFlag):
                raise TypeError("set_flag(): incompatible function arguments")
            self._flags.add(flag)

        def set_memory_pool_limit(self, pool: Any, size: int) -> None:
            if not isinstance(pool, trt.MemoryPoolType) or not isinstance(size, int):
                raise TypeError("set_memory_pool_limit(): incompatible function arguments")

        def create_timing_cache(self, content: bytes) -> Any:
            known = not content or content.startswith(CACHE)
            return trt.ITimingCache(content or CACHE + trt.__version__.encode()) if known else None

        def set_timing_cache(self, timing: Any, ignore_mismatch: bool) -> bool:
            same = timing._content.split(b"\n")[0] == CACHE + trt.__version__.encode()
            if not same and not ignore_mismatch:
                return False
            self._cache = timing
            return True

        def get_timing_cache(self) -> Any:
            return self._cache

    yield IProgressMonitor
    yield ITimingCache
    yield IHostMemory
    yield IBuilderConfig


def _builder(trt: Any) -> Iterator[type]:
    class Builder:
        def __init__(self, logger: Any) -> None:
            check_logger(logger)
            self._logger = logger

        def create_network(self, flags: int = 0) -> Any:
            known = sum(1 << int(flag) for flag in trt.NetworkDefinitionCreationFlag)
            if not isinstance(flags, int) or flags & ~known:
                raise TypeError("create_network(): unknown flags")
            return trt.INetworkDefinition(flags)

        def create_builder_config(self) -> Any:
            return trt.IBuilderConfig()

        def build_serialized_network(self, network: Any, config: Any) -> Any:
            problem = trt.pretend.fail_build or _refusal(trt, network, config)
            if not problem and not _progress(config.progress_monitor):
                problem = "build cancelled by the progress monitor"
            if problem:
                self._logger.log(trt.ILogger.Severity.ERROR, problem)
                return None
            if config._cache is not None:
                config._cache._content += b"\ntuned"
            header = json.dumps({"version": trt.__version__, "input": list(network._input)})
            return trt.IHostMemory(b"\n".join((MAGIC, header.encode(), network._content)))

    yield Builder


def _refusal(trt: Any, network: Any, config: Any) -> str:
    """Why the real one would return None."""
    strong_bit = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    strong = trt.__version__.startswith("11.") or bool(network._flags & strong_bit)
    flags = {flag.name for flag in config._flags} & PRECISIONS
    if -1 in network._input:
        return "Network has dynamic or shape inputs, but no optimization profile has been defined."
    if strong:
        return "Precision flags cannot be set in strongly typed mode" if flags else ""
    kinds = {i.data_type for i in network._model.graph.initializer} | {
        v.type.tensor_type.elem_type for v in (*network._model.graph.input, *network._model.graph.output)
    }
    quantised = any(node.op_type == "QuantizeLinear" for node in network._model.graph.node)
    if onnx.TensorProto.FLOAT16 in kinds and "FP16" not in flags:
        return "Half type is used but FP16 is not configured in the builder"
    if quantised and "INT8" not in flags:
        return "Int8 precision has been set for a layer, but int8 is not configured in the builder"
    return ""


def _progress(monitor: Any) -> bool:
    """A build's phases, from a thread of its own as TensorRT does; False where the monitor cancelled it."""
    if monitor is None:
        return True
    answers: list[bool] = []

    def build() -> None:
        monitor.phase_start("Building an engine", None, 2)
        monitor.phase_start("Profiling tactics", "Building an engine", 3)
        answers.extend(monitor.step_complete("Profiling tactics", step) for step in range(3))
        monitor.phase_finish("Profiling tactics")
        answers.extend(monitor.step_complete("Building an engine", step) for step in range(2))
        monitor.phase_finish("Building an engine")

    thread = threading.Thread(target=build)
    thread.start()
    thread.join()
    assert len(answers) == 5, "the monitor raised: that would have ended the process"
    return all(answers)


def check_logger(logger: Any) -> None:
    if not callable(getattr(logger, "log", None)) or not getattr(logger, "_made", False):
        raise TypeError("__init__(): incompatible constructor arguments: an ILogger is needed")


def _inputs(model: Any) -> list[Any]:
    constants = {one.name for one in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]


def _dims(value: Any) -> Iterator[int]:
    for dim in value.type.tensor_type.shape.dim:
        yield dim.dim_value if dim.HasField("dim_value") else -1


def session(content: bytes) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
