"""All pictures of one part: which camera, boxes on and off, zoom; the sharper copy comes when someone looks closer."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from partsight.gui.calls import Refusal
from partsight.gui.client import Client
from partsight.gui.theme import Look
from partsight.gui.viewer.canvas import Canvas
from partsight.gui.viewer.levels import Levels
from partsight.gui.viewer.loader import OF_THE_SCREEN, Loader, Wanted, copy_width
from partsight.gui.widgets.cards import button
from partsight.gui.widgets.frame_view import ZOOM_STEP, marks_of
from partsight.wire.screen.parts import ImageLink, Part, ViewNote

EVERY_BOX = 0.0
SETTLE_MS = 80


class PartViewer(QWidget):
    """`camera_changed(name)`; `toggled`: boxes on or off; `seen`: a picture is there, or known not to be there.

    What is drawn on the picture is the canvas's.
    """

    camera_changed = Signal(str)
    toggled = Signal()
    seen = Signal()

    def __init__(self, client: Client, canvas: Canvas | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.canvas = canvas or Canvas()
        self.loader = Loader(client, self)
        self.part: Part | None = None
        self.camera = ""
        self.note = ""
        self.is_missing = False
        self._marks_by_viewer = canvas is None
        self._shown: Wanted | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Look.here().px(6))
        column.addWidget(self.canvas, 1)
        column.addWidget(self._tools())
        self._settle = QTimer(self, interval=SETTLE_MS, singleShot=True)
        self._settle.timeout.connect(self._look_closer)
        self.canvas.moved.connect(self._settle.start)
        self.loader.came.connect(self._came)
        self.loader.failed.connect(self._failed)
        for keys, slot in (
            ("B", self.boxes.click),
            ("T", self.weak.click),
            ("C", self.next_camera),
            ("0", self.canvas.reset_zoom),
            ("Z", self.canvas.show_actual),
            ("+", self.zoom_in),
            ("=", self.zoom_in),
            ("-", self.zoom_out),
        ):
            QShortcut(QKeySequence(keys), self).activated.connect(slot)

    def _tools(self) -> QWidget:
        bar = QFrame()
        row = QHBoxLayout(bar)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(Look.here().px(6))
        self._cameras = QHBoxLayout()
        self._cameras.setSpacing(Look.here().px(6))
        self._group = QButtonGroup(self)
        self.camera_buttons: dict[str, QPushButton] = {}
        row.addLayout(self._cameras)
        row.addStretch(1)
        self.boxes = self._switch(self.tr("Boxes"), self.tr("Boxes on or off (B)"), True)
        self.weak = self._switch(self.tr("Weak too"), self.tr("Also the boxes that decided nothing (T)"), False)
        self.smaller = self._small("−", self.tr("Smaller (-)"))
        self.larger = self._small("+", self.tr("Larger (+)"))
        self.whole = self._small(self.tr("Fit"), self.tr("The whole picture (0)"))
        self.actual = self._small("1:1", self.tr("Pixel by pixel (Z)"))
        for made in (self.boxes, self.weak, self.smaller, self.larger, self.whole, self.actual):
            row.addWidget(made)
        self.boxes.toggled.connect(self._toggled)
        self.weak.toggled.connect(self._toggled)
        self.smaller.clicked.connect(self.zoom_out)
        self.larger.clicked.connect(self.zoom_in)
        self.whole.clicked.connect(self.canvas.reset_zoom)
        self.actual.clicked.connect(self.canvas.show_actual)
        self._group.buttonClicked.connect(self._camera_clicked)
        return bar

    def _switch(self, text: str, tip: str, on: bool) -> QPushButton:
        made = self._small(text, tip)
        made.setCheckable(True)
        made.setChecked(on)
        return made

    def _small(self, text: str, tip: str) -> QPushButton:
        made = button(text)
        made.setToolTip(tip)
        made.setAccessibleName(tip)
        # Keys belong to the picture, also after a finger has pressed this.
        made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return made

    # What is shown

    def show_part(self, part: Part | None, text: str = "") -> None:
        """Another part, or the same with more known of it. text: where there is none."""
        same = part is not None and self.part is not None and part.sequence == self.part.sequence
        self.part = part
        if not same:
            self.canvas.clear()
            self._shown = None
            self.note = ""
            self.is_missing = False
        self.canvas.placeholder = text or self.tr("Loading the picture …")
        self.canvas.update()
        cameras = part_cameras(part) if part is not None else ()
        self._fill_cameras(cameras)
        wanted = self.camera if same and self.camera in cameras else _first_seen(part, cameras)
        self.show_camera(wanted)

    def show_camera(self, camera: str) -> None:
        """One of the part's."""
        other = camera != self.camera
        self.camera = camera
        if camera in self.camera_buttons:
            self.camera_buttons[camera].setChecked(True)
        if other:
            self.canvas.clear()
            self._shown = None
        if self.part is not None:
            self._load()
        self.show_marks()
        self.camera_changed.emit(camera)

    def next_camera(self) -> None:
        """C: round and round."""
        names = list(self.camera_buttons)
        if len(names) > 1:
            self.show_camera(names[(names.index(self.camera) + 1) % len(names)])

    def view(self) -> ViewNote | None:
        """What the station saw by this camera."""
        views = self.part.views if self.part is not None else ()
        return next((view for view in views if view.camera == self.camera), None)

    def link(self) -> ImageLink | None:
        """The kept picture: the original, else the one with boxes in it."""
        return _link(self.part, self.camera)

    def frame_size(self) -> tuple[int, int] | None:
        """Of this camera's picture; None where the station did not measure it."""
        view = self.view()
        return (view.width, view.height) if view is not None and view.width and view.height else None

    def show_marks(self) -> None:
        """The model's boxes; where a person may draw, the canvas has its own."""
        self.canvas.set_marks_shown(self.boxes.isChecked())
        if not self._marks_by_viewer or self.part is None:
            return
        view = self.view()
        marks = marks_of(view.boxes if view is not None else (), self.part.findings, self.camera, EVERY_BOX)
        if not self.weak.isChecked():
            marks = tuple(mark for mark in marks if mark.tone != "quiet")
        self.canvas.set_marks(marks)

    def prefetch(self, part: Part) -> None:
        """So that it is there when its turn comes."""
        for camera in part_cameras(part)[:1]:
            link = _link(part, camera)
            if link is not None:
                wanted = Wanted(link.path, self._width())
                if self.loader.find(wanted) is None:
                    self.loader.want(wanted)

    def zoom_in(self) -> None:
        """+"""
        self.canvas.zoom_middle(ZOOM_STEP)

    def zoom_out(self) -> None:
        """-"""
        self.canvas.zoom_middle(1 / ZOOM_STEP)

    # Loading

    def _width(self) -> int:
        return copy_width(self.canvas.width() * self.canvas.devicePixelRatioF())

    def _load(self) -> None:
        link = self.link()
        if link is None:
            self.is_missing = True
            self._say(self.tr("The picture of this part was not kept."))
            return
        self._want(Wanted(link.path, self._width()))

    def _want(self, wanted: Wanted) -> None:
        if self._shown == wanted:
            return
        found = self.loader.find(wanted)
        if found is not None:
            self._put(wanted, found)
        else:
            self.loader.want(wanted)

    def _look_closer(self) -> None:
        """The zoom shows that the copy is too coarse: the file itself, or its largest copy."""
        link = self.link()
        if link is None or self._shown is None or not self.canvas.is_too_coarse():
            return
        tried_exact = self._shown.width in {None, OF_THE_SCREEN[-1]}
        if not tried_exact:
            self._want(Wanted(link.path, None))

    def _came(self, wanted: Wanted, levels: Levels) -> None:
        link = self.link()
        if link is not None and wanted.path == link.path:
            self._put(wanted, levels)

    def _put(self, wanted: Wanted, levels: Levels) -> None:
        have = self.canvas.levels()
        if have is not None and have.size.width() > levels.size.width():
            return
        if have is not None and wanted.width is None and levels.grey and not have.grey:
            # The kept file is a raw one, whose colours the station mixes: its largest copy instead.
            self._want(Wanted(wanted.path, OF_THE_SCREEN[-1]))
            return
        first, self._shown = self._shown is None, wanted
        width, height = self.frame_size() or (levels.size.width(), levels.size.height())
        self.canvas.set_levels(levels, width, height)
        self.note = ""
        self.show_marks()
        self._settle.start()
        if first:
            self.seen.emit()

    def _failed(self, wanted: Wanted, refusal: Refusal) -> None:
        link = self.link()
        if link is None or wanted.path != link.path or self.canvas.has_picture():
            return
        if refusal.status == 404:
            self.is_missing = True
            self._say(self.tr("The picture of this part is not kept any more."))
        else:
            self._say(str(refusal))

    def retry(self) -> None:
        """The station is back: what could not be loaded is asked for again."""
        if self.part is not None and not self.canvas.has_picture():
            self._load()

    def _say(self, text: str) -> None:
        self.note = text
        self.canvas.placeholder = text
        self.canvas.update()
        if self.is_missing:
            self.seen.emit()

    # Buttons

    def _toggled(self, _on: bool) -> None:
        self.show_marks()
        self.toggled.emit()

    def _camera_clicked(self, clicked: QPushButton) -> None:
        self.show_camera(clicked.text())

    def _fill_cameras(self, cameras: tuple[str, ...]) -> None:
        if tuple(self.camera_buttons) == cameras:
            return
        for made in self.camera_buttons.values():
            self._group.removeButton(made)
            self._cameras.removeWidget(made)
            made.deleteLater()
        self.camera_buttons = {}
        for camera in cameras:
            made = self._switch(camera, self.tr("Camera {name} (C)").format(name=camera), False)
            made.setVisible(len(cameras) > 1)
            self._group.addButton(made)
            self._cameras.addWidget(made)
            self.camera_buttons[camera] = made


def part_cameras(part: Part) -> tuple[str, ...]:
    """In the order of the views; a camera that is only in the images comes last."""
    names = [view.camera for view in part.views] + [link.camera for link in part.images]
    return tuple(dict.fromkeys(names))


def _link(part: Part | None, camera: str) -> ImageLink | None:
    links = [link for link in part.images if link.camera == camera] if part is not None else []
    return next((link for link in links if link.kind == "original"), links[0] if links else None)


def _first_seen(part: Part | None, cameras: tuple[str, ...]) -> str:
    """The camera whose picture speaks against the part."""
    found = [finding.camera for finding in part.findings if finding.camera in cameras] if part is not None else []
    return found[0] if found else (cameras[0] if cameras else "")
