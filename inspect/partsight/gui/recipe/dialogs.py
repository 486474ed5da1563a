"""What the recipe page asks in between: a remark, what to do with a draft, and a part's picture to look at."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from partsight.gui.calls import Refusal
from partsight.gui.client import Client
from partsight.gui.recipe.draft import Draft, differences, settings_of
from partsight.gui.theme import Look
from partsight.gui.widgets.cards import button, text_label
from partsight.gui.widgets.frame_view import FrameView, marks_of
from partsight.gui.widgets.question import Choice, Question
from partsight.gui.words import local_time, result_word
from partsight.wire.screen.parts import Part
from partsight.wire.screen.recipes import RecipeDetail

MOST_REMARK = 256


class RemarkDialog(QDialog):
    """Why this is saved; then `save(remark)`."""

    def __init__(self, parent: QWidget, title: str, save: Callable[[str], None]) -> None:
        super().__init__(parent)
        self._save = save
        self.setWindowTitle(title)
        look = Look.here()
        column = QVBoxLayout(self)
        column.setContentsMargins(*(look.px(18),) * 4)
        column.setSpacing(look.px(12))
        column.addWidget(text_label(title, "title"))
        column.addWidget(text_label(self.tr("What was changed, and why? It is kept with the version.")))
        self.remark = QLineEdit(maxLength=MOST_REMARK)
        self.remark.setMinimumWidth(look.px(420))
        self.remark.setAccessibleName(self.tr("Remark"))
        column.addWidget(self.remark)
        row = QHBoxLayout()
        row.addStretch(1)
        self.cancel, self.done_ = button(self.tr("Cancel")), button(self.tr("Save"), "primary")
        row.addWidget(self.cancel)
        row.addWidget(self.done_)
        column.addLayout(row)
        self.cancel.clicked.connect(self.reject)
        self.done_.clicked.connect(self._accept)
        self.remark.returnPressed.connect(self._accept)
        self.finished.connect(self.deleteLater)

    def _accept(self) -> None:
        self._save(self.remark.text().strip())
        self.accept()


class CompareDialog(Question):
    """What somebody has saved meanwhile beside the draft: only what differs."""

    def __init__(
        self,
        parent: QWidget,
        draft: Draft,
        newer: RecipeDetail,
        put_onto: Callable[[], None],
        drop: Callable[[], None],
    ) -> None:
        look = Look.here()
        title = QCoreApplication.translate("CompareDialog", "Version {n} and yours")
        text = QCoreApplication.translate(
            "CompareDialog", "Put your changes onto version {n}, or drop them. Nothing is saved by this."
        )
        choices: tuple[Choice, ...] = (
            (QCoreApplication.translate("CompareDialog", "Put mine onto it"), "primary", put_onto),
            (QCoreApplication.translate("CompareDialog", "Load it"), "danger", drop),
            (QCoreApplication.translate("CompareDialog", "Cancel"), "plain", None),
        )
        super().__init__(parent, title.format(n=newer.revision), text.format(n=newer.revision), choices)
        begun = settings_of(draft.base)
        theirs = {one.key: one for one in differences(begun, settings_of(newer))}
        mine = {one.key: one for one in differences(begun, draft.now)}
        keys = sorted({**theirs, **mine})
        self.table = QTableWidget(len(keys), 4)
        self.table.setHorizontalHeaderLabels(
            [self.tr("What"), self.tr("You began with"), self.tr("Saved meanwhile"), self.tr("Yours")]
        )
        self.table.verticalHeader().hide()
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setMinimumSize(look.px(620), look.px(260))
        head = self.table.horizontalHeader()
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setStretchLastSection(True)
        for row, key in enumerate(keys):
            before = (theirs.get(key) or mine[key]).before
            cells = (
                key,
                before,
                theirs[key].after if key in theirs else before,
                mine[key].after if key in mine else "",
            )
            for place, words in enumerate(cells):
                self.table.setItem(row, place, QTableWidgetItem(words))
        self.column.insertWidget(2, self.table)


class PartDialog(QDialog):
    """The picture of one part, with the boxes of its record."""

    def __init__(self, parent: QWidget, client: Client, sequence: int) -> None:
        super().__init__(parent)
        self._client = client
        look = Look.here()
        self.setWindowTitle(self.tr("Part"))
        column = QVBoxLayout(self)
        column.setContentsMargins(*(look.px(12),) * 4)
        self.title = text_label("", "heading", wrap=True)
        column.addWidget(self.title)
        self.view = FrameView(zoomable=True)
        self.view.setMinimumSize(look.px(560), look.px(400))
        self.view.placeholder = self.tr("Loading …")
        column.addWidget(self.view, 1)
        self.row = QHBoxLayout()
        column.addLayout(self.row)
        self.row.addStretch(1)
        close = button(self.tr("Close"), "primary")
        close.clicked.connect(self.accept)
        self.row.addWidget(close)
        self.finished.connect(self.deleteLater)
        client.call("GET", f"records/{sequence}", answer=Part, then=self._show, failed=self._refused, owner=self)

    def _show(self, part: Part) -> None:
        name = part.part_id or f"#{part.sequence}"
        words = [name, result_word(part.result), part.reason, local_time(part.at)]
        self.title.setText("  ·  ".join(word for word in words if word))
        originals = [image for image in part.images if image.kind == "original"] or list(part.images)
        if not originals:
            self.view.placeholder = self.tr("No picture of this part was kept")
            self.view.update()
            return
        for image in originals if len(originals) > 1 else ():
            made = button(image.camera)
            made.clicked.connect(lambda _=False, image=image: self._load(part, image.camera, image.path))
            self.row.insertWidget(self.row.count() - 2, made)
        self._load(part, originals[0].camera, originals[0].path)

    def _load(self, part: Part, camera: str, path: str) -> None:
        def show(image: QImage) -> None:
            view = next((view for view in part.views if view.camera == camera), None)
            width, height = (view.width, view.height) if view is not None else (None, None)
            self.view.set_picture(image, width or image.width(), height or image.height())
            self.view.set_marks(marks_of(view.boxes if view is not None else (), part.findings, camera))

        self._client.fetch_image(path, show, failed=self._refused, owner=self)

    def _refused(self, refusal: Refusal) -> None:
        self.view.placeholder = str(refusal)
        self.view.update()
