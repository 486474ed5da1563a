"""The capture loop of one camera: opens, drains, pairs frames with triggers, and comes back after each loss.

States, as told in `CameraStatus`:

    opening ──► streaming ◄──► stalled
       ▲            │ lost        │
       └─ backoff ◄─┴─────────────┘        ended: a finite source is done.  stopped: we closed it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from partsight.domain.errors import CameraError, EndOfStream
from partsight.domain.frame import Grab
from partsight.domain.ports import Camera, CameraInfo, Clock
from partsight.domain.reasons import Reason
from partsight.domain.status import CameraStatus
from partsight.station.ledger import Part
from partsight.station.pairing import Pairing, Request

GRAB_TIMEOUT_S = 0.05
OPEN_TIMEOUT_S = 5.0
BACKOFF_S = (0.2, 5.0)
STALL_S = 1.0
STALL_PERIODS = 3
LOST_AFTER_STALLS = 3


class FrameTaker(Protocol):
    """Where a capture loop's frames and failures go. All calls return at once, except `stream`."""

    def stream(self, camera: str, grab: Grab, arrived_ns: int) -> int:
        """A frame of a camera that streams; how many frames were passed over for it. May wait for a file source."""

    def view(self, part: Part, camera: str, grab: Grab, arrived_ns: int) -> None:
        """The frame of this part."""

    def no_view(self, part: Part, camera: str, reason: Reason, detail: str) -> None:
        """This part gets no frame from this camera."""

    def opened(self, camera: str, info: CameraInfo) -> None:
        """The camera is open (again)."""

    def changed(self, status: CameraStatus) -> None:
        """The camera's state is another."""


class Capture:
    """Runs one camera in a thread of its own.

    streams: every frame goes to `taker.stream` (free run, folder); else frames are paired with triggers.
    """

    def __init__(
        self,
        name: str,
        camera: Camera,
        taker: FrameTaker,
        clock: Clock,
        *,
        streams: bool,
        frame_timeout_ms: float,
        depth: int,
        tick: Callable[[], None],
    ) -> None:
        self.name = name
        self._camera = camera
        self._taker = taker
        self._clock = clock
        self._streams = streams
        self._frame_timeout_ns = int(frame_timeout_ms * 1e6)
        self._depth = depth
        self._tick = tick
        self._triggering = threading.Lock()
        self._lock = threading.Lock()
        self._status = CameraStatus(name, "stopped")
        self._pairing: Pairing | None = None
        self._info: CameraInfo | None = None
        self._last: Grab | None = None
        self._stop = threading.Event()
        self._open = threading.Event()
        self._tried = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"capture-{name}", daemon=True)

    # --- called by the station ------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread; `wait_until_open` says when the camera is there."""
        self._thread.start()

    def wait_until_open(self, timeout_s: float) -> bool:
        """True once the camera is open; False as soon as a first try has failed, or after the timeout."""
        self._tried.wait(timeout_s)
        return self._open.is_set()

    def request(self, part: Part) -> None:
        """Get this part's frame: it comes by `taker.view`, or `taker.no_view` says why not."""
        with self._triggering:  # the camera must get its triggers in the order in which the parts wait
            with self._lock:
                pairing, info = self._pairing, self._info
                answer = pairing.request(part, self._clock.monotonic_ns()) if pairing is not None else None
            if pairing is None or info is None:
                failure = Reason.CAMERA_LOST, self._why_not()
            elif answer is Request.FULL:
                failure = Reason.OVERLOAD, f"{self._depth} triggers wait for {self.name} already"
            elif answer is Request.UNSURE:
                failure = Reason.NO_FRAME, f"{self.name} still owes the frame of an earlier trigger"
            elif not info.software_trigger:
                return
            else:
                try:
                    self._camera.trigger()
                except CameraError as error:
                    failure = Reason.CAMERA_LOST, str(error)
                    with self._lock:
                        if not pairing.refused(part):
                            return  # it was given up already, when the camera was lost
                else:
                    return
        self._taker.no_view(part, self.name, *failure)

    @property
    def size(self) -> tuple[int, int] | None:
        """(width, height) of the open camera's frames, None while it is not open."""
        info = self._info
        return None if info is None else (info.width, info.height)

    def peek(self) -> Grab | None:
        """The newest image of the open camera, whoever it was for; None before the first. For people, not for verdicts.

        It may be incomplete or an error, and its pixels must not be written to.
        """
        return self._last

    def status(self) -> CameraStatus:
        """A frozen snapshot; `received == delivered + dropped + incomplete + queued`."""
        with self._lock:
            return self._status

    def stop(self) -> None:
        """Ask the thread to end."""
        self._stop.set()

    def join(self, timeout_s: float) -> bool:
        """True once the thread has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def ended(self) -> bool:
        """True once a finite source has given its last frame."""
        return self.status().state == "ended"

    # --- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        delay = BACKOFF_S[0]
        while not self._stop.is_set():
            self._tick()
            try:
                self._open_camera()
                delay = BACKOFF_S[0]
                self._drain()
                error = ""
            except EndOfStream:
                self._close()
                self._set_state("ended")
                return
            except CameraError as problem:
                error = str(problem)
            except Exception as problem:  # noqa: BLE001 - top of the thread: a driver's defect must not end the camera
                error = f"driver failed: {type(problem).__name__}: {problem}"
            self._close(error)
            self._tried.set()
            if not self._stop.is_set():
                self._set_state("backoff", error)
                self._wait(delay * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret
                delay = min(delay * 2, BACKOFF_S[1])
        self._set_state("stopped")

    def _wait(self, seconds: float) -> None:
        until = self._clock.monotonic_ns() + int(seconds * 1e9)
        while not self._stop.is_set() and self._clock.monotonic_ns() < until:
            self._tick()
            self._stop.wait(min(0.1, seconds))

    def _open_camera(self) -> None:
        self._set_state("opening")
        info = self._camera.open(OPEN_TIMEOUT_S, triggered=not self._streams)
        period_ns = int((info.frame_period_s or 0.0) * 1e9)
        pairing = Pairing(
            triggered=info.software_trigger,
            first_id=info.first_id,
            period_ns=period_ns,
            timeout_ns=self._frame_timeout_ns,
            depth=self._depth,
        )
        self._taker.opened(self.name, info)
        with self._lock:
            reopened = self._open.is_set()
            self._info = info
            self._pairing = None if self._streams else pairing
            self._status = replace(self._status, reconnects=self._status.reconnects + reopened)
        self._set_state("streaming")
        self._open.set()
        self._tried.set()

    def _drain(self) -> None:
        """Take every frame that the camera gives, until it is lost or we stop."""
        last = self._clock.monotonic_ns()
        while not self._stop.is_set():
            self._tick()
            grab = self._camera.grab(GRAB_TIMEOUT_S)
            now = self._clock.monotonic_ns()
            self._fail_overdue(now)
            if grab is None:
                self._check_stall(now - last)
                continue
            last = now
            self._set_state("streaming")
            self._hand_on(grab, now)

    def _hand_on(self, grab: Grab, now: int) -> None:
        self._last = grab
        if self._streams:
            self._count(received=1, queued=1)
            passed_over = self._taker.stream(self.name, grab, now)
            self._count(dropped=passed_over, queued=-passed_over)
            return
        with self._lock:
            part, lost = self._pairing.frame(grab, now) if self._pairing is not None else (None, [])
        for missing in lost:
            self._taker.no_view(missing, self.name, Reason.NO_FRAME, f"{self.name} lost the frame of this trigger")
        if part is None:
            self._count(received=1, dropped=1)
            return
        self._count(received=1, delivered=int(grab.complete), incomplete=int(not grab.complete))
        self._taker.view(part, self.name, grab, now)

    def took(self) -> None:
        """The station took a streamed frame out of its slot."""
        self._count(delivered=1, queued=-1)

    def passed_over(self) -> None:
        """The station took a streamed frame out of its slot and did not use it."""
        self._count(dropped=1, queued=-1)

    def _fail_overdue(self, now: int) -> None:
        with self._lock:
            parts = self._pairing.overdue(now) if self._pairing is not None else []
        for part in parts:
            limit = self._frame_timeout_ns / 1e6
            self._taker.no_view(part, self.name, Reason.NO_FRAME, f"{self.name} gave no frame within {limit:g} ms")

    def _check_stall(self, silent_ns: int) -> None:
        """A live camera that should stream and does not."""
        info = self._info
        if info is None or not info.live or (info.software_trigger and not self._streams):
            return
        allowed_s = max(STALL_S, STALL_PERIODS * (info.frame_period_s or 0.0))
        silent_s = silent_ns / 1e9
        if silent_s > allowed_s:
            self._set_state("stalled", f"no frame for {silent_s:.1f} s")
        if silent_s > allowed_s * LOST_AFTER_STALLS:
            raise CameraError(f"{self.name} gave no frame for {silent_s:.1f} s; opening it again")

    def _close(self, error: str = "") -> None:
        with self._lock:
            pairing, self._pairing = self._pairing, None
            self._info = None
        self._last = None
        self._camera.close()
        if pairing is not None:
            reason = Reason.CAMERA_LOST if error else Reason.NO_FRAME
            self._give_up(pairing, reason, error or f"{self.name} has no more frames")

    def _give_up(self, pairing: Pairing, reason: Reason, detail: str) -> None:
        with self._lock:
            parts = pairing.fail_all()
        for part in parts:
            self._taker.no_view(part, self.name, reason, detail)

    def _why_not(self) -> str:
        status = self.status()
        return f"{self.name} is {status.state}" + (f": {status.error}" if status.error else "")

    def _set_state(self, state: str, error: str = "") -> None:
        with self._lock:
            if self._status.state == state and (state in ("streaming", "stalled") or self._status.error == error):
                return
            self._status = status = replace(self._status, state=state, error=error)
        self._taker.changed(status)

    def _count(
        self, *, received: int = 0, delivered: int = 0, dropped: int = 0, incomplete: int = 0, queued: int = 0
    ) -> None:
        with self._lock:
            s = self._status
            self._status = replace(
                s,
                received=s.received + received,
                delivered=s.delivered + delivered,
                dropped=s.dropped + dropped,
                incomplete=s.incomplete + incomplete,
                queued=s.queued + queued,
            )
