"""The gallery's rows and their small pictures."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QImage

from partsight.gui.calls import Refusal
from partsight.gui.client import Client
from partsight.gui.rejects.feed import KEPT_ROWS
from partsight.gui.words import local_time, reason_word, result_word
from partsight.wire.screen.parts import PartRow

Index = QModelIndex | QPersistentModelIndex
ROW = Qt.ItemDataRole.UserRole
THUMB_WIDTH = 320
CACHE_BYTES = 40 << 20
AT_ONCE = 3
WAITING = 80
"""Small pictures that are asked for; those wanted first, which are out of sight by now, give way."""


class Thumbnails(QObject):
    """Small pictures, asked for when they come into view. `came(sequence)`."""

    came = Signal(int)

    def __init__(self, client: Client, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._client = client
        self._kept: OrderedDict[int, QImage] = OrderedDict()
        self._bytes = 0
        self._waiting: OrderedDict[int, str] = OrderedDict()
        self._under_way: set[int] = set()
        self._gone: dict[int, str] = {}

    @property
    def held_bytes(self) -> int:
        """Never more than CACHE_BYTES."""
        return self._bytes

    def get(self, row: PartRow) -> QImage | None:
        """The picture where it is here; else it is asked for, and `came` follows."""
        image = self._kept.get(row.sequence)
        if image is not None:
            self._kept.move_to_end(row.sequence)
            return image
        path = thumb_path(row)
        if path and row.sequence not in self._under_way and row.sequence not in self._gone:
            self._waiting[row.sequence] = path
            self._waiting.move_to_end(row.sequence)
            while len(self._waiting) > WAITING:
                self._waiting.popitem(last=False)
            self._ask()
        return None

    def is_gone(self, row: PartRow) -> bool:
        """No picture was kept, or it is not there any more."""
        return not row.images or row.sequence in self._gone

    def try_again(self) -> None:
        """The station is back: what could not be loaded may come now."""
        self._gone.clear()

    def _ask(self) -> None:
        while self._waiting and len(self._under_way) < AT_ONCE:
            # The newest wish first: it is what is seen now.
            sequence, path = self._waiting.popitem(last=True)
            self._under_way.add(sequence)
            self._client.fetch_image(
                path,
                partial(self._take, sequence),
                width=THUMB_WIDTH,
                failed=partial(self._refused, sequence),
                owner=self,
            )

    def _take(self, sequence: int, image: QImage) -> None:
        self._under_way.discard(sequence)
        self._kept[sequence] = image
        self._bytes += image.sizeInBytes()
        while self._bytes > CACHE_BYTES:
            _, old = self._kept.popitem(last=False)
            self._bytes -= old.sizeInBytes()
        self.came.emit(sequence)
        self._ask()

    def _refused(self, sequence: int, refusal: Refusal) -> None:
        self._under_way.discard(sequence)
        self._gone[sequence] = str(refusal)
        while len(self._gone) > KEPT_ROWS:
            self._gone.pop(next(iter(self._gone)))
        self.came.emit(sequence)
        self._ask()


def thumb_path(row: PartRow) -> str:
    """The picture with the boxes in it says more in a small card; "" where none was kept."""
    overlay = next((link for link in row.images if link.kind == "overlay"), None)
    link = overlay or (row.images[0] if row.images else None)
    return link.path if link is not None else ""


class PartModel(QAbstractListModel):
    """Rows, newest first."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[PartRow] = []

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: N802, B008 (Qt's name and form)
        """Qt's."""
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Qt's; the row itself, and a line of text for screen readers."""
        if not index.isValid() or not 0 <= index.row() < len(self.rows):
            return None
        row = self.rows[index.row()]
        if role == ROW:
            return row
        if role in {Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole}:
            words = (result_word(row.result), reason_word(row.code, row.reason), row.part_id, local_time(row.at))
            return ", ".join(word for word in words if word)
        return None

    def set_rows(self, rows: list[PartRow]) -> None:
        """All others."""
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def put_on_top(self, rows: list[PartRow]) -> None:
        """rows: newest first."""
        self.beginInsertRows(QModelIndex(), 0, len(rows) - 1)
        self.rows[:0] = rows
        self.endInsertRows()

    def put_below(self, rows: list[PartRow]) -> None:
        """rows: newest first, all older than what is here."""
        known = self.rows[-1].sequence if self.rows else None
        rows = [row for row in rows if known is None or row.sequence < known]
        if rows:
            self.beginInsertRows(QModelIndex(), len(self.rows), len(self.rows) + len(rows) - 1)
            self.rows += rows
            self.endInsertRows()

    def cut(self, count: int) -> int | None:
        """Keep so many of the newest; the sequence that is the last now, None where nothing had to go."""
        if len(self.rows) <= count:
            return None
        self.beginRemoveRows(QModelIndex(), count, len(self.rows) - 1)
        del self.rows[count:]
        self.endRemoveRows()
        return self.rows[-1].sequence

    def change(self, sequence: int, changes: dict[str, Any]) -> PartRow | None:
        """More is known of a part; the row as it is now, None where it is not here."""
        at = self.find(sequence)
        if at is None:
            return None
        self.rows[at] = self.rows[at].model_copy(update=changes)
        self.touch(sequence)
        return self.rows[at]

    def find(self, sequence: int) -> int | None:
        """Where a part is."""
        return next((at for at, row in enumerate(self.rows) if row.sequence == sequence), None)

    def touch(self, sequence: int) -> None:
        """Paint it anew."""
        at = self.find(sequence)
        if at is not None:
            self.dataChanged.emit(self.index(at), self.index(at))
