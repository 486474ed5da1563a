"""The report of `partsight selftest --gpu`: what a device showed, in a form that can be published.

It holds nothing that tells whose device it is: no host or user name, no serial number or UUID, no path.
"""

from __future__ import annotations

import os
import platform
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA = 1


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Machine(_Table):
    """board, l4t, power_mode: of a Jetson, "" elsewhere."""

    system: str
    kernel: str
    machine: str
    processor: str
    cores: int
    memory_gib: int
    board: str
    l4t: str
    power_mode: str


class Gpu(_Table):
    """driver: of the kernel. cuda_driver: the newest CUDA that it speaks, 12060 for 12.6."""

    name: str
    compute_capability: str
    sm_count: int
    memory_gib: int
    integrated: bool
    driver: str
    cuda_driver: int


class Percentiles(_Table):
    """Milliseconds of one stage, one frame at a time."""

    p50: float
    p99: float
    max: float


class GraphCheck(_Table):
    """The same frames by CUDA graph and by plain launches. used: the device captured a graph."""

    used: bool
    frames: int
    identical: int
    other_count: int
    boxes: int
    max_score: float
    max_box_px: float
    plain: Percentiles


class Sample(_Table):
    """Sensors at one moment of the soak."""

    at_s: float
    p50_ms: float
    temperatures: dict[str, float]
    clocks_mhz: dict[str, float]
    power_w: dict[str, float]
    throttled: str


class Soak(_Table):
    """Frames without a pause. changed: answers that were not those of the first time."""

    seconds: float
    frames: int
    changed: int
    first_p50_ms: float
    last_p50_ms: float
    worst_p99_ms: float
    max_ms: float
    sensors: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()


class Precision(_Table):
    """One of the model's files. error: where it ended, "" where it went through to its end."""

    precision: Literal["fp32", "fp16", "int8"]
    model_sha256: str
    error: str = ""
    build_s: float | None = None
    plan_bytes: int | None = None
    golden_frames: int | None = None
    golden_boxes: int | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    graph: GraphCheck | None = None
    stages: dict[str, Percentiles] = Field(default_factory=dict)


class GpuReport(_Table):
    """Everything. passed: nothing is in `findings`."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    partsight: str
    made_at: datetime
    passed: bool
    findings: tuple[str, ...]
    model: str
    machine: Machine
    gpu: Gpu
    versions: dict[str, str]
    precisions: tuple[Precision, ...]
    soak: Soak | None


def scrub(value: Any) -> Any:
    """The same without what tells whose machine it is, in every text within."""
    if isinstance(value, str):
        return _scrub_text(value)
    if isinstance(value, dict):
        return {scrub(key): scrub(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [scrub(one) for one in value]
    return value


def _scrub_text(text: str) -> str:
    text = re.sub(r"GPU-[0-9a-fA-F-]{8,}", "GPU", text)
    # Folders tell user and project names; a file's own name helps who reads the report.
    text = re.sub(r"(?<![\w.])/(?:[\w.@+~ -]+/)+(?=[\w.-])", ".../", text)
    for name in {platform.node(), _user(), Path.home().name}:
        if len(name) > 1:
            text = re.sub(rf"(?<![\w]){re.escape(name)}(?![\w])", "...", text)
    return text


def _user() -> str:
    return os.environ.get("USER", "") or os.environ.get("LOGNAME", "")
