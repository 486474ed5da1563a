"""Which backend runs a model on this machine."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from pydantic import ValidationError

from partsight import registry
from partsight.domain.errors import BackendUnavailable, ConfigError, Mistake
from partsight.domain.model import ModelSpec
from partsight.domain.ports import Detector

log = structlog.get_logger(__name__)

GPU = "tensorrt"


def preferred(machine: str | None = None) -> tuple[str, ...]:
    """CPU backends for a machine (`platform.machine()`), the quickest first."""
    machine = machine or platform.machine()
    return ("openvino", "onnx") if machine in {"x86_64", "AMD64"} else ("onnx",)


def has_driver() -> bool:
    """Whether an NVIDIA driver is installed; whether it works only the probe's child process can find out."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def choose(
    spec: ModelSpec,
    backend: str = "auto",
    settings: Mapping[str, Any] | None = None,
    files: Sequence[ModelSpec] = (),
    passed_over: Callable[[str, str], None] = lambda _, __: None,
) -> Detector:
    """Open a detector by its backend's name, or with "auto" the first that works here.

    With "auto" the GPU comes first where a driver is installed, and runs only an engine that is ready: none is ever
    built here. settings: the backend's own table, checked by its `Settings`; with "auto" each backend takes from it
    what it knows. files: the bundle's files in other precisions, for a backend that runs another than `spec`.
    passed_over: told each backend that was tried first, and why it is not it.

    Raises BackendUnavailable, BundleError (a bad model is bad everywhere: there is no falling back), ConfigError.
    """
    settings = settings or {}
    if backend != "auto":
        return _open(spec, backend, settings, files)
    names = ((GPU,) if has_driver() else ()) + preferred()
    tables = _shared_out((GPU, *preferred()), settings)
    reasons: list[str] = []
    for name in names:
        try:
            detector = _open(spec, name, tables[name], files)
        except BackendUnavailable as problem:
            log.warning("detector backend is not usable here, trying the next", backend=name, reason=str(problem))
            reasons.append(f"{name}: {problem}")
            passed_over(name, str(problem))
            continue
        if GPU not in names:
            reasons.append(f"{GPU}: no NVIDIA driver (libcuda.so.1) is installed")
        why = {"passed_over": "; ".join(reasons)}
        log.info("detector chosen", backend=name, model=spec.name, precision=detector.model.precision, **why)
        return detector
    raise BackendUnavailable("no detector backend works on this machine:\n" + "\n".join(reasons))


def _open(spec: ModelSpec, name: str, table: Mapping[str, Any], files: Sequence[ModelSpec]) -> Detector:
    driver = registry.detector_driver(name)
    try:
        settings = driver.Settings(**table)
    except ValidationError as problem:
        mistakes = [
            Mistake(f"settings of detector {name!r}", ".".join(map(str, one["loc"])), one["msg"])
            for one in problem.errors()
        ]
        raise ConfigError(mistakes) from problem
    if name == GPU:
        # The CPU's backends take any file in their own precision; an engine is built from the file that has it.
        spec = next((file for file in files if file.precision == settings.precision), spec)
    detector: Detector = driver(spec, settings)
    return detector


def _shared_out(names: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Each backend's part of one table: what it takes, and what none takes, so that this is an error.

    A precision that only the GPU knows is left out for the CPU, which then runs in its own default.
    """
    takes = {name: {key for key, value in settings.items() if _takes(name, key, value)} for name in names}
    known = set().union(*takes.values())
    return {
        name: {key: value for key, value in settings.items() if key in takes[name] or key not in known}
        for name in names
    }


def _takes(name: str, key: str, value: Any) -> bool:
    try:
        driver = registry.detector_driver(name)
    except BackendUnavailable:
        # It is reported when its turn comes.
        return False
    try:
        driver.Settings(**{key: value})
    except ValidationError:
        return False
    return True
