"""Which backend runs a model on this machine."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import structlog
from pydantic import ValidationError

from partsight import registry
from partsight.domain.errors import BackendUnavailable, ConfigError, Mistake
from partsight.domain.model import ModelSpec
from partsight.domain.ports import Detector

log = structlog.get_logger(__name__)


def preferred(machine: str | None = None) -> tuple[str, ...]:
    """Backends for a machine (`platform.machine()`), the quickest first."""
    machine = machine or platform.machine()
    return ("openvino", "onnx") if machine in {"x86_64", "AMD64"} else ("onnx",)


def choose(spec: ModelSpec, backend: str = "auto", settings: Mapping[str, Any] | None = None) -> Detector:
    """Open a detector by its backend's name, or with "auto" the first that works here.

    settings: the backend's own table, checked by its `Settings`.
    Raises BackendUnavailable, BundleError (a bad model is bad everywhere: there is no falling back), ConfigError.
    """
    if backend != "auto":
        return _open(spec, backend, settings or {})
    reasons: list[str] = []
    for name in preferred():
        try:
            detector = _open(spec, name, settings or {})
        except BackendUnavailable as problem:
            log.warning("detector backend is not usable here, trying the next", backend=name, reason=str(problem))
            reasons.append(f"{name}: {problem}")
            continue
        log.info("detector chosen", backend=name, model=spec.name, precision=detector.model.precision)
        return detector
    raise BackendUnavailable("no detector backend works on this machine:\n" + "\n".join(reasons))


def _open(spec: ModelSpec, name: str, table: Mapping[str, Any]) -> Detector:
    driver = registry.detector_driver(name)
    try:
        settings = driver.Settings(**table)
    except ValidationError as problem:
        mistakes = [
            Mistake(f"settings of detector {name!r}", ".".join(map(str, one["loc"])), one["msg"])
            for one in problem.errors()
        ]
        raise ConfigError(mistakes) from problem
    detector: Detector = driver(spec, settings)
    return detector
