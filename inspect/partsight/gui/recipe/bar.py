"""The line over the recipe page: which recipe, and what can be done with the draft."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from partsight.gui.client import Client, Link
from partsight.gui.recipe.draft import Draft
from partsight.gui.recipe.use import Use
from partsight.gui.theme import Look
from partsight.gui.widgets.cards import ElidedLabel, allow, button
from partsight.gui.words import needs_word
from partsight.wire.screen.people import Role
from partsight.wire.screen.recipes import RecipeRow


class Bar(QWidget):
    """`chosen(name)`: another recipe. The buttons are the page's to connect."""

    chosen = Signal(str)

    def __init__(self, client: Client, page: QWidget) -> None:
        super().__init__(page)
        self._client = client
        look = Look.here()
        self.choice = QComboBox()
        self.choice.setAccessibleName(self.tr("Recipe"))
        self.choice.setMinimumWidth(look.px(180))
        self.facts = ElidedLabel("", "muted")
        self.undo, self.redo = button(self.tr("Undo")), button(self.tr("Redo"))
        self.discard, self.save = button(self.tr("Discard")), button(self.tr("Save …"), "primary")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(look.px(8))
        self.use = Use(client)
        row.addWidget(self.choice)
        row.addWidget(self.use)
        row.addWidget(self.facts, 1)
        for made in (self.undo, self.redo, self.discard, self.save):
            row.addWidget(made)
        for made, keys in ((self.undo, "Ctrl+Z"), (self.redo, "Ctrl+Shift+Z"), (self.save, "Ctrl+S")):
            made.setToolTip(keys)
            shortcut = QShortcut(QKeySequence(keys), page)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(made.click)
        self.choice.activated.connect(self._chosen)

    def show_rows(self, rows: Sequence[RecipeRow], chosen: str) -> None:
        """The recipes that there are."""
        active = self.tr("active")
        with QSignalBlocker(self.choice):
            self.choice.clear()
            for row in rows:
                word = f"{row.name}  ·  {active}" if row.active else row.name
                self.choice.addItem(f"{word}  ⚠" if row.problem else word, row.name)
            self.choice.setCurrentIndex(self.choice.findData(chosen))
        self.use.show_row(next((row for row in rows if row.name == chosen), None))

    def show_draft(self, draft: Draft | None, *, saving: bool) -> str:
        """What can be done with it; why it cannot be saved, "" where a version can be."""
        if draft is not None:
            words = [self.tr("Version {n}").format(n=draft.base.revision), draft.base.problem or draft.base.description]
            self.facts.set_whole("  ·  ".join(word for word in words if word))
        dirty = draft is not None and draft.dirty
        self.undo.setEnabled(draft is not None and draft.can_undo)
        self.redo.setEnabled(draft is not None and draft.can_redo)
        self.discard.setEnabled(dirty)
        reason = self._why_not(draft)
        allow(self.save, dirty and not reason and not saving, reason or self.tr("Nothing is changed."))
        return reason

    def _why_not(self, draft: Draft | None) -> str:
        if not self._client.may(Role.ENGINEER):
            return needs_word(Role.ENGINEER)
        if self._client.link is not Link.LIVE:
            return self.tr("No connection to the station. Your changes are kept.")
        if draft is not None and not draft.base.writable:
            return self.tr("This recipe cannot be saved here: its file is not in the station's own folder.")
        return ""

    def _chosen(self) -> None:
        self.chosen.emit(str(self.choice.currentData()))
