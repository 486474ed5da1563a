"""The line view as a whole: verdict over the width; pictures and tiles; figures and buttons at the right."""

from __future__ import annotations

from pydantic import ValidationError
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from partsight.gui.client import Client
from partsight.gui.line.actions import Actions
from partsight.gui.line.cameras import CameraGrid
from partsight.gui.line.numbers import Numbers
from partsight.gui.line.tiles import Tiles
from partsight.gui.line.verdict import VerdictBand
from partsight.gui.page import Page
from partsight.gui.theme import Look
from partsight.wire.screen.parts import PartPage, PartRow
from partsight.wire.screen.station import StationNote
from partsight.wire.screen.stream import EventNote, Gap, Welcome

SIDE_WIDTH = 260


class LinePage(Page):
    """What an operator looks at all day."""

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__(client, parent)
        look = Look.here()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(*(look.px(10),) * 4)
        outer.setSpacing(look.px(8))
        self.verdict = VerdictBand()
        outer.addWidget(self.verdict)
        row = QHBoxLayout()
        row.setSpacing(look.px(8))
        outer.addLayout(row, 1)
        left = QVBoxLayout()
        left.setSpacing(look.px(8))
        row.addLayout(left, 1)
        self.cameras = CameraGrid(client)
        self.tiles = Tiles()
        left.addWidget(self.cameras, 1)
        left.addWidget(self.tiles)
        row.addWidget(self._side(client, look))
        client.status.connect(self._show)
        client.link_changed.connect(self._show_link)
        client.happened.connect(self._take_event)
        client.gap.connect(self._reload)
        client.welcome.connect(self._reload)
        if client.note is not None:
            self._show(client.note)
            self._reload()

    def _side(self, client: Client, look: Look) -> QWidget:
        side = QWidget()
        side.setFixedWidth(look.px(SIDE_WIDTH))
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.px(8))
        self.numbers = Numbers()
        scroll = QScrollArea(widgetResizable=True)
        scroll.setWidget(self.numbers)
        # Figures shrink where they have no room; sideways nobody looks for one.
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setMinimumHeight(look.px(120))
        self.actions_ = Actions(client)
        column.addWidget(scroll, 1)
        column.addWidget(self.actions_)
        return side

    def opened(self) -> None:
        """Pictures, please."""
        self.cameras.begin()

    def closed(self) -> None:
        """No pictures while another page is shown."""
        self.cameras.end()

    def _show(self, note: StationNote) -> None:
        self.verdict.set_station(note, self.client.link)
        self.numbers.show_status(note)
        self.tiles.show_status(note)

    def _show_link(self, _link: object) -> None:
        self.verdict.set_station(self.client.note, self.client.link)

    def _take_event(self, event: EventNote) -> None:
        if event.kind != "finished":
            return
        try:
            part = PartRow.model_validate(event.data)
        except ValidationError as error:
            self.client.problem.emit(
                self.tr("A part of the station could not be read: {why}").format(why=error.errors()[0]["msg"])
            )
            return
        newest = self.verdict.part()
        if newest is None or part.sequence >= newest.sequence:
            self.verdict.set_part(part)

    def _reload(self, _what: Gap | Welcome | None = None) -> None:
        """The newest part is in the records, where its event was missed."""
        self.client.call("GET", "records", params={"limit": 1}, answer=PartPage, then=self._newest, failed=self._none)

    def _newest(self, page: PartPage) -> None:
        if page.parts:
            newest = self.verdict.part()
            if newest is None or page.parts[0].sequence >= newest.sequence:
                self.verdict.set_part(page.parts[0])

    def _none(self, _refusal: object) -> None:
        """Nothing to show yet: the next part brings its own event."""
