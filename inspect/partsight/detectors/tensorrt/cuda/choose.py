"""Which package speaks to the CUDA driver: pycuda where it is installed, else cuda-bindings."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Literal

import structlog

from partsight.detectors.tensorrt.cuda import libcuda
from partsight.detectors.tensorrt.cuda.port import CudaPort
from partsight.domain.errors import BackendUnavailable

Package = Literal["pycuda", "cuda-bindings"]

IMPLEMENTATIONS: dict[Package, tuple[str, str]] = {
    "pycuda": ("partsight.detectors.tensorrt.cuda.with_pycuda", "PycudaPort"),
    "cuda-bindings": ("partsight.detectors.tensorrt.cuda.with_bindings", "BindingsPort"),
}

log = structlog.get_logger(__name__)


def open_port(device: int = 0, prefer: Package | None = None) -> CudaPort:
    """The GPU's port; `package` tells which implementation it is, and the log why.

    prefer: the only package to try. Raises BackendUnavailable (no driver, too old, no package, no such GPU), CudaError.
    Probe the driver in a child process first: a broken one can end or hang the process that loads it.
    """
    # Without a driver pycuda cannot be imported, and its message does not say so.
    libcuda.load()
    passed_over: list[str] = []
    for package in (prefer,) if prefer else IMPLEMENTATIONS:
        module, name = IMPLEMENTATIONS[package]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pycuda warns beside its ImportError, which says the same
                implementation = getattr(import_module(module), name)
        except ImportError as problem:
            passed_over.append(f"{package}: {problem}")
            continue
        port: CudaPort = implementation(device)
        log.info("CUDA port opened", package=package, passed_over="; ".join(passed_over), gpu=port.facts.name)
        return port
    raise BackendUnavailable(
        f"no package for CUDA can be imported ({'; '.join(passed_over)}); install partsight[tensorrt], or "
        "`pip install cuda-bindings` in the major version of your CUDA"
    )
