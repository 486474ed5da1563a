"""Kept pictures, fetched and decoded in the background; the ones that were wanted last stay in memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QObject, Qt, QThreadPool, Signal
from shiboken6 import isValid

from partsight.gui.calls import Refusal
from partsight.gui.client import Client
from partsight.gui.viewer.levels import Levels, read_levels

CACHE_BYTES = 48 << 20
FETCH_S = 20.0
OF_THE_SCREEN = (640, 1280, 1920, 2560, 4096)
"""Widths that are asked for: few, so that the station has made most of them before."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture of a part. width: of the copy, None for the file as it is kept."""

    path: str
    width: int | None


def copy_width(pixels: float) -> int:
    """The width to ask for, where so many pixels of the screen are filled."""
    return next((width for width in OF_THE_SCREEN if width >= pixels), OF_THE_SCREEN[-1])


class _Decoder(QObject):
    """Lives as long as the client, so that a picture may come when the page that wanted it is gone."""

    made = Signal(object, object)
    """Wanted, Levels or None"""


class Loader(QObject):
    """`came(Wanted, Levels)`, `failed(Wanted, Refusal)`.

    Where the file itself is no picture for people, its largest copy comes in its place.
    """

    came = Signal(object, object)
    failed = Signal(object, object)

    def __init__(self, client: Client, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._client = client
        self._under_way: set[Wanted] = set()
        self._kept: OrderedDict[Wanted, Levels] = OrderedDict()
        found = client.findChild(_Decoder)
        self._decoder = found if found is not None else _Decoder(client)
        self._decoder.made.connect(self._take, Qt.ConnectionType.QueuedConnection)

    @property
    def held_bytes(self) -> int:
        """More than CACHE_BYTES only for one picture that is larger."""
        return sum(levels.bytes for levels in self._kept.values())

    def find(self, wanted: Wanted) -> Levels | None:
        """At once, where it is here."""
        found = self._kept.get(wanted)
        if found is not None:
            self._kept.move_to_end(wanted)
        return found

    def want(self, wanted: Wanted) -> None:
        """`came` or `failed` follows, unless it is on its way already."""
        if wanted in self._under_way:
            return
        self._under_way.add(wanted)
        self._client.call(
            "GET",
            wanted.path,
            answer=bytes,
            params={"width": wanted.width},
            then=partial(self._decode, wanted),
            failed=partial(self._refused, wanted),
            owner=self,
            timeout_s=FETCH_S,
        )

    def _decode(self, wanted: Wanted, content: bytes) -> None:
        decoder = self._decoder

        def work() -> None:
            levels = read_levels(content, exact=wanted.width is None)
            if isValid(decoder):
                decoder.made.emit(wanted, levels)

        QThreadPool.globalInstance().start(work)

    def _take(self, wanted: Wanted, levels: Levels | None) -> None:
        if wanted not in self._under_way:
            return
        self._under_way.discard(wanted)
        if levels is not None:
            self._keep(wanted, levels)
            self.came.emit(wanted, levels)
        elif wanted.width is None:
            self.want(Wanted(wanted.path, OF_THE_SCREEN[-1]))
        else:
            text = self.tr("{path} is no picture that this screen can show.").format(path=wanted.path)
            self.failed.emit(wanted, Refusal(200, text))

    def _refused(self, wanted: Wanted, refusal: Refusal) -> None:
        self._under_way.discard(wanted)
        self.failed.emit(wanted, refusal)

    def _keep(self, wanted: Wanted, levels: Levels) -> None:
        self._kept[wanted] = levels
        self._kept.move_to_end(wanted)
        while len(self._kept) > 1 and self.held_bytes > CACHE_BYTES:
            self._kept.popitem(last=False)
