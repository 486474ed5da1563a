"""The screen's one way to the station: what it says (signals), and what it is asked (`call`).

    client = Client("http://127.0.0.1:8787")
    client.status.connect(page.show_status)          # a StationNote, about twice a second
    client.happened.connect(page.take_event)         # an EventNote, in order
    client.watch(view, ("top",), width=960, rate=25) # pictures, as client.preview(PreviewHeader, QImage)
    client.call("GET", "records", answer=PartPage, params={"result": "NG"}, then=page.fill, owner=page)
    client.start()

The Client lives in the window's thread; every signal and every `then` comes there. Connect bound methods of widgets
(Qt drops the connection with the widget), never lambdas that hold one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum, unique
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QImage
from shiboken6 import isValid

from partsight.domain.errors import PartsightError
from partsight.gui.calls import Asked, Body, Call, Http, Params, Refusal, trust
from partsight.gui.inbox import Inbox
from partsight.gui.stream import Stream
from partsight.wire.screen.people import Me, Role, Session
from partsight.wire.screen.station import About, StationNote
from partsight.wire.screen.stream import WatchPreviews, Welcome

STALE_S = 1.0
"""Without a status, or a picture while the station runs, for so long: the screen says so."""
CHECK_MS = 100
EVENTS_A_TURN = 100
TURN_S = 0.012
"""So long the window works on what has come before it paints again."""
RENEW_MS = 60_000


class ScreenError(PartsightError):
    """The screen cannot start; the text says what to do."""


@unique
class Link(Enum):
    """How things stand with the station. SILENT: connected, but no status for a second."""

    CONNECTING = "connecting"
    LIVE = "live"
    SILENT = "silent"
    GONE = "gone"
    LOGIN = "login"
    OTHER_VERSION = "other version"


@dataclass(frozen=True, slots=True)
class Wish:
    """Pictures that one widget wants."""

    cameras: tuple[str, ...]
    width: int
    rate: float


@dataclass(slots=True, eq=False)
class _Answered:
    call: Call
    asked: Asked
    result: Any
    refusal: Refusal | None
    then: Callable[[Any], None] | None
    failed: Callable[[Refusal], None] | None
    owner: QObject | None = field(default=None)


class Client(QObject):
    """See the module. `note`: the newest StationNote or None; `me`: who is logged in; `link`: how things stand."""

    link_changed = Signal(object)
    """Link"""
    welcome = Signal(object)
    """Welcome, after each connection"""
    status = Signal(object)
    """StationNote"""
    happened = Signal(object)
    """EventNote (QObject has an `event` of its own)"""
    gap = Signal(object)
    """Gap: events are lost, ask the records"""
    preview = Signal(object, QImage)
    """PreviewHeader, QImage in Format_RGB32; latest only for each camera"""
    picture_stale = Signal(str, bool)
    """camera, True: the picture is older than a second while the station runs"""
    session = Signal(object)
    """Me: someone has logged in or out"""
    session_ended = Signal()
    """the login has run out or was ended by the station"""
    problem = Signal(str)
    """for a person: what did not work"""

    _woken = Signal()
    _answered = Signal(object)

    def __init__(self, url: str, ca: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.url = _checked(url)
        context = _context(ca)
        self.note: StationNote | None = None
        self.about: About | None = None
        self.me = Me()
        self.link = Link.CONNECTING
        self.link_why = ""
        self.link_since = datetime.now(timezone.utc)
        self._expires: tuple[datetime, float] | None = None
        self._status_at = 0.0
        self._pictures: dict[str, float] = {}
        self._stale: set[str] = set()
        self._wishes: dict[QObject, Wish] = {}
        self._closed = False
        self._inbox = Inbox(self._woken.emit)
        self._http = Http(self.url, context)
        self._stream = Stream(self.url, context, self._http, self._inbox, self)
        self._woken.connect(self._drain, Qt.ConnectionType.QueuedConnection)
        self._answered.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        self._check = QTimer(self, interval=CHECK_MS)
        self._check.timeout.connect(self._look)
        self._renewal = QTimer(self, interval=RENEW_MS)
        self._renewal.timeout.connect(self._renew)

    # What the window does with it

    def start(self) -> None:
        """Connect, and stay connected."""
        self._stream.start()
        self._check.start()
        self._renewal.start()

    def close(self) -> None:
        """End; afterwards no signal comes. Twice does no harm."""
        if self._closed:
            return
        self._closed = True
        self._check.stop()
        self._renewal.stop()
        self._woken.disconnect(self._drain)
        self._answered.disconnect(self._deliver)
        self._stream.stop()
        self._http.close()
        if self._stream.is_alive():
            self._stream.join(3.0)

    def may(self, role: Role) -> bool:
        """Whether the person at the screen has the rights of `role`."""
        return self.me.role is not None and self.me.role.may(role)

    @property
    def dropped_pictures(self) -> int:
        """Pictures that came while the window had not yet painted the one before."""
        return self._inbox.dropped_pictures

    def call(
        self,
        method: str,
        path: str,
        *,
        answer: Any = None,
        then: Callable[[Any], None] | None = None,
        failed: Callable[[Refusal], None] | None = None,
        body: Body = None,
        params: Params = None,
        owner: QObject | None = None,
        timeout_s: float = 5.0,
    ) -> Call:
        """Ask the API; returns at once. path: under /api/v1, or whole as the API gives it (`ImageLink.path`).

        answer: the type to read (a model, `list[Model]`, `bytes`, None for nothing). then, failed: called in the
        window's thread, unless `owner` (or the widget whose method it is) is gone by then. Without `failed` the text
        goes out as `problem`.
        """
        asked = Asked(method, path, answer, body, params, timeout_s)

        def done(result: Any, refusal: Refusal | None) -> None:
            self._answered.emit(_Answered(call, asked, result, refusal, then, failed, owner))

        call = Call()
        self._http.submit(asked, call, done)
        return call

    def fetch_image(
        self,
        path: str,
        then: Callable[[QImage], None],
        *,
        width: int | None = None,
        failed: Callable[[Refusal], None] | None = None,
        owner: QObject | None = None,
    ) -> Call:
        """A kept picture, decoded in a worker thread. width: a smaller JPEG of it."""
        return self.call(
            "GET", path, answer=QImage, params={"width": width}, then=then, failed=failed, owner=owner, timeout_s=15.0
        )

    def watch(self, owner: QObject, cameras: tuple[str, ...], width: int, rate: float) -> None:
        """Ask for pictures for as long as `owner` lives and wants them; the largest wish counts."""
        self._wishes[owner] = Wish(cameras, width, rate)
        self._tell_wishes()

    def unwatch(self, owner: QObject) -> None:
        """No more pictures for this one."""
        if self._wishes.pop(owner, None) is not None:
            self._tell_wishes()

    def log_in(self, user: str, password: str, failed: Callable[[Refusal], None]) -> Call:
        """`session` follows where it is right."""
        body = {"user": user, "password": password}
        return self.call("POST", "login", answer=Session, body=body, then=self._logged_in, failed=failed)

    def log_out(self) -> None:
        """The token is forgotten here at once, and ended there if it can be reached."""
        if self._http.token:
            self.call("POST", "logout", failed=_ignore)
        self._forget_session()

    # What the stream says (in its own thread): passed on through the inbox

    def said_about(self, about: About) -> None:
        """From the stream's thread."""
        self._inbox.put_fact(lambda: setattr(self, "about", about))

    def said_me(self, me: Me) -> None:
        """From the stream's thread."""
        self._inbox.put_fact(lambda: self._set_me(me))

    def came_in(self, welcome: Welcome) -> None:
        """From the stream's thread."""
        self._inbox.put_fact(lambda: self._enter(welcome))

    def went_out(self, why: str) -> None:
        """From the stream's thread."""
        self._inbox.put_fact(lambda: self._leave(Link.GONE, why))

    def needs_login(self, ended: bool) -> None:
        """From the stream's thread."""
        self._inbox.put_fact(lambda: self._ask_login(ended))

    def is_other_version(self, why: str) -> None:
        """From the stream's thread."""
        self._inbox.put_fact(lambda: self._leave(Link.OTHER_VERSION, why))

    def complained(self, text: str) -> None:
        """From the stream's thread."""
        self._inbox.put_fact(lambda: self.problem.emit(text))

    # In the window's thread

    @Slot()
    def _drain(self) -> None:
        """Hand out what has come; with much of it in several turns, so that the window stays quick."""
        end = time.monotonic() + TURN_S
        more = True
        while more and time.monotonic() < end:
            taken = self._inbox.take(EVENTS_A_TURN)
            for tell in taken.facts:
                tell()
            if taken.status is not None:
                self.note, self._status_at = taken.status
                if self.link is not Link.OTHER_VERSION:
                    self._set_link(Link.LIVE, "")
                self.status.emit(self.note)
            if taken.gap is not None:
                self.gap.emit(taken.gap)
            for event in taken.events:
                self.happened.emit(event)
            for picture in taken.pictures:
                self._pictures[picture.header.camera] = picture.arrived
                self._set_stale(picture.header.camera, False)
                self.preview.emit(picture.header, picture.image)
            more = taken.more
        if more:
            self._woken.emit()

    @Slot(object)
    def _deliver(self, answered: _Answered) -> None:
        if answered.call.cancelled:
            return
        callback = answered.then if answered.refusal is None else answered.failed
        if answered.refusal is not None and answered.refusal.status == 401 and self.me.user:
            self._stream.renew()
        if not _alive(answered.owner) or not _alive(getattr(callback, "__self__", None)):
            return
        if answered.refusal is not None and callback is None:
            self.problem.emit(str(answered.refusal))
        elif callback is not None:
            callback(answered.result if answered.refusal is None else answered.refusal)

    @Slot()
    def _look(self) -> None:
        now = time.monotonic()
        if self.link is Link.LIVE and now - self._status_at > STALE_S:
            self._set_link(Link.SILENT, "")
        if not all(isValid(owner) for owner in self._wishes):
            self._tell_wishes()
        judging = self.note is not None and self.note.state.value == "RUNNING"
        wanted = {name for wish in self._wishes.values() for name in wish.cameras}
        for camera in self.note.cameras if self.note is not None else ():
            if camera.name in self._pictures and (camera.name in wanted or "*" in wanted):
                age = now - self._pictures[camera.name]
                self._set_stale(camera.name, age > STALE_S and (judging or self.link is not Link.LIVE))

    def _set_stale(self, camera: str, stale: bool) -> None:
        if (camera in self._stale) is not stale:
            (self._stale.add if stale else self._stale.discard)(camera)
            self.picture_stale.emit(camera, stale)

    def _set_link(self, link: Link, why: str) -> None:
        if link is not self.link:
            self.link, self.link_why, self.link_since = link, why, datetime.now(timezone.utc)
            self.link_changed.emit(link)
        elif why != self.link_why:
            self.link_why = why

    def _enter(self, welcome: Welcome) -> None:
        self.note, self._status_at = welcome.status, time.monotonic()
        self._set_link(Link.LIVE, "")
        self.welcome.emit(welcome)

    def _leave(self, link: Link, why: str) -> None:
        self._set_link(link, why)

    def _ask_login(self, ended: bool) -> None:
        if ended:
            self._set_me(Me())
            self._expires = None
            self.session_ended.emit()
        self._set_link(Link.LOGIN, "")

    def _set_me(self, me: Me) -> None:
        if me != self.me:
            self.me = me
            self.session.emit(me)

    def _logged_in(self, session: Session) -> None:
        self._http.token = session.token
        self._remember_expiry(session)
        self._set_me(Me(user=session.user, role=session.role, acknowledge=True, expires=session.expires))
        self._stream.renew()

    def _remember_expiry(self, session: Session) -> None:
        life_s = max(0.0, (session.expires - datetime.now(timezone.utc)).total_seconds())
        self._expires = (session.expires, time.monotonic() + life_s / 2)

    @Slot()
    def _renew(self) -> None:
        """Half-way through its life; the window logs out who is idle, so this goes on for those who are there."""
        if self._http.token and self._expires is not None and time.monotonic() > self._expires[1]:
            self.call("POST", "renew", answer=Session, then=self._renewed, failed=_ignore)

    def _renewed(self, session: Session) -> None:
        if self._http.token:
            self._http.token = session.token
            self._remember_expiry(session)

    def _forget_session(self) -> None:
        had = bool(self._http.token)
        self._http.token = ""
        self._expires = None
        self._set_me(Me())
        if had:
            self._stream.renew()

    def _tell_wishes(self) -> None:
        self._wishes = {owner: wish for owner, wish in self._wishes.items() if isValid(owner)}
        wishes = list(self._wishes.values())
        cameras = tuple(sorted({name for wish in wishes for name in wish.cameras}))
        if not cameras:
            self._stream.watch(WatchPreviews(cameras=()))
            return
        self._stream.watch(
            WatchPreviews(
                cameras=("*",) if "*" in cameras else cameras[:16],
                width=max(64, min(4096, max(wish.width for wish in wishes))),
                rate=max(wish.rate for wish in wishes),
            )
        )


def _alive(owner: object) -> bool:
    return not isinstance(owner, QObject) or isValid(owner)


def _ignore(_refusal: Refusal) -> None:
    """Nobody needs to know: the token is forgotten, or is asked for again."""


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError as error:
        raise ScreenError(f"{url}: {error}; write it like http://127.0.0.1:8787") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ScreenError(f"{url} is no address of a station; write it like http://127.0.0.1:8787")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def _context(ca: Path | None) -> Any:
    try:
        return trust(ca)
    except OSError as error:  # ssl.SSLError is one
        raise ScreenError(f"{ca}: {error}; --ca wants the plant's authority as a PEM file") from error
