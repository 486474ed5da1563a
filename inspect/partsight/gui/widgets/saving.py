"""Saving to a file that a person chooses; what does not work is said, never lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QDir
from PySide6.QtWidgets import QFileDialog, QWidget

from partsight.gui.client import Client

Write = Callable[[Path], None]


def ask_where(parent: QWidget, title: str, name: str, write: Write) -> QFileDialog:
    """Ask for a file, `name` proposed, and call `write` with it. The dialog is Qt's own: it works full screen too."""
    dialog = QFileDialog(parent, title, QDir.homePath())
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
    dialog.selectFile(name)
    dialog.setDefaultSuffix(Path(name).suffix.lstrip("."))
    dialog.fileSelected.connect(lambda path: write(Path(path)))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
    return dialog


def write_bytes(client: Client, path: Path, content: bytes) -> bool:
    """Write it whole; False where it did not work, which the notice says."""
    try:
        path.write_bytes(content)
    except OSError as error:
        text = QCoreApplication.translate("saving", "{path} cannot be written: {why}")
        client.problem.emit(text.format(path=path, why=error.strerror or error))
        return False
    return True
