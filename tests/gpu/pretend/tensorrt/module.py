"""Makes the pretend `tensorrt` module of one version.

Only the names in that version's manifest exist (dumped from NVIDIA's real bindings), with their numbers, so what a
version lacks raises AttributeError as it would there. A plan is the ONNX file behind a header; it runs by ONNX Runtime
on the pretend driver's memory, in stream order. What TensorRT punishes silently is counted in `pretend.mistakes`.
"""

from __future__ import annotations

import enum
import json
import os
import types
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from tests.gpu.pretend.tensorrt import building, running

HERE = Path(__file__).parent
VERSIONS = ("10.3.0", "10.7.0", "10.13.3.9", "10.16.1.11", "11.0.0.114", "11.4.0.106")
PYTHONPATH = os.pathsep.join(map(str, (HERE.parent / "modules", HERE.parents[3], HERE.parents[3] / "inspect")))

NUMPY = {
    "FLOAT": np.float32,
    "HALF": np.float16,
    "INT8": np.int8,
    "INT32": np.int32,
    "INT64": np.int64,
    "BOOL": np.bool_,
    "UINT8": np.uint8,
}


@dataclass(slots=True)
class Pretend:
    """What a test asks of the module and does to it.

    mistakes: what a correct program never does. idle: engines do nothing (for measurements). refuse_at: the n-th
    start of an engine from now on is refused. unsupported: operators that the parser refuses. fail_build: the builder's
    error. skip_output: an engine runs, and writes no output. dtype: of every tensor, by name, instead of the real one.
    scratch_bytes: device memory that a context takes. runs: how often engines ran.
    """

    mistakes: list[str] = field(default_factory=list)
    idle: bool = False
    refuse_at: int = 0
    skip_output: bool = False
    unsupported: tuple[str, ...] = ()
    fail_build: str = ""
    dtype: str = ""
    scratch_bytes: int = 4096
    runs: int = 0


@cache
def manifest(version: str) -> dict[str, Any]:
    """Names of that version: classes with their members, enumerations with their numbers."""
    known: dict[str, Any] = json.loads((HERE / "manifests" / f"{version}.json").read_text())
    return known


def environment(version: str) -> dict[str, str]:
    """What a process needs to import this version as `tensorrt`."""
    return {"PYTHONPATH": PYTHONPATH, "PRETEND_TENSORRT": version}


def load(version: str) -> Any:
    """A new module; `pretend` in it is ours."""
    known = manifest(version)
    made: Any = types.ModuleType("tensorrt")
    made.__version__ = known["version"]
    made.pretend = Pretend()
    for name, members in known["enums"].items():
        setattr(made, name, enum.IntEnum(name, members or {"_": 0}))
    made.nptype = _nptype
    made.volume = lambda shape: int(np.prod(tuple(shape)))
    made.ILogger = made.Logger = None
    for part in (building.classes(made), running.classes(made)):
        for kind in part:
            setattr(made, kind.__name__, _gated(kind, known["classes"].get(kind.__name__), known["version"]))
    return made


def _nptype(dtype: Any) -> Any:
    try:
        return NUMPY[dtype.name]
    except KeyError:
        raise TypeError(f"Could not resolve TensorRT datatype {dtype.name} to an equivalent numpy datatype.") from None


def _gated(kind: type, members: list[str] | None, version: str) -> type:
    """The class, with this version's public names only."""
    if members is None:
        raise AssertionError(f"the pretend module has a class {kind.__name__} that TensorRT {version} lacks")
    known = set(members)

    def check(name: str) -> None:
        if not name.startswith("_") and name not in known:
            raise AttributeError(f"'tensorrt.tensorrt.{kind.__name__}' object has no attribute '{name}' ({version})")

    class Gate(kind):  # type: ignore[misc, valid-type]  # made at run time
        def __getattribute__(self, name: str) -> Any:
            # A subclass's own members are its affair: ILogger and IProgressMonitor are made to be subclassed.
            if type(self) is Gate:
                check(name)
            return super().__getattribute__(name)

        def __setattr__(self, name: str, value: Any) -> None:
            if type(self) is Gate:
                check(name)
            super().__setattr__(name, value)

    Gate.__name__ = Gate.__qualname__ = kind.__name__
    return Gate
