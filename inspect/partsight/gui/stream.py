"""The thread that keeps the WebSocket open: connects, reads, decodes pictures, and begins again where it broke off.

It touches no widget: everything goes into an `Inbox`.
"""

from __future__ import annotations

import json
import random
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from pydantic import ValidationError
from PySide6.QtCore import QCoreApplication
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI, WebSocketException
from websockets.sync.client import ClientConnection, connect

from partsight.gui.calls import CONNECT_S, ROOT, Asked, Http, Refusal
from partsight.gui.inbox import Inbox
from partsight.gui.pictures import decoded
from partsight.wire.screen.message import API_VERSION
from partsight.wire.screen.people import Me
from partsight.wire.screen.station import About
from partsight.wire.screen.stream import (
    EventNote,
    Gap,
    Hello,
    StatusNote,
    StreamProblem,
    WatchPreviews,
    Welcome,
    parse_server_message,
    unpack_preview,
)

FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 2.0
POLL_S = 0.1
"""How long a wish for other pictures, or the end, can wait for the thread to notice."""
SILENCE_S = 6.0
"""Without any message for so long, the connection counts as dead although TCP has not noticed."""
MAX_MESSAGE = 32 * 1024 * 1024
LOGIN_ENDED = 4401
"""The code with which the server closes when the token has ended."""


class OtherVersion(Exception):
    """The server speaks another version of the API."""


class LoginNeeded(Exception):
    """The server lets nobody in without a login."""


class Listener(Protocol):
    """Who hears of the connection; each method is called in the stream's thread."""

    def said_about(self, about: About) -> None: ...
    def said_me(self, me: Me) -> None: ...
    def came_in(self, welcome: Welcome) -> None: ...
    def went_out(self, why: str) -> None: ...
    def needs_login(self, ended: bool) -> None: ...
    def is_other_version(self, why: str) -> None: ...
    def complained(self, text: str) -> None: ...


@dataclass(slots=True)
class Place:
    """Where the stream broke off: the newest event, and of which run of the API."""

    run: str = ""
    last: int | None = None


class Stream(threading.Thread):
    """Runs until `stop`. `url`: http(s)://host:port, nothing after it."""

    def __init__(self, url: str, context: ssl.SSLContext, http: Http, inbox: Inbox, listener: Listener) -> None:
        super().__init__(name="screen-stream", daemon=True)
        self._url, self._context, self._http = url, context, http
        self._inbox, self._listener = inbox, listener
        self._place = Place()
        self._over = threading.Event()
        self._again = threading.Event()
        self._watch = WatchPreviews(cameras=())
        self._watched: WatchPreviews | None = None

    def watch(self, wanted: WatchPreviews) -> None:
        """Which pictures from now on; also after a new connection."""
        self._watch = wanted

    def renew(self) -> None:
        """Connect anew at once: someone has logged in or out."""
        self._again.set()

    def stop(self) -> None:
        """Ends within a moment, or within the time-out of a connection that is being made."""
        self._over.set()
        self._again.set()

    def run(self) -> None:
        """One connection after the other."""
        wait_s = FIRST_WAIT_S
        while not self._over.is_set():
            self._again.clear()
            token = self._http.token
            was_in = False
            try:
                was_in = self._connection(token)
                self._listener.went_out("")
            except OtherVersion as error:
                self._listener.is_other_version(str(error))
                wait_s = LONGEST_WAIT_S
            except LoginNeeded:
                self._forget(token)
                self._again.wait(LONGEST_WAIT_S if token else 3600.0)
            except (Refusal, OSError, WebSocketException, ValueError) as error:
                self._listener.went_out(_why(error))
            wait_s = FIRST_WAIT_S if was_in else wait_s
            if not self._again.is_set():
                # Five screens must not come back at the same moment.
                self._again.wait(wait_s * random.uniform(0.7, 1.3))  # noqa: S311 (jitter, no secret)
                wait_s = min(wait_s * 1.6, LONGEST_WAIT_S)
            else:
                wait_s = FIRST_WAIT_S

    def _forget(self, token: str) -> None:
        if token and self._http.token == token:
            self._http.token = ""
        self._listener.needs_login(bool(token))

    def _connection(self, token: str) -> bool:
        """One connection from hello to end. True: it was let in."""
        about = self._about()
        self._listener.said_about(about)
        if not token and about.users and about.anonymous == "none":
            raise LoginNeeded
        self._listener.said_me(self._me())
        with self._open() as socket_:
            hello = Hello(token=token, after=self._place.last, run=self._place.run)
            socket_.send(hello.model_dump_json())
            self._watched = None
            self._read(socket_)
        return True

    def _about(self) -> About:
        try:
            about: About = self._http.ask(Asked("GET", "about", About, timeout_s=CONNECT_S))
        except Refusal as refusal:
            if refusal.status in {200, 404}:
                text = QCoreApplication.translate("stream", "{url} has no partsight API of version {ours}.")
                raise OtherVersion(text.format(url=self._url, ours=API_VERSION)) from refusal
            raise
        if about.api != API_VERSION:
            raise OtherVersion(_other_version(about.api))
        return about

    def _me(self) -> Me:
        try:
            me: Me = self._http.ask(Asked("GET", "me", Me))
        except Refusal as refusal:
            if refusal.status == 401:
                raise LoginNeeded from refusal
            raise
        return me

    def _open(self) -> ClientConnection:
        parts = urlsplit(self._url)
        secure = parts.scheme == "https"
        address = (parts.hostname or "", parts.port or (443 if secure else 80))
        # Our own socket: no proxy of the environment comes between.
        plain = socket.create_connection(address, timeout=CONNECT_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            return connect(
                f"{'wss' if secure else 'ws'}://{parts.netloc}{ROOT}/stream",
                sock=plain,
                ssl=self._context if secure else None,
                open_timeout=CONNECT_S,
                close_timeout=0.5,
                max_size=MAX_MESSAGE,
                # Pictures are compressed already, and a deep queue would only show old ones.
                max_queue=4,
                compression=None,
            )
        except BaseException:
            plain.close()
            raise

    def _read(self, socket_: ClientConnection) -> None:
        quiet = 0.0
        while not self._again.is_set():
            if self._watch is not self._watched:
                self._watched = self._watch
                socket_.send(self._watched.model_dump_json())
            try:
                message = socket_.recv(timeout=POLL_S)
            except TimeoutError:
                quiet += POLL_S
                if quiet >= SILENCE_S:
                    raise Refusal(
                        0, QCoreApplication.translate("stream", "The station has said nothing for some seconds.")
                    ) from None
                continue
            except ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code == LOGIN_ENDED:
                    raise LoginNeeded from closed
                raise
            quiet = 0.0
            self._take(message)

    def _take(self, message: str | bytes) -> None:
        try:
            if isinstance(message, bytes):
                self._take_picture(message)
            else:
                self._take_text(message)
        except ValidationError as error:
            _refuse_other_version(message)
            text = QCoreApplication.translate("stream", "A message of the station could not be read: {why}")
            self._listener.complained(text.format(why=error.errors()[0]["msg"]))
        except ValueError as error:
            text = QCoreApplication.translate("stream", "A picture of the station could not be read: {why}")
            self._listener.complained(text.format(why=error))

    def _take_picture(self, message: bytes) -> None:
        header, jpeg = unpack_preview(message)
        image = decoded(jpeg, quick=True)
        if image.isNull():
            raise ValueError(f"the JPEG of {header.camera} is broken")
        self._inbox.put_picture(header, image)

    def _take_text(self, message: str) -> None:
        parsed = parse_server_message(message)
        match parsed:
            case StatusNote(status=status):
                self._inbox.put_status(status)
            case EventNote(n=n):
                self._place.last = n
                self._inbox.put_event(parsed)
            case Gap(last=last):
                self._place.last = last
                self._inbox.put_gap(parsed)
            case StreamProblem(status=status, text=text):
                if status == 401:
                    raise LoginNeeded
                self._listener.complained(text)
            case Welcome(api=api, run=run):
                if api != API_VERSION:
                    raise OtherVersion(_other_version(api))
                if run != self._place.run or self._place.last is None:
                    if self._place.last is not None:
                        # Numbers began anew: what happened in between can only be had from the records.
                        self._inbox.put_gap(Gap(first=0, last=parsed.last))
                    self._place = Place(run, parsed.last)
                self._listener.came_in(parsed)
                self._inbox.put_status(parsed.status)


def _refuse_other_version(message: str | bytes) -> None:
    """A newer Welcome may not parse at all: what it says of its version still counts."""
    if isinstance(message, bytes):
        return
    try:
        found = json.loads(message)
    except ValueError:
        return
    if isinstance(found, dict) and found.get("type") == "welcome":
        raise OtherVersion(_other_version(found.get("api")))


def _other_version(theirs: object) -> str:
    text = QCoreApplication.translate(
        "stream",
        "The station speaks version {theirs} of the API, this screen version {ours}. "
        "Use the screen of the station's version.",
    )
    return text.format(theirs=theirs, ours=API_VERSION)


def _why(error: Exception) -> str:
    """For the status strip; a person reads it."""
    if isinstance(error, ConnectionClosed):
        broke = QCoreApplication.translate("stream", "The connection broke off.")
        return error.rcvd.reason if error.rcvd is not None and error.rcvd.reason else broke
    if isinstance(error, (InvalidHandshake, InvalidURI)):
        return QCoreApplication.translate("stream", "The station refused the stream: {why}").format(why=error)
    return str(error) or type(error).__name__
