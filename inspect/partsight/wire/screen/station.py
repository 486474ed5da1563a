"""The station as screens see it: one snapshot."""

from __future__ import annotations

from pydantic import Field

from partsight.domain.status import Mode, StationState
from partsight.wire.screen.challenge import ChallengeState
from partsight.wire.screen.message import Answer, Time


class CounterNumbers(Answer):
    """`triggers == ok + ng + review + invalid + in_flight`, always, within one snapshot."""

    triggers: int = 0
    ok: int = 0
    ng: int = 0
    review: int = 0
    invalid: int = 0
    in_flight: int = 0
    late: int = 0
    missed: int = 0
    frames_dropped: int = 0
    images_dropped: int = 0
    previews_dropped: int = 0


class LatencyNumbers(Answer):
    """Trigger to verdict in milliseconds over the last `count` parts; None before the first."""

    count: int = 0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


class FaultNote(Answer):
    """What happened, since when, what to do. until: when it was over or acknowledged, None while it stands."""

    key: str
    text: str
    cure: str
    since: Time
    until: Time | None = None
    latched: bool = False
    code: int = 0


class FaultBoard(Answer):
    """What stands, and what is over since the daemon has started; the newest first."""

    standing: tuple[FaultNote, ...] = ()
    over: tuple[FaultNote, ...] = ()


class CameraNote(Answer):
    """state: opening, streaming, armed, stalled, backoff, ended, fault or stopped."""

    name: str
    state: str
    error: str = ""
    received: int = 0
    delivered: int = 0
    dropped: int = 0
    incomplete: int = 0
    queued: int = 0
    reconnects: int = 0
    mm_per_px: float | None = None


class OutputNote(Answer):
    """A way out to the line (mqtt, modbus, sparkplug, opcua). problem: "" where all is well."""

    name: str
    connected: bool
    problem: str = ""


class DiskNote(Answer):
    """Of the data folder. problem: "" where all is well."""

    free_bytes: int
    records_bytes: int
    images_bytes: int
    images_budget_bytes: int
    problem: str = ""


class StationNote(Answer):
    """Everything that a screen shows of the station at one moment.

    alive: every loop of the daemon ticked within its own time. rate_per_min: over the last minute.
    yield_share: OK of all parts of this run, 0..1, None before the first.
    bypass_since: how long rejects have been off, None while they are on.
    api_run: changes with each start of the API; numbers of events begin anew then.
    """

    api: int = 1
    api_run: str
    software: str
    time: Time
    name: str
    epoch: int
    state: StationState
    packml_name: str
    ready: bool
    alive: bool
    mode: Mode
    since: Time
    why: str = ""
    error: int = 0
    error_text: str = ""
    line_stop: bool = False
    overrun: bool = False
    unacknowledged: int = 0
    recipe: str
    recipe_id: int
    model: str
    backend: str
    classes: tuple[str, ...]
    trigger: str
    deadline_ms: float
    simulated: bool = False
    counters: CounterNumbers = CounterNumbers()
    yield_share: float | None = None
    rate_per_min: float = 0.0
    latency_ms: LatencyNumbers = LatencyNumbers()
    cameras: tuple[CameraNote, ...] = ()
    outputs: tuple[OutputNote, ...] = ()
    disk: DiskNote | None = None
    faults: tuple[FaultNote, ...] = ()
    challenge: ChallengeState | None = None
    bypass_since: Time | None = None
    review_waiting: int = Field(default=0, ge=0, description="parts in the review queue")
    shift_starts: tuple[str, ...] = Field(default=(), description="of the line, as HH:MM of the station's local time")


class About(Answer):
    """Told to everybody, also before a login. anonymous: what a client without a login may do here."""

    api: int = 1
    software: str
    station: str
    users: bool
    anonymous: str = Field(description="'viewer' or 'none'")
