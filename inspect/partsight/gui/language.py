"""Which language the screen speaks: English in the source, the rest from `translations/partsight_*.qm`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from PySide6.QtCore import QLibraryInfo, QLocale, QTranslator
from PySide6.QtWidgets import QApplication

Language = Literal["en", "de", "zh_CN"]
LANGUAGES: dict[Language, str] = {"en": "English", "de": "Deutsch", "zh_CN": "简体中文"}
"""As speakers of each write it."""
TRANSLATIONS = Path(__file__).parent / "translations"


class Languages:
    """Switches the application's language; keep it for as long as the application runs."""

    def __init__(self, app: QApplication, language: Language = "en") -> None:
        self._app = app
        self._installed: list[QTranslator] = []
        self.language: Language = "en"
        self.use(language)

    def use(self, language: Language) -> None:
        """From the next text on. Raises FileNotFoundError where the translation is not in the package."""
        for translator in self._installed:
            self._app.removeTranslator(translator)
        self._installed = []
        QLocale.setDefault(QLocale(language))
        self.language = language
        if language == "en":
            return
        ours = QTranslator(self._app)
        path = TRANSLATIONS / f"partsight_{language}.qm"
        if not ours.load(str(path)):
            raise FileNotFoundError(f"{path}: no translation; run scripts/translations.sh")
        qts = QTranslator(self._app)
        # Qt's own words, of its standard dialogs; not every wheel has them.
        if qts.load(f"qtbase_{language}", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)):
            self._install(qts)
        self._install(ours)

    def _install(self, translator: QTranslator) -> None:
        self._app.installTranslator(translator)
        self._installed.append(translator)


def system_language() -> Language:
    """The one of the machine's settings, English where we do not speak it."""
    name = QLocale.system().name()
    for known in get_args(Language):
        if name == known or name.split("_")[0] == known:
            return known  # type: ignore[no-any-return]  # get_args is untyped
    return "zh_CN" if name.startswith("zh") else "en"
