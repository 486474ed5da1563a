"""How the screen looks: colours, sizes and one style sheet for the whole application.

A widget sets no style of its own. It says what it is by a dynamic property, and the sheet below does the rest:

    button.setProperty("kind", "primary")      # primary, danger, quiet (default: plain)
    frame.setProperty("role", "card")          # card, strip, side
    label.setProperty("kind", "title")         # title, heading, figure, muted, small, mono
    frame.setProperty("tone", "bad")           # good, bad, warn, info: banners and notices

What is painted by hand asks `Look.here()` for colours (`look.colours.ok`) and sizes (`look.px(44)`): sizes grow with
the window, from 1024 x 768 to 4K.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from partsight.domain.verdict import Result

ThemeName = Literal["light", "dark"]
IMAGES = Path(__file__).parent / "images"
FAMILIES = ["Inter", "Noto Sans", "Segoe UI", "DejaVu Sans", "Noto Sans CJK SC", "Microsoft YaHei"]
BASE = (1024, 768)
STEP = 0.1
LARGEST = 3.0
TEXT_PX = 14
TOUCH_PX = 44


@dataclass(frozen=True, slots=True)
class Colours:
    """As #rrggbb. Text on `panel` has a contrast of 4.5 and more, the verdicts' too."""

    background: str
    panel: str
    raised: str
    border: str
    text: str
    muted: str
    accent: str
    on_accent: str
    ok: str
    ng: str
    review: str
    invalid: str
    on_verdict: str
    neutral: str
    picture: str

    def of(self, result: Result) -> QColor:
        """A verdict's colour; never the only sign of it."""
        return QColor({"OK": self.ok, "NG": self.ng, "REVIEW": self.review, "INVALID": self.invalid}[result.value])


DARK = Colours(
    background="#0f1318",
    panel="#181e26",
    raised="#232b36",
    border="#35404e",
    text="#eef2f6",
    muted="#a3afbd",
    accent="#5aa9ff",
    on_accent="#06121f",
    ok="#35c77b",
    ng="#ff6464",
    review="#ffb833",
    invalid="#c792ff",
    on_verdict="#0b0f14",
    neutral="#7e8b9a",
    picture="#07090c",
)
LIGHT = Colours(
    background="#e9edf2",
    panel="#ffffff",
    raised="#f1f4f8",
    border="#c3ccd6",
    text="#111820",
    muted="#4f5d6c",
    accent="#0b5fd0",
    on_accent="#ffffff",
    ok="#0b7a41",
    ng="#c5162a",
    review="#8f5400",
    invalid="#6c2bb5",
    on_verdict="#ffffff",
    neutral="#66737f",
    picture="#1a1f26",
)


class Look(QObject):
    """The theme and scale in force. One in an application; `Look.here()` finds it."""

    changed = Signal()

    def __init__(self, app: QApplication, theme: ThemeName = "dark") -> None:
        super().__init__(app)
        self.setObjectName("look")
        self._app = app
        self.theme: ThemeName = theme
        self.scale = 1.0
        self._apply()

    @staticmethod
    def here() -> Look:
        """The application's. Raises RuntimeError where none was made."""
        app = QApplication.instance()
        look = app.findChild(Look, "look") if app is not None else None
        if look is None:
            raise RuntimeError("no Look: make one beside the QApplication")
        return look

    @property
    def colours(self) -> Colours:
        """Of the theme."""
        return DARK if self.theme == "dark" else LIGHT

    def px(self, size: float) -> int:
        """A length of the drawing at 1024 x 768, in pixels here."""
        return max(1, round(size * self.scale))

    def font(self, size: float, *, bold: bool = False) -> QFont:
        """size: in pixels at 1024 x 768."""
        font = QFont(self._app.font())
        font.setPixelSize(self.px(size))
        font.setWeight(QFont.Weight.Bold if bold else QFont.Weight.Normal)
        return font

    def set_theme(self, theme: ThemeName) -> None:
        """Light or dark, at once."""
        if theme != self.theme:
            self.theme = theme
            self._apply()

    def fit(self, width: int, height: int) -> None:
        """A window of this size (device-independent pixels): sizes follow in steps of a tenth."""
        raw = min(width / BASE[0], height / BASE[1])
        # A larger screen is also for more, not only for larger letters.
        wanted = min(LARGEST, max(1.0, raw**0.85))
        scale = round(wanted / STEP) * STEP
        if abs(scale - self.scale) > STEP / 2:
            self.scale = scale
            self._apply()

    def _apply(self) -> None:
        font = QFont()
        font.setFamilies(FAMILIES)
        font.setPixelSize(self.px(TEXT_PX))
        self._app.setFont(font)
        self._app.setPalette(_palette(self.colours))
        self._app.setStyleSheet(_sheet(self))
        self.changed.emit()


def refresh(widget: QWidget) -> None:
    """After a dynamic property has changed: let the style sheet look at it again."""
    style = widget.style()
    style.unpolish(widget)
    style.polish(widget)
    widget.update()


def set_property(widget: QWidget, name: str, value: str | bool) -> None:
    """Set a dynamic property, and the look that goes with it; does nothing where it has that value."""
    if widget.property(name) != value:
        widget.setProperty(name, value)
        refresh(widget)


def _palette(c: Colours) -> QPalette:
    palette = QPalette()
    roles = QPalette.ColorRole
    for role, colour in (
        (roles.Window, c.background),
        (roles.WindowText, c.text),
        (roles.Base, c.panel),
        (roles.AlternateBase, c.raised),
        (roles.Text, c.text),
        (roles.Button, c.raised),
        (roles.ButtonText, c.text),
        (roles.Highlight, c.accent),
        (roles.HighlightedText, c.on_accent),
        (roles.ToolTipBase, c.raised),
        (roles.ToolTipText, c.text),
        (roles.PlaceholderText, c.muted),
        (roles.Mid, c.border),
        (roles.Link, c.accent),
    ):
        palette.setColor(role, QColor(colour))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(c.neutral))
    return palette


def _mixed(colour: str, into: str, share: float) -> str:
    """`colour` laid over `into`."""
    a, b = QColor(colour), QColor(into)
    parts = (round(x * share + y * (1 - share)) for x, y in zip(a.getRgb()[:3], b.getRgb()[:3], strict=True))  # type: ignore[index]  # the stubs call a tuple an object
    return "#{:02x}{:02x}{:02x}".format(*parts)


def _sheet(look: Look) -> str:
    """The style sheet; `@name` is a colour, `~n` is n pixels at 1024 x 768."""
    c, px = look.colours, look.px
    arrow = (IMAGES / f"down-{look.theme}.svg").as_posix()
    tones = "".join(
        f'QFrame[tone="{tone}"] {{ background: {_mixed(colour, c.panel, 0.18)}; border: {px(1)}px solid {colour};'
        f" border-radius: {px(8)}px; }}\n"
        for tone, colour in (("good", c.ok), ("bad", c.ng), ("warn", c.review), ("info", c.accent), ("hold", c.invalid))
    )
    return f"""
* {{ font-size: {px(TEXT_PX)}px; }}
QWidget {{ color: {c.text}; }}
QMainWindow, QDialog, QStackedWidget {{ background: {c.background}; }}
/* Without the padding, the dots of an Ü are cut off. */
QLabel {{ background: transparent; border: none; padding-top: {px(2)}px; }}
QLabel[kind="title"] {{ font-size: {px(20)}px; font-weight: 600; }}
QLabel[kind="heading"] {{ font-size: {px(16)}px; font-weight: 600; }}
QLabel[kind="figure"] {{ font-size: {px(24)}px; font-weight: 600; }}
QLabel[kind="muted"] {{ color: {c.muted}; }}
QLabel[kind="small"] {{ color: {c.muted}; font-size: {px(12)}px; }}
QLabel[kind="bad"] {{ color: {c.ng}; font-weight: 600; }}
QLabel[kind="mono"] {{ font-family: "DejaVu Sans Mono", monospace; }}
QFrame[role="card"] {{ background: {c.panel}; border: {px(1)}px solid {c.border}; border-radius: {px(10)}px; }}
QFrame[role="strip"] {{ background: {c.panel}; border: none; border-bottom: {px(1)}px solid {c.border}; }}
QFrame[role="side"] {{ background: {c.panel}; border: none; border-right: {px(1)}px solid {c.border}; }}
QFrame[role="rule"] {{ background: {c.border}; border: none; }}
{tones}
QPushButton, QToolButton, QComboBox {{
    background: {c.raised}; color: {c.text}; border: {px(1)}px solid {c.border}; border-radius: {px(8)}px;
    min-height: {px(TOUCH_PX) - 2 * px(1)}px; padding: 0 {px(14)}px; font-weight: 600;
}}
QPushButton:hover, QToolButton:hover, QComboBox:hover {{ border-color: {c.accent}; }}
QPushButton:pressed, QToolButton:pressed {{ background: {c.border}; }}
QPushButton:checked {{ background: {_mixed(c.accent, c.panel, 0.25)}; border-color: {c.accent}; }}
QPushButton:disabled, QToolButton:disabled {{ color: {c.neutral}; background: {c.panel}; }}
QPushButton[touch="big"] {{ min-height: {px(72)}px; font-size: {px(17)}px; }}
QPushButton[kind="primary"] {{ background: {c.accent}; color: {c.on_accent}; border-color: {c.accent}; }}
QPushButton[kind="primary"]:hover {{ background: {_mixed(c.accent, c.text, 0.85)}; }}
QPushButton[kind="danger"] {{ background: {_mixed(c.ng, c.panel, 0.16)}; color: {c.ng}; border-color: {c.ng}; }}
QPushButton[kind="primary"]:disabled, QPushButton[kind="danger"]:disabled {{
    background: {c.panel}; color: {c.neutral}; border-color: {c.border};
}}
QPushButton[kind="quiet"] {{ background: transparent; border-color: transparent; }}
QPushButton[kind="quiet"]:hover {{ background: {c.raised}; }}
QPushButton:focus, QToolButton:focus, QComboBox:focus {{ border: {px(3)}px solid {c.accent}; }}
QPushButton[kind="primary"]:focus {{ border: {px(3)}px solid {c.text}; }}
QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox, QDoubleSpinBox, QDateTimeEdit {{
    background: {c.raised}; color: {c.text}; border: {px(1)}px solid {c.border}; border-radius: {px(8)}px;
    min-height: {px(TOUCH_PX) - 2 * px(1)}px; padding: 0 {px(10)}px; selection-background-color: {c.accent};
    selection-color: {c.on_accent};
}}
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QDateTimeEdit:focus {{
    border: {px(2)}px solid {c.accent};
}}
/* Too small for a finger, and drawn in pieces under a style sheet: keys, wheel and typing do it. */
QSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::up-button, QDoubleSpinBox::down-button,
QDateTimeEdit::up-button, QDateTimeEdit::down-button {{
    width: 0; border: none;
}}
QComboBox {{ padding-right: {px(4)}px; }}
QComboBox::drop-down, QDateTimeEdit::drop-down {{ border: none; width: {px(32)}px; }}
QComboBox::down-arrow, QDateTimeEdit[calendarPopup="true"]::down-arrow {{
    image: url("{arrow}"); width: {px(16)}px; height: {px(16)}px;
}}
QComboBox QAbstractItemView, QMenu {{
    background: {c.panel}; color: {c.text}; border: {px(1)}px solid {c.border};
    selection-background-color: {c.accent}; selection-color: {c.on_accent}; outline: none;
}}
QComboBox QAbstractItemView::item {{ min-height: {px(TOUCH_PX)}px; }}
QMenu::item {{ padding: {px(12)}px {px(22)}px; }}
QMenu::item:selected {{ background: {c.accent}; color: {c.on_accent}; }}
QCheckBox, QRadioButton {{ min-height: {px(TOUCH_PX)}px; spacing: {px(10)}px; background: transparent; }}
QCheckBox::indicator, QRadioButton::indicator {{ width: {px(22)}px; height: {px(22)}px; }}
QCheckBox::indicator:unchecked {{
    border: {px(2)}px solid {c.muted}; border-radius: {px(4)}px; width: {px(18)}px; height: {px(18)}px;
}}
QSlider {{ min-height: {px(TOUCH_PX)}px; background: transparent; }}
QSlider::groove:horizontal {{ height: {px(6)}px; background: {c.border}; border-radius: {px(3)}px; }}
QSlider::sub-page:horizontal {{ background: {c.accent}; border-radius: {px(3)}px; }}
QSlider::handle:horizontal {{
    width: {px(26)}px; margin: -{px(10)}px 0; border-radius: {px(13)}px; background: {c.text};
    border: {px(2)}px solid {c.panel};
}}
QSlider::handle:horizontal:focus {{ border-color: {c.accent}; }}
QScrollArea, QScrollArea > QWidget > QWidget {{ background: transparent; border: none; }}
QScrollBar:vertical {{ width: {px(14)}px; background: transparent; margin: 0; }}
QScrollBar:horizontal {{ height: {px(14)}px; background: transparent; margin: 0; }}
QScrollBar::handle {{ background: {c.border}; border-radius: {px(5)}px; margin: {px(2)}px; }}
QScrollBar::handle:vertical {{ min-height: {px(44)}px; }}
QScrollBar::handle:horizontal {{ min-width: {px(44)}px; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QTableView, QListView, QTreeView {{
    background: {c.panel}; alternate-background-color: {c.raised}; border: {px(1)}px solid {c.border};
    border-radius: {px(8)}px; gridline-color: {c.border}; outline: none;
    selection-background-color: {c.accent}; selection-color: {c.on_accent};
}}
QTableView:focus, QListView:focus, QTreeView:focus {{ border: {px(2)}px solid {c.accent}; }}
QTableView::item, QListView::item {{ padding: {px(6)}px; }}
QHeaderView::section {{
    background: {c.raised}; color: {c.muted}; border: none; border-bottom: {px(1)}px solid {c.border};
    padding: {px(8)}px; font-weight: 600;
}}
QProgressBar {{
    background: {c.raised}; border: none; border-radius: {px(4)}px; min-height: {px(8)}px; max-height: {px(8)}px;
    color: transparent;
}}
QProgressBar::chunk {{ background: {c.accent}; border-radius: {px(4)}px; }}
QToolTip {{
    background: {c.raised}; color: {c.text}; border: {px(1)}px solid {c.border}; padding: {px(6)}px;
}}
QSplitter::handle {{ background: {c.border}; }}
"""
