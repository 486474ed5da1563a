"""What is known of a part, in words: why it was judged so, by what, how quickly, and what people say of it."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from partsight.domain.status import Mode
from partsight.gui.rejects.timebar import TimeBar
from partsight.gui.signs import RESULT_SIGN, Sign
from partsight.gui.theme import Look
from partsight.gui.widgets.cards import Card, SignView, text_label
from partsight.gui.words import action_word, local_time, mode_word, number_word, reason_word, result_word
from partsight.wire.screen.parts import Disposition, FindingNote, Part

MOST = 12
"""Findings in words; more of them say nothing new."""


class Facts(QWidget):
    """Filled anew for each part."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(Look.here().px(8))
        self.times = TimeBar()

    def show_part(self, part: Part | None) -> None:
        """None: nothing is known yet."""
        while (item := self._column.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        if part is None:
            return
        for card in (
            self._verdict(part),
            self._findings(part),
            self._said(part),
            self._times(part),
            self._judged(part),
        ):
            if card is not None:
                self._column.addWidget(card)
        self._column.addStretch(1)

    def _verdict(self, part: Part) -> QWidget:
        card = Card()
        look = Look.here()
        row = QHBoxLayout()
        row.setSpacing(look.px(10))
        row.addWidget(SignView(RESULT_SIGN[part.result], 34))
        row.addWidget(text_label(result_word(part.result), "figure"), 1)
        card.column.addLayout(row)
        if part.reason:
            card.column.addWidget(text_label(reason_word(part.code, part.reason), "heading", wrap=True))
        pairs = [
            (self.tr("Part"), part.part_id or f"#{part.sequence}"),
            (self.tr("Time"), local_time(part.at)),
            (self.tr("The line's answer"), action_word(part.action)),
        ]
        if part.mode is not Mode.PRODUCTION:
            pairs.append((self.tr("Mode"), mode_word(part.mode)))
        if part.late is not None:
            late = self.tr("{verdict}, too late: not sent").format(verdict=result_word(part.late))
            pairs.append((self.tr("The model said"), late))
        card.column.addLayout(_grid(pairs))
        return card

    def _findings(self, part: Part) -> QWidget | None:
        failed = [view for view in part.views if view.failure is not None]
        if not part.findings and not failed:
            return None
        card = Card(self.tr("What was found"))
        for finding in part.findings[:MOST]:
            card.column.addWidget(text_label(self._finding(finding, len(part.views) > 1), wrap=True))
        if len(part.findings) > MOST:
            more = self.tr("and {n} more").format(n=len(part.findings) - MOST)
            card.column.addWidget(text_label(more, "muted"))
        for view in failed:
            said = reason_word(view.failure or 0, view.detail)
            card.column.addWidget(text_label(f"{view.camera}: {said}", wrap=True))
        return card

    def _finding(self, finding: FindingNote, name_camera: bool) -> str:
        words = [reason_word(finding.code, finding.text)]
        if finding.text and finding.text not in words:
            words.append(finding.text)
        if finding.score is not None:
            words.append(self.tr("score {n}").format(n=number_word(finding.score, 2)))
        if name_camera and finding.camera:
            words.append(self.tr("camera {name}").format(name=finding.camera))
        if finding.rule:
            words.append(finding.rule)
        return "  ·  ".join(words)

    def _said(self, part: Part) -> QWidget:
        card = Card(self.tr("What people say"))
        said = part.disposition
        if said is None:
            card.column.addWidget(text_label(self.tr("Nobody has looked at it yet."), "muted", wrap=True))
            return card
        row = QHBoxLayout()
        row.addWidget(SignView(Sign.GOOD if said.judgement == "right" else Sign.BAD, 22))
        row.addWidget(text_label(disposition_words(said), wrap=True), 1)
        card.column.addLayout(row)
        if said.remark:
            card.column.addWidget(text_label(said.remark, wrap=True))
        card.column.addWidget(text_label(f"{said.who}  ·  {local_time(said.at)}", "small"))
        return card

    def _times(self, part: Part) -> QWidget:
        card = Card(self.tr("Where the time went"))
        self.times = TimeBar()
        self.times.show_times(part.times)
        card.column.addWidget(self.times)
        within = self.tr("Verdict after {ms}, allowed {deadline}")
        words = within.format(
            ms=number_word(part.times.verdict_ms, 1, "ms"), deadline=number_word(part.times.deadline_ms, 0, "ms")
        )
        card.column.addWidget(text_label(words, "small", wrap=True))
        return card

    def _judged(self, part: Part) -> QWidget:
        card = Card(self.tr("Judged by"))
        by = " · ".join(word for word in (part.backend, part.precision) if word)
        pairs = [
            (self.tr("Model"), f"{part.model}\n{by}" if by else part.model or "–"),
            (self.tr("Recipe"), part.recipe),
            (self.tr("Number"), f"{part.id} / #{part.sequence}"),
        ]
        card.column.addLayout(_grid(pairs))
        if part.simulated:
            card.column.addWidget(text_label(self.tr("The picture was simulated."), "small", wrap=True))
        return card


def _grid(pairs: list[tuple[str, str]]) -> QGridLayout:
    look = Look.here()
    grid = QGridLayout()
    grid.setHorizontalSpacing(look.px(10))
    grid.setVerticalSpacing(look.px(4))
    grid.setColumnStretch(1, 1)
    for row, (name, value) in enumerate(pairs):
        grid.addWidget(text_label(name, "small"), row, 0)
        grid.addWidget(text_label(value, wrap=True), row, 1)
    return grid


def disposition_words(said: Disposition) -> str:
    """In one line."""
    right = said.judgement == "right"
    words = [
        QCoreApplication.translate("Facts", "The verdict is right")
        if right
        else QCoreApplication.translate("Facts", "The verdict is wrong")
    ]
    if said.is_ok is not None:
        good = QCoreApplication.translate("Facts", "the part is good")
        words.append(good if said.is_ok else QCoreApplication.translate("Facts", "the part is bad"))
    if said.label:
        words.append(said.label)
    if said.boxes is not None:
        words.append(QCoreApplication.translate("Facts", "boxes confirmed: {n}").format(n=len(said.boxes)))
    return ", ".join(words)
