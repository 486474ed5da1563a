"""How everything is: cameras, model, the ways out to the line, disk. Each with a shape and a word."""

from __future__ import annotations

import math

from PySide6.QtWidgets import QGridLayout, QWidget

from partsight.gui.signs import Sign
from partsight.gui.theme import Look
from partsight.gui.widgets.cards import Tile
from partsight.gui.words import CAMERA_SIGN, bytes_word, camera_word, count_word
from partsight.wire.screen.station import CameraNote, DiskNote, OutputNote, StationNote

OUTPUT_NAMES = {"mqtt": "MQTT", "modbus": "Modbus", "opcua": "OPC UA", "sparkplug": "Sparkplug", "gpio": "GPIO"}
TILE_WIDTH = 150


class Tiles(QWidget):
    """A tile for each thing; as many in a row as have room."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tiles: dict[str, Tile] = {}
        self._columns = 0
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(Look.here().px(6))

    def show_status(self, note: StationNote) -> None:
        """All tiles."""
        wanted = (
            *(f"camera/{camera.name}" for camera in note.cameras),
            "model",
            *(f"output/{output.name}" for output in note.outputs),
            "disk",
        )
        if wanted != tuple(self.tiles):
            self._make(wanted)
        for camera in note.cameras:
            self._camera(self.tiles[f"camera/{camera.name}"], camera)
        self._model(self.tiles["model"], note)
        for output in note.outputs:
            self._output(self.tiles[f"output/{output.name}"], output)
        self._disk(self.tiles["disk"], note.disk)

    def _make(self, wanted: tuple[str, ...]) -> None:
        for tile in self.tiles.values():
            self._grid.removeWidget(tile)
            tile.deleteLater()
        self.tiles = {key: Tile(self._name(key)) for key in wanted}
        self._columns = 0
        self._lay_out()

    def _name(self, key: str) -> str:
        kind, _, name = key.partition("/")
        return {
            "camera": self.tr("Camera {name}").format(name=name),
            "model": self.tr("Model"),
            "output": OUTPUT_NAMES.get(name, name),
            "disk": self.tr("Disk"),
        }[kind]

    def resizeEvent(self, event: object) -> None:  # noqa: N802 (Qt's name)
        """Qt's."""
        self._lay_out()

    def _lay_out(self) -> None:
        if not self.tiles:
            return
        room = max(1, self.width() // Look.here().px(TILE_WIDTH))
        # Full rows alike, not a row with a rest under it.
        columns = math.ceil(len(self.tiles) / math.ceil(len(self.tiles) / room))
        if columns == self._columns:
            return
        for i in range(self._columns):
            self._grid.setColumnStretch(i, 0)
        self._columns = columns
        for i, tile in enumerate(self.tiles.values()):
            self._grid.addWidget(tile, i // columns, i % columns)
        for i in range(columns):
            self._grid.setColumnStretch(i, 1)

    def _camera(self, tile: Tile, camera: CameraNote) -> None:
        lost = self.tr("{n} dropped").format(n=count_word(camera.dropped + camera.incomplete))
        tile.show_state(CAMERA_SIGN.get(camera.state, Sign.IDLE), camera_word(camera.state), camera.error or lost)

    def _model(self, tile: Tile, note: StationNote) -> None:
        if note.model:
            tile.show_state(Sign.GOOD, note.model.split()[0], note.backend)
        else:
            tile.show_state(Sign.BAD, self.tr("None"))

    def _output(self, tile: Tile, output: OutputNote) -> None:
        if output.problem:
            sign = Sign.WARN if output.connected else Sign.BAD
            word = self.tr("Connected") if output.connected else self.tr("No connection")
            tile.show_state(sign, word, output.problem)
        elif output.connected:
            tile.show_state(Sign.GOOD, self.tr("Connected"))
        else:
            tile.show_state(Sign.BAD, self.tr("No connection"))

    def _disk(self, tile: Tile, disk: DiskNote | None) -> None:
        if disk is None:
            tile.show_state(Sign.IDLE, self.tr("Unknown"))
            return
        free = self.tr("{size} free").format(size=bytes_word(disk.free_bytes))
        used = self.tr("images {size}").format(size=bytes_word(disk.images_bytes))
        tile.show_state(Sign.BAD if disk.problem else Sign.GOOD, free, disk.problem or used)
