"""What earlier tests have shown, and the parts in doubt after one that failed."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from partsight.gui.calls import Refusal
from partsight.gui.challenge.big import BigWord
from partsight.gui.challenge.words import due_word, outcome_sign, outcome_word, part_word
from partsight.gui.client import Client
from partsight.gui.theme import Look
from partsight.gui.widgets.cards import Card, button, text_label
from partsight.gui.widgets.saving import ask_where, write_bytes
from partsight.gui.words import count_word, local_time, result_word
from partsight.wire.screen.challenge import ChallengeReport, Suspect

NUMBER = Qt.ItemDataRole.UserRole
PAGE = 500
NOT_YET, TRIES, AGAIN_MS = 404, 10, 500
"""A test is written a moment after it has ended."""
MOST_SUSPECTS = 100_000
"""As many as the station counts."""
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def made_table(headers: list[str], name: str) -> QTableWidget:
    """Rows to be chosen, not changed."""
    table = QTableWidget(0, len(headers))
    table.setHorizontalHeaderLabels(headers)
    table.setAccessibleName(name)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(Look.here().px(40))
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    head = table.horizontalHeader()
    head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    head.setStretchLastSection(True)
    return table


def fill(table: QTableWidget, rows: list[tuple[str, ...]]) -> None:
    """Anew."""
    table.setRowCount(len(rows))
    for row, cells in enumerate(rows):
        for place, words in enumerate(cells):
            item = QTableWidgetItem(words)
            item.setToolTip(words)
            table.setItem(row, place, item)


class Reports(Card):
    """The newest first. `opened(ChallengeReport)`: a row was touched."""

    opened = Signal(object)

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self._client = client
        self.reports: list[ChallengeReport] = []
        self._newest: ChallengeReport | None = None
        self.column.addWidget(text_label(self.tr("Tests so far"), "heading"))
        headers = [self.tr("When"), self.tr("Result"), self.tr("By"), self.tr("Why"), self.tr("Recipe")]
        self.table = made_table(headers, self.tr("Tests so far"))
        self.column.addWidget(self.table, 1)
        self.said = text_label("", "small", wrap=True)
        self.said.hide()
        self.column.addWidget(self.said)
        self.table.cellClicked.connect(self._clicked)
        self.table.cellActivated.connect(self._clicked)

    def ask(self) -> None:
        """For the newest ones."""
        self._client.call(
            "GET", "challenge/reports", answer=list[ChallengeReport], then=self.show_reports, failed=self._refused
        )

    def add(self, report: ChallengeReport) -> None:
        """One that has just ended: the station's records may not have it yet."""
        self._newest = report
        self.show_reports(self.reports)

    def show_reports(self, reports: list[ChallengeReport]) -> None:
        """As the station has them."""
        self.said.hide()
        newest = self._newest
        if newest is not None:
            # The state has it first, and the number of parts in doubt a moment later.
            reports = [newest, *(one for one in reports if one.number != newest.number)]
        if reports == self.reports:
            return
        self.reports = reports
        fill(
            self.table,
            [
                (
                    local_time(one.ended, day=True),
                    {"good": "✓ ", "bad": "✕ "}.get(outcome_sign(one)[1], "– ") + outcome_word(one),
                    one.who,
                    due_word(one.why),
                    one.recipe,
                )
                for one in reports
            ],
        )

    def _refused(self, refusal: Refusal) -> None:
        self.said.setText(str(refusal))
        self.said.show()

    def _clicked(self, row: int, _column: int) -> None:
        if row < len(self.reports):
            self.opened.emit(self.reports[row])


class ReportView(QWidget):
    """One test as a whole. `left`: back."""

    left = Signal()

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._client = client
        self.report: ChallengeReport | None = None
        look = Look.here()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.px(8))
        card = Card()
        self.outcome = BigWord()
        self.facts = text_label("", "", wrap=True)
        self.blocked = text_label("", "bad", wrap=True)
        card.column.addWidget(self.outcome)
        card.column.addWidget(self.facts)
        card.column.addWidget(self.blocked)
        column.addWidget(card)
        headers = [self.tr("Part"), self.tr("Kind"), self.tr("Verdict"), "", self.tr("Confirmed"), self.tr("Remark")]
        self.table = made_table(headers, self.tr("Parts of the test"))
        column.addWidget(self.table, 1)
        row = QHBoxLayout()
        self.suspects = button("", "danger")
        self.back = button(self.tr("Close"), "primary")
        row.addWidget(self.suspects)
        row.addStretch(1)
        row.addWidget(self.back)
        column.addLayout(row)
        self.suspects.clicked.connect(self._open_suspects)
        self.back.clicked.connect(self.left)

    def show_report(self, report: ChallengeReport) -> None:
        """All of it."""
        self.report = report
        self.outcome.say(outcome_sign(report)[0], outcome_word(report), outcome_sign(report)[1])
        self.facts.setText(self._facts_of(report))
        self.blocked.setText(
            self.tr("Ready stays 0 and parts are rejected until a test has passed.") if report.failed else ""
        )
        self.blocked.setVisible(report.failed)
        fill(
            self.table,
            [
                (
                    step.part.name,
                    part_word(step.part),
                    result_word(step.result) if step.result is not None else "–",
                    "–" if step.right is None else self.tr("right") if step.right else self.tr("WRONG"),
                    self.tr("yes") if step.confirmed else self.tr("no"),
                    step.remark or step.reason,
                )
                for step in report.steps
            ],
        )
        text = self.tr("{n} parts in doubt …").format(n=count_word(report.suspects))
        self.suspects.setText(text)
        self.suspects.setVisible(report.failed)

    def _facts_of(self, report: ChallengeReport) -> str:
        text = self.tr("Test {n}, {began} to {ended}, by {who}. Why: {why}. Recipe {recipe}, model {model}.")
        words = text.format(
            n=report.number,
            began=local_time(report.began, day=True),
            ended=local_time(report.ended),
            who=report.who or "–",
            why=due_word(report.why) or "–",
            recipe=report.recipe,
            model=report.model,
        )
        if report.last_passed is not None:
            passed = self.tr("The last one that passed: {at}.")
            words += " " + passed.format(at=local_time(report.last_passed, day=True))
        return f"{words} {report.note}".strip()

    def _open_suspects(self) -> None:
        if self.report is not None:
            SuspectsDialog(self.window(), self._client, self.report).open()


class SuspectsDialog(QDialog):
    """Parts that left as good since the last passed test: to be found and looked at again."""

    def __init__(self, parent: QWidget, client: Client, report: ChallengeReport) -> None:
        super().__init__(parent)
        self._client, self._report = client, report
        self.found: list[Suspect] = []
        self._tries = 0
        look = Look.here()
        self.setWindowTitle(self.tr("Parts in doubt"))
        self.resize(look.px(720), look.px(540))
        column = QVBoxLayout(self)
        column.setContentsMargins(*(look.px(16),) * 4)
        column.setSpacing(look.px(10))
        column.addWidget(text_label(self.tr("Parts in doubt"), "title"))
        words = self.tr("They left as good after the last test that passed. Find them and look at them again.")
        column.addWidget(text_label(words, wrap=True))
        headers = [self.tr("Part"), self.tr("Number"), self.tr("When"), self.tr("Verdict")]
        self.table = made_table(headers, self.tr("Parts in doubt"))
        column.addWidget(self.table, 1)
        self.said = text_label(self.tr("Loading …"), "small", wrap=True)
        column.addWidget(self.said)
        row = QHBoxLayout()
        self.csv, close = button(self.tr("Save CSV …")), button(self.tr("Close"), "primary")
        self.csv.setEnabled(False)
        row.addWidget(self.csv)
        row.addStretch(1)
        row.addWidget(close)
        column.addLayout(row)
        self.csv.clicked.connect(self._ask_csv)
        close.clicked.connect(self.accept)
        self.finished.connect(self.deleteLater)
        self._begin()

    def _begin(self) -> None:
        self._ask(None)

    def _ask(self, before: int | None) -> None:
        self._client.call(
            "GET",
            "challenge/suspects",
            params={"report": self._report.number, "before": before, "limit": PAGE},
            answer=list[Suspect],
            then=self._show,
            failed=self._refused,
            owner=self,
        )

    def _show(self, found: list[Suspect]) -> None:
        self.found += found
        if len(found) == PAGE and len(self.found) < MOST_SUSPECTS:
            self.said.setText(self.tr("{n} so far …").format(n=count_word(len(self.found))))
            self._ask(found[-1].sequence)
            return
        fill(self.table, [_cells(one) for one in self.found[:PAGE]])
        text = self.tr("{n} parts")
        if len(self.found) > PAGE:
            text = self.tr("{n} parts; the newest are shown, all are saved")
        self.said.setText(text.format(n=count_word(len(self.found))))
        self.csv.setEnabled(True)

    def _refused(self, refusal: Refusal) -> None:
        self._tries += 1
        if refusal.status == NOT_YET and self._tries < TRIES:
            QTimer.singleShot(AGAIN_MS, self, self._begin)
        else:
            self.said.setText(str(refusal))

    def _ask_csv(self) -> None:
        ask_where(self, self.tr("Save CSV"), f"suspects-{self._report.number}.csv", self.export_csv)

    def export_csv(self, path: Path) -> None:
        """All of them, as a table."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(("sequence", "part_id", "at", "result"))
        writer.writerows(
            (one.sequence, _plain(one.part_id), one.at.isoformat(), one.result.value) for one in self.found
        )
        if write_bytes(self._client, path, text.getvalue().encode()):
            self.said.setText(self.tr("Saved: {path}").format(path=path))


def _cells(one: Suspect) -> tuple[str, ...]:
    return one.part_id or "–", str(one.sequence), local_time(one.at, day=True), result_word(one.result)


def _plain(words: str) -> str:
    """What a spreadsheet would take for a formula is text."""
    return f"'{words}" if words.startswith(FORMULA) else words
