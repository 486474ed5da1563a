"""The daemon's end of the link to the API's process: starts it, feeds it, ends it, and starts it again.

    fast lane ── publish, tell: append to a bounded queue ──► api-link: events, status, frames ──► the API's process
                                                              api-desk: requests ◄────────────────

All serialisation and copying happens in the thread `api-link`. It looks at its queues each 10 ms and is woken by
nobody, so that a verdict never hands the interpreter over to it. An API that ends, sends garbage, takes nothing or
falls silent for 10 s is killed and started again; people see the fault `api` meanwhile, and no verdict is late for it.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import structlog
from pydantic import BaseModel, JsonValue

from partsight.api.channel import (
    Channel,
    ChannelClosed,
    ChannelError,
    ChannelStuck,
    EventMessage,
    HelloMessage,
    LineFacts,
    Refusal,
    ReplyMessage,
    RequestMessage,
    StatusMessage,
    WatchMessage,
    pack,
    pair,
)
from partsight.api.desk import OPS, Desk
from partsight.api.feed import Feed
from partsight.api.frames import FrameWriter
from partsight.api.line import ApiLine
from partsight.api.news import Queued, message_of
from partsight.api.ops import Entry
from partsight.api.process import Launch, end, how_it_ended, launch
from partsight.api.snapshot import Pace, Snapshots
from partsight.domain.errors import PartsightError
from partsight.domain.inspection import Inspection
from partsight.domain.messages import Event, Exposed, Finished, Latched
from partsight.domain.ports import CommandSink
from partsight.domain.uid import uuid7
from partsight.station.station import Station

log = structlog.get_logger(__name__)

EVENTS = 10_000
BATCH = 64
POLL_S = 0.01
STATUS_S = 0.4
STATUS_SOONEST_S = 0.05
STARTING_S = 60.0
"""An API that has said nothing so long after its start hangs; a slow machine imports for some ten seconds."""
SILENT_S = 10.0
CLEAR_S = 1.0
"""An API that lives this long ends the fault that people see."""
HEALTHY_S = 10.0
"""One that lived this long ends the back-off."""
ENDING_S = 0.5
BACKOFF_S = (0.5, 10.0)
REPLIES = 256
REQUESTS_PER_S = 200
FAULT = "api"
CURE = "it is started again by itself; screens wait, verdicts go on; see the log for why"

Report = Callable[[str, str, str], None]


@dataclass(frozen=True, slots=True)
class ApiHealth:
    """connected: the API's process runs and has spoken. starts: how often it was started. lost: events that a full
    queue has pushed out. pictures_dropped: that could not be handed over.
    """

    connected: bool
    starts: int
    lost: int
    pictures_dropped: int
    problem: str = ""


@dataclass(slots=True, eq=False)
class _Run:
    """One life of the API's process. heard: monotonic time of its last message, None before the first."""

    name: str
    channel: Channel
    process: subprocess.Popen[bytes]
    began: float
    heard: float | None = None
    replies: deque[ReplyMessage] = field(default_factory=deque)
    problem: ChannelError | None = None
    over: threading.Event = field(default_factory=threading.Event)


class ApiLink:
    """A `RunningOutput`. on_trouble(key, text, cure), on_clear(key): the API is away, and back."""

    def __init__(
        self,
        make_line: Callable[[Station], ApiLine],
        make_facts: Callable[[str, Station], LineFacts],
        *,
        on_trouble: Report,
        on_clear: Callable[[str], None],
        start: Launch = launch,
        ops: Mapping[str, Entry] = OPS,
        silent_s: float = SILENT_S,
    ) -> None:
        """make_facts(run, station): what an API is told at its start. silent_s: see SILENT_S; less for tests."""
        self._make_line = make_line
        self._make_facts = make_facts
        self._on_trouble = on_trouble
        self._on_clear = on_clear
        self._start = start
        self._ops = ops
        self._silent_s = silent_s
        self._pace = Pace()
        self._lock = threading.Lock()
        self._events: deque[Queued] = deque()
        self._lost = 0
        self._changed = False
        self._stopping = threading.Event()
        self._line: ApiLine | None = None
        self._watched: Feed | None = None
        self._thread = threading.Thread(target=self._guarded, name="api-link", daemon=True)
        self._starts = self._lost_ever = 0
        self._connected = False
        self._problem = ""

    # --- the port ---------------------------------------------------------------------------------

    def attach(self, sink: CommandSink) -> None:
        """The station: before `start`. Raises TypeError for anything else."""
        if not isinstance(sink, Station):
            raise TypeError(f"the API needs the station itself, not a {type(sink).__name__}")
        self._line = self._make_line(sink)

    def publish(self, inspection: Inspection) -> None:
        """Count it; what screens are told comes with `Finished`."""
        self._pace.see(inspection.timings.verdict_ms)

    def tell(self, event: Event) -> None:
        """Put it in the queue, the oldest goes where that is full; pixels only where somebody watches."""
        if isinstance(event, (Latched, Exposed)):
            return
        if isinstance(event, Finished):
            if self._watched is not None and event.frames:
                self._watched.offer(event.inspection, event.frames)
            self._queue(event.inspection)
            return
        self._queue(event)
        self._changed = True

    def emit(self, kind: str, data: dict[str, JsonValue]) -> None:
        """An event that an op makes."""
        assert self._line is not None
        self._queue(EventMessage(kind=kind, at=self._line.clock.utc(), data=data))

    def _queue(self, item: Queued) -> None:
        with self._lock:
            if len(self._events) >= EVENTS:
                self._events.popleft()
                self._lost += 1
            self._events.append(item)

    def start(self) -> None:
        """Begin; returns at once. Raises OSError where the kernel gives no memory to share."""
        if self._line is None:
            raise RuntimeError("the API's link has no station: attach one first")
        names = [camera.name for camera in self._line.site.config.cameras]
        self._watched = Feed(self._line, FrameWriter(names))
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End the API, politely first. False where a thread or the process did not end in time."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def health(self) -> ApiHealth:
        """A snapshot; never waits."""
        dropped = self._watched.dropped if self._watched is not None else 0
        return ApiHealth(self._connected, self._starts, self._lost_ever + self._lost, dropped, self._problem)

    # --- the supervisor ---------------------------------------------------------------------------

    def _guarded(self) -> None:
        """The thread's top: whatever ends one life of the API becomes a fault, and the next one begins."""
        assert self._line is not None
        assert self._watched is not None
        desk, snapshots = Desk(self._line, self.emit, self._ops), Snapshots(self._line, self._pace)
        desk.start()
        delay = BACKOFF_S[0]
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._live(self._line, desk, snapshots, self._watched)
            except (PartsightError, OSError) as problem:
                why = str(problem)
            except Exception as problem:  # the thread's top: a defect of ours here must not end the link for ever
                log.exception("the link to the API failed")
                why = f"the link to the API failed: {type(problem).__name__}: {problem}"
            else:
                break
            if self._stopping.is_set():
                break
            self._problem = why
            self._on_trouble(FAULT, why, CURE)
            log.error("the API is away", why=why)
            if time.monotonic() - began > HEALTHY_S:
                delay = BACKOFF_S[0]
            self._stopping.wait(delay)
            delay = min(2 * delay, BACKOFF_S[1])
        desk.stop(1.0)
        self._watched.close()

    def _live(self, line: ApiLine, desk: Desk, snapshots: Snapshots, feed: Feed) -> None:
        """One life of the API's process, until `stop`. Raises ChannelError, OSError, with why it had to end."""
        ours, theirs = pair()
        try:
            process = self._start(theirs.fileno(), feed.fd)
        except OSError as problem:
            ours.close()
            raise ChannelError(f"the API's process cannot be started: {problem}") from problem
        finally:
            theirs.close()
        self._starts += 1
        run = _Run(str(uuid7()), Channel(ours), process, time.monotonic())
        reader = threading.Thread(target=self._read, args=(run, desk, feed), name="api-desk", daemon=True)
        politely = False
        try:
            facts = self._make_facts(run.name, line.station).model_copy(update={"starts": self._starts})
            self._send(run, HelloMessage(facts=facts, status=snapshots.now(run.name)))
            reader.start()
            self._feed(run, snapshots, feed, line.site.bundle.card.classes)
            politely = True
        except ChannelClosed as closed:
            raise ChannelClosed(_why_closed(process) or str(closed)) from closed
        finally:
            run.over.set()
            self._connected = False
            feed.watch({})
            if not end(process, politely=politely):
                log.error("the API's process does not end", pid=process.pid)
            run.channel.shut()
            if reader.ident is not None:
                reader.join(1.0)
            run.channel.close()

    def _feed(self, run: _Run, snapshots: Snapshots, feed: Feed, names: tuple[str, ...]) -> None:
        """Everything that goes down, until `stop`."""
        next_status, cleared = 0.0, False
        while not self._stopping.is_set():
            now = time.monotonic()
            self._check(run, now)
            if not cleared and run.heard is not None and now - run.began > CLEAR_S:
                cleared = True
                self._problem, self._connected = "", True
                self._on_clear(FAULT)
            while run.replies:
                self._send(run, run.replies.popleft())
            busy = self._send_events(run, names)
            if now >= next_status or (self._changed and now >= next_status - STATUS_S + STATUS_SOONEST_S):
                self._changed, next_status = False, now + STATUS_S
                self._told("the status", partial(self._send_status, run, snapshots, feed.dropped))
            self._told("a picture", partial(self._send_pictures, run, feed, now))
            if not busy:
                self._stopping.wait(POLL_S)

    def _check(self, run: _Run, now: float) -> None:
        """Raises ChannelError where this life is over."""
        status = run.process.poll()
        if status is not None:
            raise ChannelClosed(f"the API's process {how_it_ended(status)}")
        if run.problem is not None:
            raise run.problem
        if now - (run.heard or run.began) > (self._silent_s if run.heard is not None else STARTING_S):
            raise ChannelStuck(f"the API has said nothing for {now - (run.heard or run.began):.0f} s")

    def _send_events(self, run: _Run, names: tuple[str, ...]) -> bool:
        """True where more wait."""
        with self._lock:
            lost, self._lost = self._lost, 0
            self._lost_ever += lost
            batch = [self._events.popleft() for _ in range(min(BATCH, len(self._events)))]
            left = bool(self._events)
        if lost:
            assert self._line is not None
            self._send(run, EventMessage(kind="dropped", at=self._line.clock.utc(), data={"count": lost}))
        for item in batch:
            self._told("an event", partial(self._send_event, run, item, names))
        return left

    def _send_event(self, run: _Run, item: Queued, names: tuple[str, ...]) -> None:
        self._send(run, message_of(item, names))

    def _send_pictures(self, run: _Run, feed: Feed, now: float) -> None:
        for message in feed.due(now):
            self._send(run, message)

    def _send_status(self, run: _Run, snapshots: Snapshots, previews_dropped: int) -> None:
        self._send(run, StatusMessage(status=snapshots.now(run.name, previews_dropped)))

    def _told(self, what: str, send: Callable[[], None]) -> None:
        """What cannot be put into words for screens (no Unicode, no number) is logged and passed over."""
        try:
            send()
        except ValueError as problem:
            log.warning("cannot be told to the screens", what=what, problem=str(problem)[:300])

    def _send(self, run: _Run, message: BaseModel) -> None:
        # While it still imports, it takes nothing either.
        patience_s = self._silent_s if run.heard is not None else max(self._silent_s, STARTING_S)
        run.channel.send(_packed(message), patience_s, self._stopping)

    # --- the reader -------------------------------------------------------------------------------

    def _read(self, run: _Run, desk: Desk, feed: Feed) -> None:
        """The thread `api-desk`: everything that comes up, until this life is over."""
        second, count = time.monotonic(), 0
        try:
            while not run.over.is_set():
                message = run.channel.receive(0.2)
                if message is None:
                    continue
                run.heard = time.monotonic()
                if isinstance(message, WatchMessage):
                    feed.watch(message.cameras)
                elif isinstance(message, RequestMessage):
                    desk.take(message, run.replies.append)
                # However many come: these threads must not take the interpreter from the one that judges.
                count += 1
                if count >= REQUESTS_PER_S:
                    run.over.wait(max(0.0, second + 1.0 - time.monotonic()))
                    second, count = time.monotonic(), 0
                elif run.heard - second > 1.0:
                    second, count = run.heard, 0
                while len(run.replies) > REPLIES and not run.over.wait(POLL_S):
                    pass
        except ChannelError as problem:
            if not run.over.is_set():
                run.problem = problem
        except Exception as problem:  # the thread's top: it ends this life of the API, and people see why
            log.exception("the API's desk failed")
            run.problem = ChannelError(f"the API's desk failed: {type(problem).__name__}: {problem}")


def _why_closed(process: subprocess.Popen[bytes]) -> str:
    """What became of the process, "" where it still runs: it closes its end a moment before it has ended."""
    with suppress(subprocess.TimeoutExpired):
        return f"the API's process {how_it_ended(process.wait(ENDING_S))}"
    return ""


def _packed(message: BaseModel) -> bytes:
    """As bytes; a reply that cannot be sent becomes one that says so. Raises ValueError for anything else."""
    try:
        return pack(message)
    except (ValueError, ChannelError) as problem:
        if not isinstance(message, ReplyMessage):
            raise ValueError(f"a message cannot be sent to the API: {problem}") from problem
        error = Refusal(status=500, text=f"the answer cannot be sent: {str(problem)[:200]}")
        return pack(ReplyMessage(rid=message.rid, ok=False, error=error))
