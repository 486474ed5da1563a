"""The regions of one view: picture, list, and what each one is for."""

from __future__ import annotations

import re
from collections.abc import Mapping

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QImage, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QVBoxLayout,
    QWidget,
)

from partsight.gui.calls import Refusal
from partsight.gui.client import Client
from partsight.gui.recipe.canvas import RegionCanvas
from partsight.gui.recipe.draft import Draft
from partsight.gui.theme import Look
from partsight.gui.widgets.cards import allow, button, text_label
from partsight.wire.screen.parts import PartPage
from partsight.wire.screen.recipes import RegionSetting

ANY = "*"
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
TOOLS_WIDTH = 196
REFERENCE, LAST = "reference", "last"


class RegionPanel(QWidget):
    """`changed(camera, regions, what)` and `let_go`, as for the classes."""

    changed = Signal(str, object, str)
    let_go = Signal()

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._client = client
        self._draft: Draft | None = None
        self._shown = ("", "", "")
        self._may, self._reason = False, ""
        look = Look.here()
        self.camera, self.source = QComboBox(), QComboBox()
        self.camera.setAccessibleName(self.tr("View"))
        self.source.setAccessibleName(self.tr("Picture"))
        self.canvas = RegionCanvas()
        self.canvas.placeholder = self.tr("No picture")
        self.canvas.setMinimumSize(look.px(200), look.px(200))
        self.hint = text_label("", "small", wrap=True)
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Regions"))
        self.name = QLineEdit(maxLength=64)
        self.name.setAccessibleName(self.tr("Name"))
        self.kind = QComboBox()
        self.kind.setAccessibleName(self.tr("What it is for"))
        self.kind.addItem(self.tr("Inspect"), "inspect")
        self.kind.addItem(self.tr("Ignore"), "ignore")
        self.classes = QListWidget()
        self.classes.setAccessibleName(self.tr("Only for these classes"))
        self.draw = button(self.tr("Draw region"), "primary")
        self.draw.setCheckable(True)
        self.delete = button(self.tr("Delete"), "danger")
        self.mistake = text_label("", "bad", wrap=True)
        self.mistake.hide()
        self._arrange(look)
        self._connect()

    def _arrange(self, look: Look) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(look.px(8))
        left = QVBoxLayout()
        left.setSpacing(look.px(6))
        above = QHBoxLayout()
        above.setSpacing(look.px(6))
        above.addWidget(self.camera, 1)
        above.addWidget(self.source, 1)
        left.addLayout(above)
        left.addWidget(self.canvas, 1)
        left.addWidget(self.hint)
        row.addLayout(left, 1)
        tools = QWidget()
        tools.setFixedWidth(look.px(TOOLS_WIDTH))
        column = QVBoxLayout(tools)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.px(6))
        column.addWidget(self.draw)
        column.addWidget(self.list, 2)
        form = QGridLayout()
        form.setSpacing(look.px(6))
        form.addWidget(self.name, 0, 0, 1, 2)
        form.addWidget(self.kind, 1, 0, 1, 2)
        column.addLayout(form)
        column.addWidget(text_label(self.tr("Only for these classes (none: all)"), "small", wrap=True))
        column.addWidget(self.classes, 2)
        column.addWidget(self.delete)
        column.addWidget(self.mistake)
        row.addWidget(tools)

    def _connect(self) -> None:
        self.camera.currentIndexChanged.connect(self._show_camera)
        self.source.currentIndexChanged.connect(self._load)
        self.canvas.edited.connect(self._edited)
        self.canvas.chosen.connect(self._chosen)
        self.canvas.let_go.connect(self.let_go)
        self.canvas.drawing_ended.connect(self._drawing_ended)
        self.list.currentRowChanged.connect(self._row_chosen)
        self.name.editingFinished.connect(self._rename)
        self.kind.activated.connect(self._set_kind)
        self.classes.itemChanged.connect(self._set_classes)
        self.draw.clicked.connect(self._draw)
        self.delete.clicked.connect(self._delete)

    # Showing

    def show_draft(self, draft: Draft) -> None:
        """The draft as it is now."""
        other = self._draft is None or self._draft.base.name != draft.base.name
        self._draft = draft
        if other or [self.camera.itemData(i) for i in range(self.camera.count())] != list(draft.now.regions):
            self._fill_choices(draft)
        self.canvas.set_regions(self._regions())
        self._show_list()
        self._load()

    def _fill_choices(self, draft: Draft) -> None:
        with QSignalBlocker(self.camera), QSignalBlocker(self.source):
            self.camera.clear()
            for camera in draft.now.regions:
                self.camera.addItem(self.tr("All other cameras") if camera == ANY else camera, camera)
            self.source.clear()
            if draft.base.reference:
                self.source.addItem(self.tr("Reference picture"), REFERENCE)
            self.source.addItem(self.tr("Last part"), LAST)
        if self.camera.count() == 1 and self.camera.itemData(0) == ANY:
            self.camera.setItemText(0, self.tr("All cameras"))

    def view(self) -> str:
        """The chosen view's camera, `*` for all that have none of their own."""
        return str(self.camera.currentData() or "")

    def set_right(self, may: bool, reason: str) -> None:
        """Whether regions may be changed."""
        self._may, self._reason = may, reason
        self.canvas.editable = may
        self._show_tools()

    def show_mistakes(self, mistakes: tuple[str, ...]) -> None:
        """What the station said against the regions."""
        self.mistake.setText("\n".join(mistakes))
        self.mistake.setVisible(bool(mistakes))

    def _regions(self) -> tuple[RegionSetting, ...]:
        return self._draft.now.regions.get(self.view(), ()) if self._draft is not None else ()

    def _current(self) -> RegionSetting | None:
        index, regions = self.canvas.current, self._regions()
        return regions[index] if index is not None and index < len(regions) else None

    def _show_camera(self) -> None:
        self.canvas.choose(None)
        self.canvas.set_regions(self._regions())
        self._show_list()
        self._load()

    def _show_list(self) -> None:
        with QSignalBlocker(self.list):
            self.list.clear()
            for region in self._regions():
                self.list.addItem(f"{self._kind_word(region.kind)}: {region.name}")
            self.list.setCurrentRow(-1 if self.canvas.current is None else self.canvas.current)
        self._show_tools()

    def _kind_word(self, kind: str) -> str:
        return self.tr("Inspect") if kind == "inspect" else self.tr("Ignore")

    def _show_tools(self) -> None:
        region = self._current()
        may, reason = self._may, self._reason
        allow(self.draw, may and self.canvas.has_picture(), reason or self.tr("There is no picture to draw on."))
        none = self.tr("Choose a region first.")
        for widget in (self.name, self.kind, self.classes, self.delete):
            allow(widget, may and region is not None, none if may else reason)
        with QSignalBlocker(self.name), QSignalBlocker(self.kind):
            self.name.setText(region.name if region is not None else "")
            self.name.setPlaceholderText(self.tr("Name"))
            self.kind.setCurrentIndex(max(0, self.kind.findData(region.kind if region is not None else "inspect")))
        self._show_classes(region)
        if self.canvas.drawn is not None:
            self.hint.setText(self.tr("Tap the corners one by one, the first one again to close. Esc: not this one."))
        elif not self._regions():
            self.hint.setText(self.tr("No region: the whole picture is inspected."))
        else:
            self.hint.setText(self.tr("Drag corners, edges or the whole region. Delete removes a corner or a region."))

    def _show_classes(self, region: RegionSetting | None) -> None:
        names = list(self._draft.now.classes) if self._draft is not None else []
        with QSignalBlocker(self.classes):
            # Never cleared while one of its own items speaks.
            if [self.classes.item(row).text() for row in range(self.classes.count())] != names:
                self.classes.clear()
                self.classes.addItems(names)
            for row, name in enumerate(names):
                on = region is not None and name in region.classes
                self.classes.item(row).setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)

    # Pictures

    def _load(self) -> None:
        """The picture to draw on; only where it is another than the one that is shown."""
        draft = self._draft
        if draft is None or not self.isVisible():
            return
        wanted = (draft.base.name, self.view(), str(self.source.currentData()))
        if wanted == self._shown:
            return
        self._shown = wanted
        self.canvas.clear()
        if wanted[2] == REFERENCE:
            references: Mapping[str, str] = draft.base.reference
            path = references.get(wanted[1]) or next(iter(references.values()), "")
            self._client.fetch_image(path, self._show_picture, failed=self._no_picture, owner=self)
        else:
            params: dict[str, str | int | float | bool | None] = {"recipe": draft.base.name, "limit": 20}
            self._client.call("GET", "records", params=params, answer=PartPage, then=self._found_parts)

    def _found_parts(self, page: PartPage) -> None:
        own = {camera for camera in self._draft.now.regions if camera != ANY} if self._draft is not None else set()
        view = self.view()
        for part in page.parts:
            for image in part.images:
                fits = image.camera == view or (view == ANY and image.camera not in own)
                if image.kind == "original" and fits:
                    self._client.fetch_image(image.path, self._show_picture, failed=self._no_picture, owner=self)
                    return
        self.canvas.placeholder = self.tr("No picture of a part was kept")
        self.canvas.update()

    def _show_picture(self, image: QImage) -> None:
        self.canvas.set_picture(image, image.width(), image.height())
        self._show_tools()

    def _no_picture(self, refusal: Refusal) -> None:
        self._shown = ("", "", "")
        self.canvas.placeholder = str(refusal)
        self.canvas.update()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's."""
        super().showEvent(event)
        self._load()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Qt's."""
        return QSize(Look.here().px(560), Look.here().px(420))

    # Changing

    def _edited(self, regions: tuple[RegionSetting, ...], what: str) -> None:
        self.canvas.set_regions(regions)
        self.changed.emit(self.view(), regions, what)

    def _chosen(self, index: int | None) -> None:
        with QSignalBlocker(self.list):
            self.list.setCurrentRow(-1 if index is None else index)
        self._show_tools()

    def _row_chosen(self, row: int) -> None:
        self.canvas.choose(row if row >= 0 else None)
        self._show_tools()

    def _draw(self) -> None:
        if self.canvas.drawn is not None:
            self.canvas.stop_drawing()
        else:
            self.canvas.begin(str(self.kind.currentData()))
            self.draw.setText(self.tr("Cancel"))
        self._show_tools()

    def _drawing_ended(self) -> None:
        self.draw.setChecked(False)
        self.draw.setText(self.tr("Draw region"))
        self._show_tools()

    def _delete(self) -> None:
        self.canvas.corner = None
        self.canvas.remove()

    def _rename(self) -> None:
        region, wanted = self._current(), self.name.text().strip()
        if region is None or wanted == region.name:
            return
        taken = any(other.name == wanted for other in self._regions())
        if taken or not NAME.fullmatch(wanted):
            self.show_mistakes(
                (
                    self.tr("Another region has this name.")
                    if taken
                    else self.tr("A name has letters without accents, digits, - and _ only."),
                )
            )
            return
        self.show_mistakes(())
        self._replace(region.model_copy(update={"name": wanted}))

    def _set_kind(self) -> None:
        region = self._current()
        if region is not None:
            self._replace(region.model_copy(update={"kind": self.kind.currentData()}))

    def _set_classes(self) -> None:
        region = self._current()
        if region is not None:
            items = [self.classes.item(row) for row in range(self.classes.count())]
            chosen = tuple(item.text() for item in items if item.checkState() == Qt.CheckState.Checked)
            self._replace(region.model_copy(update={"classes": chosen}))

    def _replace(self, region: RegionSetting) -> None:
        index, regions = self.canvas.current, self._regions()
        if index is not None:
            self._edited((*regions[:index], region, *regions[index + 1 :]), "")
