"""Logging in: name and password, and why it did not work. Stays within the window, so it works full screen too."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from partsight.gui.calls import Call, Refusal
from partsight.gui.client import Client
from partsight.gui.theme import Look
from partsight.gui.widgets.cards import button, text_label
from partsight.wire.screen.people import Me


class LoginForm(QWidget):
    """Two fields and a button. `done` when someone is in."""

    done = Signal()

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._client = client
        self._call: Call | None = None
        look = Look.here()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.px(8))
        self.user = QLineEdit(maxLength=64)
        self.password = QLineEdit(maxLength=256, echoMode=QLineEdit.EchoMode.Password)
        for name, field in ((self.tr("User"), self.user), (self.tr("Password"), self.password)):
            label = text_label(name)
            label.setBuddy(field)
            field.setAccessibleName(name)
            field.setMinimumWidth(look.px(300))
            column.addWidget(label)
            column.addWidget(field)
        self.error = text_label("", "bad", wrap=True)
        self.error.setMinimumHeight(look.px(40))
        column.addWidget(self.error)
        self.submit = button(self.tr("Log in"), "primary")
        column.addWidget(self.submit)
        self.submit.clicked.connect(self._send)
        self.password.returnPressed.connect(self._send)
        self.user.returnPressed.connect(self.password.setFocus)
        client.session.connect(self._session)

    def start(self) -> None:
        """Empty, with the cursor in the first field."""
        self.user.clear()
        self.password.clear()
        self.error.setText("")
        self.user.setFocus()

    def _send(self) -> None:
        if not self.user.text() or not self.password.text():
            self.error.setText(self.tr("Give the name and the password."))
            return
        self.submit.setEnabled(False)
        self.error.setText("")
        self._call = self._client.log_in(self.user.text().strip(), self.password.text(), self._refused)

    def _refused(self, refusal: Refusal) -> None:
        self.submit.setEnabled(True)
        self.error.setText(str(refusal))
        self.password.selectAll()
        self.password.setFocus()

    def _session(self, me: Me) -> None:
        self.submit.setEnabled(True)
        # Whoever logs out leaves nothing in the fields either, not even a name.
        self.user.clear()
        self.password.clear()
        if me.user:
            self.done.emit()


class LoginDialog(QDialog):
    """The form over the window."""

    def __init__(self, client: Client, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Log in"))
        look = Look.here()
        column = QVBoxLayout(self)
        column.setContentsMargins(*(look.px(24),) * 4)
        column.setSpacing(look.px(12))
        column.addWidget(text_label(self.tr("Log in"), "title"))
        self.form = LoginForm(client)
        column.addWidget(self.form)
        row = QHBoxLayout()
        cancel = button(self.tr("Cancel"), "quiet")
        row.addStretch(1)
        row.addWidget(cancel)
        column.addLayout(row)
        cancel.clicked.connect(self.reject)
        self.form.done.connect(self.accept)
        self.form.start()


class LoginPage(QWidget):
    """In place of the pages, where nobody is let in without a login."""

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = Look.here()
        outer = QHBoxLayout(self)
        column = QVBoxLayout()
        column.setSpacing(look.px(12))
        outer.addStretch(1)
        outer.addLayout(column)
        outer.addStretch(1)
        column.addStretch(1)
        column.addWidget(text_label(self.tr("Log in to see this station"), "title"))
        self.form = LoginForm(client)
        column.addWidget(self.form)
        column.addStretch(2)
