"""The real window, offscreen, on the real API's process; the test plays the daemon's end of the link, or runs one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest
from pydantic import JsonValue
from PySide6.QtCore import QEvent, QSettings
from PySide6.QtWidgets import QApplication, QWidget
from tests.api.conftest import PASSWORD
from tests.api.rig import Rig, note, open_rig

from partsight.api.channel import ReplyMessage, RequestMessage, WatchMessage
from partsight.api.people import Author, People
from partsight.domain.frame import Grab, PixelFormat
from partsight.gui.client import Client
from partsight.gui.garbage import Collector
from partsight.gui.language import Language, Languages
from partsight.gui.theme import Look, ThemeName
from partsight.gui.window import Options, Window
from partsight.wire.screen.message import now
from partsight.wire.screen.people import Role
from partsight.wire.screen.station import CameraNote

SCREENS = Path(__file__).parent / "screens"
PLAIN_ANSWERS: dict[str, JsonValue] = {
    "faults": {"standing": [], "over": []},
    "command": {"ok": True, "code": 0, "text": ""},
}
Handler = Callable[[RequestMessage], JsonValue]


@dataclass
class Line:
    """The daemon's end of a real API process: what it is told is shown, what screens ask comes to `requests`.

    answers: by op; an op that is not in it gets a plain answer.
    """

    rig: Rig
    folder: Path
    answers: dict[str, Handler] = field(default_factory=dict)
    requests: list[RequestMessage] = field(default_factory=list)
    wishes: list[dict[str, float]] = field(default_factory=list)
    stays: dict[str, Any] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _silent: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _numbers: int = 0

    @property
    def url(self) -> str:
        return self.rig.door.url

    def say(self, **changes: Any) -> None:
        """The status from now on."""
        self.stays = changes
        with self._lock:
            self.rig.status(**changes)

    def begin_anew(self) -> None:
        """As at first."""
        self.be_silent(False)
        for kept in (self.answers, self.requests, self.wishes):
            kept.clear()
        self.say()

    def be_silent(self, silent: bool = True) -> None:
        """No status any more: the daemon hangs."""
        (self._silent.set if silent else self._silent.clear)()

    def finish(self, result: str = "OK", **changes: JsonValue) -> dict[str, JsonValue]:
        """A part was judged."""
        self._numbers += 1
        part: dict[str, JsonValue] = {
            "sequence": self._numbers,
            "id": self._numbers,
            "epoch": 1,
            "uid": f"uid-{self._numbers}",
            "part_id": f"PCB-{4710 + self._numbers}",
            "at": now().isoformat(),
            "result": result,
            "action": "pass" if result == "OK" else "reject",
            "recipe": "there@1",
            "mode": "PRODUCTION",
            "verdict_ms": 23.4,
            **changes,
        }
        with self._lock:
            self.rig.event("finished", **part)
        return part

    def show(self, camera: str, pixels: np.ndarray, **header: Any) -> None:
        """A picture of a camera."""
        grab = Grab(pixels, PixelFormat.BGR8, 8)
        with self._lock:
            self.rig.show(camera, grab, **header)

    def add_user(self, name: str, role: Role) -> None:
        """Somebody who can log in with PASSWORD."""
        people = People(self.folder)
        if people.empty() and role is not Role.ADMINISTRATOR:
            people.add("root", Role.ADMINISTRATOR, PASSWORD, Author("test", "test"))
        people.add(name, role, PASSWORD, Author("test", "test"))

    def run(self) -> None:
        """The thread: a status twice a second, and answers."""
        while not self._over.is_set():
            message = self.rig.channel.receive(0.3)
            if isinstance(message, RequestMessage):
                self.requests.append(message)
                handler = self.answers.get(message.op)
                data = handler(message) if handler is not None else PLAIN_ANSWERS.get(message.op)
                with self._lock:
                    self.rig.tell(ReplyMessage(rid=message.rid, ok=True, data=data))
            elif isinstance(message, WatchMessage):
                self.wishes.append(message.cameras)
            if not self._silent.is_set():
                with self._lock:
                    self.rig.status(**self.stays)

    def close(self) -> None:
        self._over.set()


@contextmanager
def open_line(folder: Path, ca: Path | None = None, **settings: JsonValue) -> Iterator[Line]:
    """An API whose daemon is the test. ca: the plant's authority, where it speaks TLS."""
    with open_rig(folder, ca, **settings) as rig:
        line = Line(rig, folder)
        thread = threading.Thread(target=line.run, name="line")
        thread.start()
        try:
            yield line
        finally:
            line.close()
            thread.join()


@pytest.fixture(scope="package", autouse=True)
def collector(qapp: QApplication) -> Iterator[None]:
    """As in the program: garbage of Qt's objects is collected in the window's thread only."""
    made = Collector(qapp)
    yield
    made.stop()
    made.deleteLater()


@pytest.fixture(scope="module")
def shared_line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One process for a file's tests."""
    with open_line(tmp_path_factory.mktemp("line")) as made:
        yield made


@pytest.fixture
def line(shared_line: Line) -> Line:
    """An API without users, whose daemon is the test."""
    shared_line.begin_anew()
    return shared_line


@pytest.fixture(scope="module")
def shared_staffed_line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """Another process for a file's tests."""
    with open_line(tmp_path_factory.mktemp("staffed")) as made:
        for role in reversed(Role):
            made.add_user(role.value, role)
        yield made


@pytest.fixture
def staffed_line(shared_staffed_line: Line) -> Line:
    """An API with a user of each role: viewer, operator, engineer, administrator, who share PASSWORD."""
    shared_staffed_line.begin_anew()
    return shared_staffed_line


@dataclass
class Screen:
    """A window and its client."""

    window: Window
    client: Client

    def find(self, kind: type[QWidget], key: str = "") -> Any:
        """The one widget of this class in the window, or on a page."""
        where = self.window.page(key) if key else self.window
        found = where.findChildren(kind)
        assert len(found) == 1, found
        return found[0]

    def shoot(self, name: str) -> Path:
        """A picture of the window, for people to look at."""
        SCREENS.mkdir(exist_ok=True)
        path = SCREENS / f"{name}.png"
        QApplication.processEvents()
        assert self.window.grab().save(str(path))
        return path


@pytest.fixture
def open_screen(qapp: QApplication, tmp_path: Path) -> Iterator[Callable[..., Screen]]:
    """`open_screen(url, size=(1024, 768), theme="dark", language="en", **options)`: a window that is shown."""
    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, str(tmp_path))
    opened: list[Screen] = []
    languages = Languages(qapp)

    def open_(
        url: str,
        size: tuple[int, int] = (1024, 768),
        theme: ThemeName = "dark",
        language: Language = "en",
        ca: Path | None = None,
        **options: Any,
    ) -> Screen:
        qapp.setStyle("Fusion")
        look = qapp.findChild(Look, "look") or Look(qapp)
        look.set_theme(theme)
        look.fit(*size)
        languages.use(language)
        client = Client(url, ca)
        window = Window(client, languages, Options(**options))
        window.resize(*size)
        window.show()
        client.start()
        opened.append(Screen(window, client))
        return opened[-1]

    yield open_
    for screen in opened:
        screen.client.close()
        screen.window.close()
        screen.window.deleteLater()
    languages.use("en")
    qapp.processEvents()
    # Now, as there is no event loop that would see to it: a later test's style would be laid on all old windows too.
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def camera_notes(*names: str, **states: str) -> tuple[CameraNote, ...]:
    """Cameras that stream, or are as `states` says."""
    return tuple(CameraNote(name=name, state=states.get(name, "streaming")) for name in names)


__all__ = ["Line", "Screen", "camera_notes", "note", "open_line"]
