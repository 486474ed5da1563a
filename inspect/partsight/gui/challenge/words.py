"""Words of the challenge test."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from partsight.gui.signs import Sign
from partsight.gui.widgets.cards import Tone
from partsight.wire.screen.challenge import ChallengeReport, KitPart


def due_word(due: str) -> str:
    """Why a test is asked for; words of a person stay as they are."""
    return {
        "shift": QCoreApplication.translate("challenge", "start of the shift"),
        "change": QCoreApplication.translate("challenge", "after a change"),
        "due": QCoreApplication.translate("challenge", "no reject for long"),
    }.get(due, due)


def part_word(part: KitPart) -> str:
    """Good, or what is wrong with it."""
    if not part.bad:
        return QCoreApplication.translate("challenge", "good part")
    if not part.defect:
        return QCoreApplication.translate("challenge", "bad part")
    return QCoreApplication.translate("challenge", "bad: {defect}").format(defect=part.defect)


def outcome_word(report: ChallengeReport) -> str:
    """How a test has ended."""
    if report.passed:
        return QCoreApplication.translate("challenge", "Passed")
    if report.failed:
        return QCoreApplication.translate("challenge", "Failed")
    return QCoreApplication.translate("challenge", "Broken off")


def outcome_sign(report: ChallengeReport) -> tuple[Sign, Tone]:
    """Its shape and colour."""
    if report.passed:
        return Sign.OK, "good"
    return (Sign.NG, "bad") if report.failed else (Sign.PAUSE, "idle")
