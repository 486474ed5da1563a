"""The `tensorrt` module: imported only where a driver was probed, of a version that this code was written for.

One code serves TensorRT 10.3 to 11.x. What a version lacks is asked for by name (`hasattr`), and enumerations are used
by their names only: their numbers moved in version 11.
"""

from __future__ import annotations

import re
from collections import deque
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from typing import Any, Protocol

import structlog

from partsight.detectors.signature import Port
from partsight.detectors.tensorrt.cuda.port import DeviceFacts
from partsight.domain.errors import BackendUnavailable, BundleError

log = structlog.get_logger(__name__)

OLDEST, NEWEST_MAJOR = (10, 3), 11
STRONG_TYPING = (10, 12)
"""From here on the precision of each layer can be left to the ONNX file alone (NVIDIA's guide to strong typing)."""

LEVELS = {"INTERNAL_ERROR": "error", "ERROR": "error", "WARNING": "warning", "INFO": "debug"}
"""TensorRT's severities by name, for the log; what is not here (VERBOSE) is dropped."""

LAST_ERRORS = 8


class Log(Protocol):
    """TensorRT's logger as we make it. last_errors: what it said last, for our own messages."""

    last_errors: deque[str]


def load_tensorrt(facts: DeviceFacts) -> Any:
    """Import `tensorrt`. facts: of the probed driver: without one the library can kill the process.

    Raises BackendUnavailable where it is missing or of another version.
    """
    try:
        trt: Any = import_module("tensorrt")
    except ImportError as problem:
        raise BackendUnavailable(
            f"TensorRT cannot be imported on {facts.name}: {problem}; on a Jetson install JetPack's python3-libnvinfer "
            "and use an environment that sees it (deploy/jetson), on a desktop `pip install partsight[tensorrt]`"
        ) from problem
    check_version(str(getattr(trt, "__version__", "")))
    return trt


def check_version(text: str) -> None:
    """Raises BackendUnavailable for a version that this code does not know, by its name and with the cure."""
    major_minor = version(text)
    if major_minor >= OLDEST and major_minor[0] <= NEWEST_MAJOR:
        return
    if not major_minor[0]:
        cure = "another module named tensorrt is in its place: remove it, then install NVIDIA's"
    elif major_minor[0] < OLDEST[0]:
        cure = "JetPack 6.0 brings 8.6: update to JetPack 6.1 or later; on a desktop install TensorRT 10.3 or later"
    elif major_minor < OLDEST:
        cure = "10.2 is known for wrong YOLO engines, older ones were never tried: install 10.3 or later"
    else:
        cure = "this partsight does not know it yet: install TensorRT 11, or a newer partsight"
    raise BackendUnavailable(f"TensorRT {text or '(without a version)'} cannot be used, 10.3 to 11.x can: {cure}")


def version(text: str) -> tuple[int, int]:
    """(major, minor) of "10.3.0.26"; (0, 0) of what is no version."""
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def strongly_typed(trt: Any) -> bool:
    """Whether a layer's precision comes from the ONNX file alone; below, builder flags allow it. RTX always does."""
    return not hasattr(trt.BuilderFlag, "FP16") or version(trt.__version__) >= STRONG_TYPING


@lru_cache(maxsize=1)
def logger(trt: Any) -> Any:
    """The process's one logger (`Log`), into the log: TensorRT ignores every other one, and it must outlive all."""

    def __init__(self: Any) -> None:  # noqa: N807 - a method of the class made below
        # pybind11 wants its own constructor called by name.
        trt.ILogger.__init__(self)
        self.last_errors = deque(maxlen=LAST_ERRORS)

    def write(self: Any, severity: Any, message: str) -> None:
        # The caller is C++ that lets no exception through: one that left here would end the process.
        with suppress(Exception):
            level = LEVELS.get(severity.name)
            if level == "error":
                self.last_errors.append(message)
            if level is not None:
                getattr(log, level)("tensorrt", message=message)

    return type("TensorRtLog", (trt.ILogger,), {"__init__": __init__, "log": write})()


def reason(trt: Any) -> str:
    """What TensorRT said last of an error, taken away from the logger."""
    errors = logger(trt).last_errors
    said = "; ".join(errors)
    errors.clear()
    return said or "TensorRT gave no reason"


def engine_ports(trt: Any, engine: Any) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """Inputs and outputs of an engine. Raises BundleError for a type that numpy lacks."""
    sides: tuple[list[Port], list[Port]] = ([], [])
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
        shape = tuple(None if n < 0 else int(n) for n in tuple(engine.get_tensor_shape(name)))
        sides[0 if is_input else 1].append(Port(name, type_name(trt, engine.get_tensor_dtype(name)), shape))
    return tuple(sides[0]), tuple(sides[1])


def type_name(trt: Any, dtype: Any) -> str:
    """numpy's name of a TensorRT type, or TensorRT's own where numpy has none (BF16, FP8)."""
    try:
        return trt.nptype(dtype).__name__.rstrip("_")  # type: ignore[no-any-return]  # the module is untyped
    except TypeError:
        return str(dtype.name)


def refuse_dynamic(ports: tuple[Port, ...], model: str) -> None:
    """Raises BundleError for a dimension that is not fixed."""
    for port in ports:
        if None in port.shape:
            raise BundleError(
                f"{model}: {port} has a free dimension, TensorRT runs fixed ones; export it with a fixed input size "
                "(ultralytics: dynamic=False), or make the card's [input] fit the model"
            )
