"""Engines without a GPU: any bytes are a plan to the store, which never looks into one."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any

from partsight.detectors.tensorrt.building import BuildOptions
from partsight.detectors.tensorrt.cuda.port import DeviceFacts
from partsight.detectors.tensorrt.engines import Engine, EngineMeta, EngineStore, Identity, Latency, identify
from partsight.detectors.tensorrt.engines.record import identity_table
from partsight.domain.model import ModelSpec, OutputFormat

FACTS = DeviceFacts("Orin", (8, 7), 8, 8 << 30, "GPU-1234", integrated=True, driver_version=12060)
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def spec(**changes: Any) -> ModelSpec:
    """A model's file, which nobody opens."""
    plain = ModelSpec(
        name="pcb",
        version="1",
        path=Path("model-fp16.onnx"),
        sha256="a" * 64,
        precision="fp16",
        classes=("open",),
        width=64,
        height=32,
        output=OutputFormat.END2END,
        thresholds=MappingProxyType({"open": 0.5}),
    )
    return dataclasses.replace(plain, **changes)


def identity(tensorrt: str = "10.3.0.26", facts: DeviceFacts = FACTS, **changes: Any) -> Identity:
    """Of that model on a Jetson that is not here: nothing of this machine but its Linux is in it."""
    return identify(BuildOptions(spec(**changes)), facts, tensorrt)


def meta(of: Identity, plan: bytes, *, day: int = 0, checked: bool = True, **changes: Any) -> EngineMeta:
    """As a build writes it."""
    plain: dict[str, Any] = {
        "key": of.key,
        "identity": identity_table(of),
        "card_uuid": FACTS.uuid,
        "plan_sha256": EngineStore.hash(plan),
        "plan_bytes": len(plan),
        "built_at": START + timedelta(days=day),
        "build_s": 200.0,
        "built_by": "a test",
        "golden": 3,
        "latency": Latency(runs=200, p50_ms=5.0, p99_ms=6.0) if checked else None,
    }
    return EngineMeta.model_validate(plain | changes)


def build_into(store: EngineStore, of: Identity, plan: bytes, *, day: int = 0, timing: bytes = b"") -> Engine:
    """The steps of a build around the GPU's own."""
    store.prepare(1000)
    draft = store.draft(of)
    if timing:
        store.keep_timing(draft, timing)
    store.write(draft, plan, meta(of, plan, checked=False))
    store.record(draft, meta(of, plan, day=day))
    return store.activate(draft, of)
