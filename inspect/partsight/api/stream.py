"""The WebSocket `/api/v1/stream`: events, the station's status and pictures, for each client at its own pace.

Nothing is queued for a client. It has a place in the ring of events, the number of the status that it got, and the
newest picture of each camera that it watches; its sender looks there when the one before has been taken. So a slow
client gets a `Gap` and fewer pictures, and costs nobody else anything.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from partsight.api.channel import FrameMessage
from partsight.api.guard import Client, Gate, Refused, allow, client_of, identify
from partsight.api.previews import Picture, Pictures
from partsight.api.upstream import Upstream
from partsight.wire.screen.message import API_VERSION, now
from partsight.wire.screen.people import Me, Role
from partsight.wire.screen.station import StationNote
from partsight.wire.screen.stream import (
    MAX_CLIENT_MESSAGE,
    EventNote,
    Gap,
    Hello,
    StatusNote,
    StreamProblem,
    WantEvents,
    WatchPreviews,
    Welcome,
    parse_client_message,
)

HELLO_S = 5.0
STRIKES = 3
"""So many bad messages end a connection."""
BURST = 50
MESSAGES_PER_S = 20.0
"""More than this, after a burst, is a bad message too."""
EVENTS_AT_ONCE = 20
RECHECK_S = 5.0
"""How soon a login that was ended elsewhere ends here."""
BAD_MESSAGES, LOGIN_OVER, NOT_ALLOWED, NO_HELLO = 4400, 4401, 4403, 4408
"""Codes with which the server closes."""


class Watched:
    """What a client has of one camera, and when the next picture is due. For rates, not for single gaps: a picture
    that comes a little early is not passed over, and one that comes after a pause is due at once.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._period_s = 1.0 / rate
        self._due_at = 0.0
        self.newest: Picture | None = None

    def offer(self, picture: Picture, at: float) -> bool:
        """False where this takes the place of a picture that the client should have had."""
        lost = self.newest is not None and at >= self._due_at
        self.newest = picture
        return not lost

    def take(self, at: float) -> Picture | None:
        """The picture that is due now."""
        if self.newest is None or at < self._due_at:
            return None
        self._due_at = max(self._due_at, at - self._period_s) + self._period_s
        picture, self.newest = self.newest, None
        return picture

    def due_in(self, at: float) -> float | None:
        """Seconds until there is something to take; None where there is nothing to wait for."""
        return None if self.newest is None else max(0.0, self._due_at - at)


class Screen:
    """One client that was let in."""

    def __init__(self, socket: WebSocket, client: Client, token: str, me: Me, seen: int) -> None:
        self.socket = socket
        self.client = client
        self.token = token
        self.me = me
        self.seen = seen
        """Number of the newest event that it has."""
        self.status_seen = 0
        self.dropped = 0
        self.watched: dict[str, Watched] = {}
        self.size = (960, 80)
        self.wake = asyncio.Event()
        self.problems: list[StreamProblem] = []
        self.closing: int | None = None

    def end(self, code: int, text: str, status: int) -> None:
        """Say why, then close."""
        if self.closing is None:
            self.problems.append(StreamProblem(status=status, text=text))
            self.closing = code
            self.wake.set()


class Hub:
    """All clients of the stream. A `Listener` of the link."""

    def __init__(self, line: Upstream, gate: Gate, pictures: Pictures) -> None:
        self._line = line
        self._gate = gate
        self._pictures = pictures
        self._screens: set[Screen] = set()
        self._status_n = 1
        self._status_text = ""
        self.dropped = 0
        """Pictures that clients did not get in time, since the start."""
        self.served = 0
        """Clients that were let in, since the start."""

    @property
    def screens(self) -> int:
        """Clients that were let in."""
        return len(self._screens)

    @property
    def status(self) -> StationNote:
        """The station's newest, with what was dropped here."""
        status = self._line.status
        counters = status.counters
        lost = counters.previews_dropped + self.dropped
        return status.model_copy(update={"counters": counters.model_copy(update={"previews_dropped": lost})})

    # --- told by the link ------------------------------------------------------------------------

    def on_status(self, status: StationNote) -> None:
        """A newer one takes its place, encoded when somebody wants it."""
        self._status_n += 1
        self._status_text = ""
        self._wake_all()

    def on_event(self, note: EventNote) -> None:
        """It lies in the ring."""
        self._wake_all()

    def on_frame(self, frame: FrameMessage) -> None:
        """Offered to who watches the camera."""
        picture = self._pictures.put(frame)
        at = time.monotonic()
        for screen in self._screens:
            watched = screen.watched.get(frame.camera)
            if watched is None:
                continue
            if not watched.offer(picture, at):
                screen.dropped += 1
                self.dropped += 1
            screen.wake.set()

    # --- a client's life -------------------------------------------------------------------------

    async def serve(self, socket: WebSocket) -> None:
        """From the first message to the end."""
        await socket.accept()
        try:
            met = await self._meet(socket)
        except WebSocketDisconnect:
            return
        if met is None:
            return
        screen, hello = met
        # From here it hears of everything, so that nothing falls between this and what it is told first.
        self._screens.add(screen)
        self.served += 1
        try:
            await self._welcome(screen, hello)
            await self._keep(screen)
        except WebSocketDisconnect:
            pass
        finally:
            self._screens.discard(screen)
            self._wish()

    async def _meet(self, socket: WebSocket) -> tuple[Screen, Hello] | None:
        """None where the client was not let in. Raises WebSocketDisconnect."""
        client = client_of(socket)
        try:
            hello = _parse(await asyncio.wait_for(socket.receive(), HELLO_S))
            if not isinstance(hello, Hello):
                raise ValueError(f"the first message must be 'hello', not {hello.type!r}")
            me = await asyncio.to_thread(self._who, client, hello.token)
        except asyncio.TimeoutError:
            await _close(socket, NO_HELLO, 408, f"no 'hello' within {HELLO_S:g} s")
        except ValueError as problem:
            await _close(socket, BAD_MESSAGES, 400, str(problem))
        except Refused as refused:
            await _close(socket, _code_of(refused), refused.status, refused.text)
        else:
            seen = self._line.events.last
            if hello.after is not None and hello.run == self._line.facts.run:
                seen = min(hello.after, seen)
            return Screen(socket, client, hello.token, me, seen), hello
        return None

    async def _welcome(self, screen: Screen, hello: Hello) -> None:
        """Raises WebSocketDisconnect."""
        ring, run, me = self._line.events, self._line.facts.run, screen.me
        screen.status_seen = self._status_n
        welcome = Welcome(
            api=API_VERSION,
            run=run,
            user=me.user,
            role=me.role.value if me.role is not None else None,
            first=ring.first,
            last=ring.last,
            status=self.status,
        )
        await screen.socket.send_text(welcome.model_dump_json())
        if hello.after is not None and hello.run != run:
            # Of another run's events nothing is known here.
            await screen.socket.send_text(Gap(first=0, last=welcome.last).model_dump_json())

    async def _keep(self, screen: Screen) -> None:
        """Send and receive until one of them ends."""
        tasks = {asyncio.create_task(self._send(screen)), asyncio.create_task(self._receive(screen))}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception) and not isinstance(error, WebSocketDisconnect):
                raise error

    async def _receive(self, screen: Screen) -> None:
        """Raises WebSocketDisconnect."""
        strikes, left, since = 0, float(BURST), time.monotonic()
        while screen.closing is None:
            message = await screen.socket.receive()
            at = time.monotonic()
            left, since = min(BURST, left + (at - since) * MESSAGES_PER_S) - 1, at
            try:
                wish = _parse(message)
                if left < 0:
                    raise ValueError(f"more than {MESSAGES_PER_S:g} messages a second")
                self._obey(screen, wish)
            except ValueError as problem:
                strikes += 1
                if strikes >= STRIKES:
                    screen.end(BAD_MESSAGES, str(problem), 400)
                else:
                    screen.problems.append(StreamProblem(status=400, text=str(problem)))
                    screen.wake.set()
        await asyncio.Event().wait()  # the sender closes

    def _obey(self, screen: Screen, wish: Hello | WatchPreviews | WantEvents) -> None:
        """Raises ValueError."""
        if isinstance(wish, Hello):
            raise ValueError("'hello' comes once, first")
        if isinstance(wish, WantEvents):
            if wish.after > self._line.events.last:
                raise ValueError(f"event {wish.after} is not yet there; the newest is {self._line.events.last}")
            screen.seen = wish.after
        else:
            names = [camera.name for camera in self._line.facts.cameras]
            unknown = [name for name in wish.cameras if name != "*" and name not in names]
            if unknown:
                raise ValueError(f"no camera is called {unknown[0]!r}; there are: {', '.join(names)}")
            wanted = names if "*" in wish.cameras else wish.cameras
            screen.size = (wish.width, wish.quality)
            screen.watched = {name: Watched(wish.rate) for name in wanted}
            at = time.monotonic()
            for name, watched in screen.watched.items():
                if (picture := self._pictures.newest.get(name)) is not None:
                    watched.offer(picture, at)
            self._wish()
        screen.wake.set()

    async def _send(self, screen: Screen) -> None:
        """Raises WebSocketDisconnect."""
        while True:
            screen.wake.clear()
            sent = await self._send_texts(screen)
            if screen.closing is not None and not screen.problems:
                await screen.socket.close(screen.closing)
                return
            sent = await self._send_pictures(screen) or sent
            if not sent:
                await _woken(screen)

    async def _send_texts(self, screen: Screen) -> bool:
        """Problems, the newest status, some events. False where there was nothing to send."""
        texts = [problem.model_dump_json() for problem in screen.problems]
        screen.problems = []
        if screen.closing is None:
            if screen.status_seen != self._status_n:
                screen.status_seen = self._status_n
                texts.append(self._status())
            for item in self._line.events.after(screen.seen, EVENTS_AT_ONCE):
                screen.seen = item.last
                texts.append(item.text)
        for text in texts:
            await screen.socket.send_text(text)
        return bool(texts)

    async def _send_pictures(self, screen: Screen) -> bool:
        """The newest of each camera that is due. False where none was."""
        sent = False
        for watched in list(screen.watched.values()):
            picture = watched.take(time.monotonic())
            if picture is None:
                continue
            message = await self._pictures.message(picture, *screen.size, screen.dropped)
            if message is not None:
                await screen.socket.send_bytes(message)
                sent = True
        return sent

    def _status(self) -> str:
        """Encoded once for everybody."""
        if not self._status_text:
            self._status_text = StatusNote(status=self.status).model_dump_json()
        return self._status_text

    def _wake_all(self) -> None:
        for screen in self._screens:
            screen.wake.set()

    def _wish(self) -> None:
        """Tell the daemon which frames anybody wants."""
        wishes: dict[str, float] = {}
        for screen in self._screens:
            for name, watched in screen.watched.items():
                wishes[name] = max(watched.rate, wishes.get(name, 0.0))
        self._line.watch(wishes)

    # --- logins that end -------------------------------------------------------------------------

    async def watch_logins(self) -> None:
        """For ever: end the connection of whom may no longer see."""
        checked = time.monotonic()
        while True:
            await asyncio.sleep(1.0)
            for screen in self._screens:
                if screen.me.expires is not None and screen.me.expires <= now():
                    screen.end(LOGIN_OVER, "the login has expired; log in again", 401)
            if time.monotonic() - checked >= RECHECK_S:
                checked = time.monotonic()
                await self._recheck()

    async def _recheck(self) -> None:
        for screen in list(self._screens):
            try:
                screen.me = await asyncio.to_thread(self._who, screen.client, screen.token)
            except Refused as refused:
                screen.end(_code_of(refused), refused.text, refused.status)

    def _who(self, client: Client, token: str) -> Me:
        """Raises Refused."""
        return allow(self._gate, identify(self._gate, client, token), Role.VIEWER)


def _code_of(refused: Refused) -> int:
    return NOT_ALLOWED if refused.status == 403 else LOGIN_OVER


def _parse(message: Any) -> Hello | WatchPreviews | WantEvents:
    """An ASGI message. Raises ValueError with a text for the client, WebSocketDisconnect."""
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1006))
    text = message.get("text")
    if text is None:
        raise ValueError("messages to the server are text")
    if len(text) > MAX_CLIENT_MESSAGE or len(text.encode()) > MAX_CLIENT_MESSAGE:
        raise ValueError(f"a message of more than {MAX_CLIENT_MESSAGE} bytes")
    try:
        return parse_client_message(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"not a message of this stream: {where + ': ' if where else ''}{first['msg']}") from None


async def _woken(screen: Screen) -> None:
    """Until something has happened, or a picture is due."""
    at = time.monotonic()
    dues = [due for watched in screen.watched.values() if (due := watched.due_in(at)) is not None]
    timer = asyncio.get_running_loop().call_later(min(dues), screen.wake.set) if dues else None
    try:
        await screen.wake.wait()
    finally:
        if timer is not None:
            timer.cancel()


async def _close(socket: WebSocket, code: int, status: int, text: str) -> None:
    """Before a client was let in: say why, and close."""
    await socket.send_text(StreamProblem(status=status, text=text).model_dump_json())
    await socket.close(code)
