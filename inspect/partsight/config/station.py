"""The configuration of one station."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from partsight.config.reading import Table, read_toml, validate, with_home
from partsight.domain.trigger import TriggerKind

MAX_MB = 1e9
"""A petabyte: more is a slip of the keyboard."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]\Z")


def _plain_name(value: str) -> str:
    if not _NAME.match(value):
        raise ValueError(f"{value!r} is not a plain name: use letters, digits, - and _ (at most 64)")
    return value


Name = Annotated[str, AfterValidator(_plain_name)]


def _time_of_day(value: str) -> str:
    if not _TIME.match(value):
        raise ValueError(f'{value!r} is no time of day: write it as "06:00"')
    return value


ShiftStart = Annotated[str, AfterValidator(_time_of_day)]
"""Local time, 24 hours."""


class StationTable(Table):
    """`[station]`: deadline_ms is from the trigger to the last moment at which a pass may leave."""

    name: Name
    data: Annotated[Path, AfterValidator(with_home)]
    recipe: str
    deadline_ms: float = Field(default=500.0, ge=1, le=600_000)
    stuck_after_deadlines: int = Field(default=10, ge=2, le=1000)


class ModelTable(Table):
    """`[model]`: the bundle's name or folder, and what runs it.

    threads, precision: where they are not written, each backend's own: fp32 on a CPU, fp16 on a GPU.
    """

    bundle: str
    backend: str = "auto"
    threads: int = Field(default=0, ge=0, le=256)
    precision: Literal["fp32", "bf16", "fp16", "int8"] = "fp32"


class CameraTable(Table):
    """`[[cameras]]`: `settings` is the driver's own and is validated by the driver."""

    name: Name
    driver: str
    mm_per_px: float | None = Field(default=None, gt=0, le=1000)
    frame_timeout_ms: float = Field(default=1000.0, ge=1, le=600_000)
    settings: dict[str, Any] = Field(default_factory=dict)


class TriggerTable(Table):
    """`[trigger]`: what starts the judging of a part; `period_ms` is for the timer."""

    kind: TriggerKind = TriggerKind.FREE_RUN
    period_ms: float = Field(default=200.0, ge=1, le=3_600_000)
    queue: int = Field(default=8, ge=1, le=1024)


class ImagesTable(Table):
    """`[images]`: what is kept of the pixels. NG, REVIEW and INVALID always, OK by `ok_share`."""

    enabled: bool = True
    budget_mb: float = Field(default=2000.0, ge=1, le=MAX_MB)
    keep_free_mb: float = Field(default=500.0, ge=0, le=MAX_MB)
    ok_share: float = Field(default=0.01, ge=0, le=1)


class LineTable(Table):
    """`[line]`: when the line must stop, and what the PLC does. 0 switches a rule off.

    rejects_in_a_row, invalid_in_a_row: parts, then ERROR until acknowledged. reject_share: of the last 100 parts.
    challenge_after: parts without a reject after which a challenge test is due. shift_starts: local times ("06:00")
        from which on one is due. challenge_on_change: after each change of recipe, model or camera settings.
    challenge_required: while one is due no part is judged and each is rejected. After a failed test that is so always.
    acknowledge: "required" where the PLC acknowledges each verdict. plc_timeout_ms: silence of the PLC that suspends.
    self_test_parts: sent through the whole lane before the station is ready; the slowest, and later the p99 of real
        parts, may take latency_share of the deadline.
    autostart: run as soon as that is proven, else wait for the start command.
    """

    rejects_in_a_row: int = Field(default=5, ge=0, le=10_000)
    invalid_in_a_row: int = Field(default=3, ge=0, le=10_000)
    reject_share: float = Field(default=0.5, ge=0, le=1)
    challenge_after: int = Field(default=0, ge=0, le=10_000_000)
    shift_starts: tuple[ShiftStart, ...] = Field(default=(), max_length=24)
    challenge_on_change: bool = False
    challenge_required: bool = False
    acknowledge: Literal["off", "required"] = "off"
    plc_timeout_ms: float = Field(default=0.0, ge=0, le=60_000)
    self_test_parts: int = Field(default=5, ge=0, le=1000)
    latency_share: float = Field(default=0.7, gt=0, le=1)
    autostart: bool = True


class RecordsTable(Table):
    """`[records]`: what a committed record survives, and how large the database may become.

    durability: "power" waits for the disk with each record; "process" survives a killed process, but a power loss
        may take the last records (for disks whose flush takes longer than the line allows).
    max_mb: the station warns at 70 % and is not ready from 90 % on; records are never dropped. 0: only the disk.
    keep_days: age at which records are deleted; 0 keeps them for ever.
    """

    durability: Literal["power", "process"] = "power"
    max_mb: float = Field(default=0.0, ge=0, le=MAX_MB)
    keep_days: float = Field(default=0.0, ge=0, le=36_500)


class StationConfig(Table):
    """Everything that one station needs to run.

    The tables of the outputs (mqtt, modbus, sparkplug, opcua) and of the API stay raw here: each validates its own.
    """

    schema_version: Literal[1] = Field(alias="schema")
    station: StationTable
    model: ModelTable
    cameras: tuple[CameraTable, ...] = Field(min_length=1, max_length=16)
    trigger: TriggerTable = TriggerTable()
    line: LineTable = LineTable()
    records: RecordsTable = RecordsTable()
    images: ImagesTable = ImagesTable()
    mqtt: dict[str, Any] | None = None
    modbus: dict[str, Any] | None = None
    sparkplug: dict[str, Any] | None = None
    opcua: dict[str, Any] | None = None
    api: dict[str, Any] | None = None

    @property
    def outputs(self) -> dict[str, dict[str, Any]]:
        """The outputs' tables that the site has written, by name."""
        tables = {"mqtt": self.mqtt, "modbus": self.modbus, "sparkplug": self.sparkplug, "opcua": self.opcua}
        return {name: table for name, table in tables.items() if table is not None}

    @field_validator("cameras")
    @classmethod
    def _names_differ(cls, cameras: tuple[CameraTable, ...]) -> tuple[CameraTable, ...]:
        names = [c.name for c in cameras]
        double = sorted({n for n in names if names.count(n) > 1})
        if double:
            raise ValueError(f"two cameras have the name {', '.join(double)}; each needs its own")
        return cameras

    @model_validator(mode="after")
    def _streams_have_one_camera(self) -> StationConfig:
        streams = self.trigger.kind in (TriggerKind.FREE_RUN, TriggerKind.FOLDER)
        if streams and len(self.cameras) > 1:
            raise ValueError(
                f"trigger.kind = {self.trigger.kind.value!r} makes a part of each frame and so needs exactly one "
                f"camera, {len(self.cameras)} are given: use 'timer' or 'call' for several"
            )
        return self


def read_station(path: Path) -> StationConfig:
    """The file's configuration, paths resolved against its folder. Raises ConfigError with all mistakes."""
    config = validate(StationConfig, read_toml(path), str(path))
    data = config.station.data
    if not data.is_absolute():
        data = path.resolve().parent / data
    return config.model_copy(update={"station": config.station.model_copy(update={"data": data})})
