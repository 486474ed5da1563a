"""The test under way: which part to put in, what the line said of it, and the person's word on that."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from partsight.gui.challenge.big import BigWord
from partsight.gui.challenge.words import part_word
from partsight.gui.signs import RESULT_SIGN, Sign
from partsight.gui.theme import Look
from partsight.gui.widgets.cards import Card, SignView, allow, button, text_label, tone_colour
from partsight.gui.words import result_word
from partsight.wire.screen.challenge import ChallengeState, ChallengeStep

MOST_DOTS = 24
MOST_REMARK = 256


class Guide(QWidget):
    """`called`: the part lies there. `confirmed(ok, remark)`. `aborted`."""

    called = Signal()
    confirmed = Signal(bool, str)
    aborted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = Look.here()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.px(8))
        head = QHBoxLayout()
        self.progress = text_label("", "heading")
        self.abort = button(self.tr("Break off"), "danger")
        head.addWidget(self.progress, 1)
        head.addWidget(self.abort)
        column.addLayout(head)
        self.dots = QHBoxLayout()
        self.dots.setSpacing(look.px(6))
        column.addLayout(self.dots)
        card = Card(margin=18, spacing=10)
        self.ask, self.kind = BigWord(), BigWord()
        self.hint = text_label("", "heading", wrap=True)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.reason = text_label("", "title", wrap=True)
        self.reason.setAlignment(Qt.AlignmentFlag.AlignCenter)
        card.column.addStretch(1)
        for widget in (self.ask, self.kind, self.reason, self.hint):
            card.column.addWidget(widget)
        card.column.addStretch(1)
        column.addWidget(card, 1)
        self.remark = QLineEdit(maxLength=MOST_REMARK)
        self.remark.setPlaceholderText(self.tr("Remark (what was not as it should be)"))
        column.addWidget(self.remark)
        column.addLayout(self._buttons(look))
        self.here.clicked.connect(self.called)
        self.yes.clicked.connect(self._yes)
        self.no.clicked.connect(self._no)
        self.abort.clicked.connect(self.aborted)
        self._signs: list[SignView] = []
        self._shown: ChallengeStep | None = None

    def _buttons(self, look: Look) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(look.px(12))
        self.here = button(self.tr("The part is in"), "primary")
        self.yes = button(self.tr("Right part, treated as it should be"), "primary")
        self.no = button(self.tr("Wrong part, or not treated so"), "danger")
        for made in (self.no, self.here, self.yes):
            made.setProperty("touch", "big")
            row.addWidget(made, 1)
        return row

    def show_state(self, state: ChallengeState, may: bool, reason: str) -> None:
        """state.running must have steps."""
        steps, current = state.running, state.current
        place = min(current, len(steps) - 1) if current is not None else None
        self._show_dots(steps, place)
        allow(self.abort, may, reason)
        if place is None:
            self._show_row(steps)
            return
        step = steps[place]
        self.progress.setText(self.tr("Part {n} of {all}").format(n=place + 1, all=len(steps)))
        if state.waiting_for == "confirmation":
            self._show_verdict(step)
        elif state.waiting_for == "part":
            self._show_ask(step, place, state.call)
        else:
            self._show_wait(step)
        confirm = state.waiting_for == "confirmation"
        self.here.setVisible(not confirm)
        self.yes.setVisible(confirm)
        self.no.setVisible(confirm)
        self.remark.setVisible(confirm)
        wait = self.tr("The part is being judged.")
        allow(self.here, may and state.waiting_for == "part", wait if may else reason)
        allow(self.yes, may, reason)
        allow(self.no, may, reason)

    def _show_ask(self, step: ChallengeStep, place: int, call: bool) -> None:
        words = self.tr("Put in part {n}: {name}").format(n=place + 1, name=step.part.name)
        self.ask.say(Sign.CHALLENGE, words)
        self.kind.say(Sign.NG if step.part.bad else Sign.OK, part_word(step.part), "bad" if step.part.bad else "good")
        self.reason.setText(step.reason)
        self.reason.setVisible(bool(step.reason))
        if call:
            self.hint.setText(self.tr("Then press the button: the next part is taken for it."))
        else:
            self.hint.setText(self.tr("The station waits for its trigger; or press the button."))

    def _show_wait(self, step: ChallengeStep) -> None:
        self.ask.say(Sign.CHALLENGE, step.part.name)
        self.kind.say(Sign.IDLE, self.tr("is judged …"))
        self.reason.hide()
        self.hint.setText("")

    def _show_verdict(self, step: ChallengeStep) -> None:
        right = bool(step.right)
        if step.result is not None:
            tones = {"OK": "good", "NG": "bad", "REVIEW": "warn", "INVALID": "hold"}
            tone = tones[step.result.value]
            self.ask.say(RESULT_SIGN[step.result], result_word(step.result), tone)  # type: ignore[arg-type]  # its words are tones
        self.kind.say(
            Sign.GOOD if right else Sign.BAD,
            self.tr("Right") if right else self.tr("WRONG"),
            "good" if right else "bad",
        )
        expected = self.tr("{name} ({kind})").format(name=step.part.name, kind=part_word(step.part))
        self.reason.setText("  ·  ".join(words for words in (expected, step.reason) if words))
        self.reason.show()
        self.hint.setText(
            self.tr("Was it this part, and did the line do with it what it should?")
            if right
            else self.tr("The station has judged this part wrongly: the test has failed.")
        )

    def _show_row(self, steps: tuple[ChallengeStep, ...]) -> None:
        done = sum(step.right is not None for step in steps)
        self.progress.setText(self.tr("Part {n} of {all}").format(n=min(done + 1, len(steps)), all=len(steps)))
        self.ask.say(Sign.CHALLENGE, self.tr("The line sends the parts"))
        self.kind.say(Sign.IDLE, self.tr("{n} of {all} judged").format(n=done, all=len(steps)))
        self.reason.hide()
        self.hint.setText(self.tr("Nothing is to be done here: the line has begun this test."))
        for widget in (self.here, self.yes, self.no, self.remark):
            widget.hide()

    def _show_dots(self, steps: tuple[ChallengeStep, ...], place: int | None) -> None:
        wanted = min(len(steps), MOST_DOTS)
        if len(self._signs) != wanted:
            for sign in self._signs:
                self.dots.removeWidget(sign)
                sign.deleteLater()
            while self.dots.count():
                self.dots.takeAt(0)
            self._signs = [SignView(size=22) for _ in range(wanted)]
            for sign in self._signs:
                self.dots.addWidget(sign)
            self.dots.addStretch(1)
        for index, (sign, step) in enumerate(zip(self._signs, steps, strict=False)):
            if step.right is None:
                sign.set_sign(
                    Sign.RUN if index == place else Sign.IDLE, tone_colour("info" if index == place else "idle")
                )
            else:
                good = step.right and (step.confirmed or index == place)
                sign.set_sign(Sign.GOOD if good else Sign.BAD, tone_colour("good" if good else "bad"))
            sign.setToolTip(f"{index + 1}: {step.part.name}")

    def _yes(self) -> None:
        self._confirm(True)

    def _no(self) -> None:
        self._confirm(False)

    def _confirm(self, ok: bool) -> None:
        self.confirmed.emit(ok, self.remark.text().strip())
        self.remark.clear()
