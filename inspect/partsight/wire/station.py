"""The state channel: retained, so that who comes back rebuilds its picture from it alone.

`conn_message(epoch, online=, time=)`, `info_message(status, ...)`, `state_message(status)`, `count_message(status)`,
`recipe_message(status)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from partsight.domain.status import Mode, StationState, StationStatus
from partsight.wire.message import EpochMs, Flag, Message, Version, clean, epoch_ms, rfc3339

SCHEMAS: dict[str, str] = {"verdict": "1", "state": "1", "result": "vi.result/1", "event": "vi.event/1"}
"""Which version of each payload this software writes."""


class Conn(Message):
    """Whether the station is on the broker; the broker itself publishes the last will with `online` false."""

    v: Version = 1
    online: bool
    e: Annotated[int, Field(ge=0)]
    t: Annotated[EpochMs, Field(description="when it came online; in the last will, of the connection that was lost")]


class InfoRecipe(Message):
    """A recipe that may be selected."""

    name: str
    rev: int
    id: Annotated[int, Field(description="the integer by which a PLC selects it, 0 for none")] = 0
    sha256: str = ""


class InfoModel(Message):
    """A model that is loaded."""

    name: str
    sha256: str
    backend: str


class Info(Message):
    """The birth message: who this station is and what it runs with."""

    v: Version = 1
    e: Annotated[int, Field(ge=0)]
    station: str
    software: Annotated[str, Field(description="partsight and its version")]
    schemas: dict[str, str]
    cameras: tuple[str, ...]
    model: InfoModel | None
    recipe: Annotated[str, Field(description="active recipe, name@revision")]
    recipes: tuple[InfoRecipe, ...]
    configuration_sha256: str
    deadline_ms: float
    ack: Annotated[Literal["required", "off"], Field(description="must the PLC acknowledge verdicts?")]
    t: EpochMs


class State(Message):
    """The station's state in our words and in PackML's."""

    v: Version = 1
    e: Annotated[int, Field(ge=0)]
    st: StationState
    packml: int
    packml_name: str
    ready: Flag
    err: Annotated[int, Field(description="reason code of what made it ERROR or SUSPENDED, 0 for none")]
    err_txt: str
    recipe: Annotated[str, Field(description="name@revision")]
    model: str
    mode: Mode
    since: Annotated[str, Field(description="RFC 3339, UTC")]
    line_stop_req: Flag


class Count(Message):
    """Counters, monotonic within an epoch. `triggers == ok + ng + review + invalid + in_flight`, always."""

    v: Version = 1
    e: Annotated[int, Field(ge=0)]
    triggers: int
    ok: int
    ng: int
    review: int
    invalid: int
    in_flight: int
    late: Annotated[int, Field(description="model answers after the deadline had rejected the part")]
    missed: Annotated[int, Field(description="triggers that came while the station was not ready")]
    frames_dropped: int
    images_dropped: int
    by_reason: Annotated[dict[int, int], Field(description="parts by their heaviest reason code")]


class RecipeMessage(Message):
    """The active recipe and model."""

    v: Version = 1
    e: Annotated[int, Field(ge=0)]
    recipe: Annotated[str, Field(description="name@revision")]
    recipe_id: int
    model: Annotated[str, Field(description="name and the first digits of its hash")]
    backend: str
    deadline_ms: float


def conn_message(epoch: int, *, online: bool, time: datetime) -> Conn:
    """For the last will: `online=False` and the time of connecting."""
    return Conn(online=online, e=epoch, t=epoch_ms(time))


def info_message(
    status: StationStatus,
    *,
    software: str,
    configuration_sha256: str,
    acknowledged: bool,
    time: datetime,
    model: InfoModel | None = None,
    recipes: Sequence[InfoRecipe] = (),
    schemas: Mapping[str, str] = SCHEMAS,
) -> Info:
    """acknowledged: the PLC must acknowledge verdicts."""
    return Info(
        e=status.epoch,
        station=status.name,
        software=software,
        schemas=dict(schemas),
        cameras=tuple(camera.name for camera in status.cameras),
        model=model,
        recipe=status.recipe,
        recipes=tuple(recipes),
        configuration_sha256=configuration_sha256,
        deadline_ms=status.deadline_ms,
        ack="required" if acknowledged else "off",
        t=epoch_ms(time),
    )


def state_message(status: StationStatus) -> State:
    """What changes here is published at once."""
    return State(
        e=status.epoch,
        st=status.state,
        packml=status.state.packml,
        packml_name=status.state.packml_name,
        ready=1 if status.ready else 0,
        err=status.error,
        err_txt=clean(status.error_text),
        recipe=status.recipe,
        model=status.model,
        mode=status.mode,
        since=rfc3339(status.since),
        line_stop_req=1 if status.line_stop else 0,
    )


def count_message(status: StationStatus) -> Count:
    """Once a second."""
    counters = status.counters
    return Count(
        e=status.epoch,
        triggers=counters.triggers,
        ok=counters.ok,
        ng=counters.ng,
        review=counters.review,
        invalid=counters.invalid,
        in_flight=counters.in_flight,
        late=counters.late,
        missed=counters.missed,
        frames_dropped=counters.frames_dropped,
        images_dropped=counters.images_dropped,
        by_reason={int(code): count for code, count in counters.by_reason.items()},
    )


def recipe_message(status: StationStatus) -> RecipeMessage:
    """After each change of recipe or model."""
    return RecipeMessage(
        e=status.epoch,
        recipe=status.recipe,
        recipe_id=status.recipe_id,
        model=status.model,
        backend=status.backend,
        deadline_ms=status.deadline_ms,
    )
