"""What is written down of an engine, beside it and signed: `meta.json`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from partsight.detectors.tensorrt.engines.key import Identity

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Latency(_Table):
    """Milliseconds from a frame in memory to its detections, over `runs` frames after the warm-up."""

    runs: Annotated[int, Field(ge=1)]
    p50_ms: float
    p99_ms: float


class EngineMeta(_Table):
    """One engine. `card_uuid`: the GPU that tuned it; another of the same kind may run it.

    golden: how many golden frames it answered as recorded. latency: None until it was checked: such an engine is never
    loaded for a line. gate: of INT8, what the accuracy gate measured.
    """

    schema_: Literal[1] = Field(1, alias="schema")
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    identity: dict[str, Any]
    card_uuid: str
    plan_sha256: Sha256
    plan_bytes: Annotated[int, Field(ge=1)]
    built_at: datetime
    build_s: float
    built_by: str
    golden: Annotated[int, Field(ge=0)] = 0
    latency: Latency | None = None
    gate: dict[str, Any] | None = None

    @property
    def checked(self) -> bool:
        """Whether it answered its golden frames and was timed."""
        return self.latency is not None

    def told_identity(self) -> Identity | None:
        """None where an older or newer partsight wrote other fields: then it is no engine for this one."""
        try:
            return Identity(**(self.identity | {"flags": tuple(self.identity.get("flags", ()))}))
        except TypeError:
            return None


def identity_table(identity: Identity) -> dict[str, Any]:
    """As JSON gives it back."""
    return asdict(identity) | {"flags": list(identity.flags)}
