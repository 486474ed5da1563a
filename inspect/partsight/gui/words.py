"""Words for what the wire says in fixed names: states, verdicts, roles, reasons. In the language that is on.

Every function asks the translator when it is called, so a switch of the language needs no new start.
"""

from __future__ import annotations

from datetime import datetime, timezone

from PySide6.QtCore import QCoreApplication, QLocale

from partsight.domain.reasons import DEFECT_BASE, Reason
from partsight.domain.status import Mode, StationState
from partsight.domain.verdict import Result
from partsight.gui.client import Link
from partsight.gui.signs import Sign
from partsight.wire.screen.people import Role


def result_word(result: Result) -> str:
    """For people; the wire keeps the English word."""
    return {
        Result.OK: QCoreApplication.translate("words", "OK"),
        Result.NG: QCoreApplication.translate("words", "NG"),
        Result.REVIEW: QCoreApplication.translate("words", "REVIEW"),
        Result.INVALID: QCoreApplication.translate("words", "INVALID"),
    }[result]


def state_word(state: StationState) -> str:
    """What the station does."""
    return {
        StationState.PREOPERATIONAL: QCoreApplication.translate("words", "Starting up"),
        StationState.INITIALIZED: QCoreApplication.translate("words", "Stopped"),
        StationState.READY: QCoreApplication.translate("words", "Ready"),
        StationState.RUNNING: QCoreApplication.translate("words", "Running"),
        StationState.HELD: QCoreApplication.translate("words", "Held"),
        StationState.SUSPENDED: QCoreApplication.translate("words", "Suspended"),
        StationState.HALTED: QCoreApplication.translate("words", "Halted"),
        StationState.ERROR: QCoreApplication.translate("words", "Error"),
    }[state]


STATE_SIGN: dict[StationState, Sign] = {
    StationState.PREOPERATIONAL: Sign.IDLE,
    StationState.INITIALIZED: Sign.IDLE,
    StationState.READY: Sign.GOOD,
    StationState.RUNNING: Sign.RUN,
    StationState.HELD: Sign.PAUSE,
    StationState.SUSPENDED: Sign.PAUSE,
    StationState.HALTED: Sign.IDLE,
    StationState.ERROR: Sign.BAD,
}


def mode_word(mode: Mode) -> str:
    """What the verdicts are for."""
    return {
        Mode.PRODUCTION: QCoreApplication.translate("words", "Production"),
        Mode.SIMULATION: QCoreApplication.translate("words", "Simulation"),
        Mode.CHALLENGE: QCoreApplication.translate("words", "Challenge test"),
        Mode.BYPASS: QCoreApplication.translate("words", "Bypass"),
    }[mode]


def role_word(role: Role) -> str:
    """Of a user."""
    return {
        Role.VIEWER: QCoreApplication.translate("words", "Viewer"),
        Role.OPERATOR: QCoreApplication.translate("words", "Operator"),
        Role.ENGINEER: QCoreApplication.translate("words", "Engineer"),
        Role.ADMINISTRATOR: QCoreApplication.translate("words", "Administrator"),
    }[role]


def needs_word(role: Role) -> str:
    """Why a button is off."""
    return QCoreApplication.translate("words", "Log in as {role} for this.").format(role=role_word(role))


def link_word(link: Link) -> str:
    """How things stand with the station."""
    return {
        Link.CONNECTING: QCoreApplication.translate("words", "Connecting"),
        Link.LIVE: QCoreApplication.translate("words", "Connected"),
        Link.SILENT: QCoreApplication.translate("words", "No answer"),
        Link.GONE: QCoreApplication.translate("words", "No connection"),
        Link.LOGIN: QCoreApplication.translate("words", "Log in"),
        Link.OTHER_VERSION: QCoreApplication.translate("words", "Other version"),
    }[link]


def camera_word(state: str) -> str:
    """A camera's state."""
    return {
        "opening": QCoreApplication.translate("words", "Opening"),
        "streaming": QCoreApplication.translate("words", "Streaming"),
        "armed": QCoreApplication.translate("words", "Armed"),
        "stalled": QCoreApplication.translate("words", "No pictures"),
        "backoff": QCoreApplication.translate("words", "Reconnecting"),
        "ended": QCoreApplication.translate("words", "Ended"),
        "fault": QCoreApplication.translate("words", "Fault"),
        "stopped": QCoreApplication.translate("words", "Stopped"),
    }.get(state, state)


CAMERA_SIGN: dict[str, Sign] = {
    "streaming": Sign.GOOD,
    "armed": Sign.GOOD,
    "opening": Sign.IDLE,
    "stopped": Sign.IDLE,
    "ended": Sign.IDLE,
    "stalled": Sign.WARN,
    "backoff": Sign.WARN,
    "fault": Sign.BAD,
}


def action_word(action: str) -> str:
    """What the line does with the part."""
    return {
        "pass": QCoreApplication.translate("words", "pass"),
        "reject": QCoreApplication.translate("words", "reject"),
        "hold": QCoreApplication.translate("words", "hold"),
    }.get(action, action)


def reason_word(code: int, text: str) -> str:
    """A reason code in words. A defect, and a code without words here, keeps the station's own `text`."""
    if code >= DEFECT_BASE:
        return text
    return _reasons().get(code, text)


def _reasons() -> dict[int, str]:
    return {
        Reason.BLACK: QCoreApplication.translate("words", "image is black"),
        Reason.OVEREXPOSED: QCoreApplication.translate("words", "image is over-exposed"),
        Reason.BLURRED: QCoreApplication.translate("words", "image is blurred"),
        Reason.FROZEN: QCoreApplication.translate("words", "image is the same as the one before"),
        Reason.WRONG_SIZE: QCoreApplication.translate("words", "image has the wrong size"),
        Reason.UNREADABLE: QCoreApplication.translate("words", "image cannot be read"),
        Reason.LEVEL: QCoreApplication.translate("words", "image is too dark or too bright"),
        Reason.SATURATION: QCoreApplication.translate("words", "too many saturated pixels"),
        Reason.NO_FRAME: QCoreApplication.translate("words", "no image came for the trigger"),
        Reason.CAMERA_LOST: QCoreApplication.translate("words", "camera is lost"),
        Reason.FRAME_INCOMPLETE: QCoreApplication.translate("words", "image is incomplete"),
        Reason.VIEW_MISSING: QCoreApplication.translate("words", "a camera's view is missing"),
        Reason.DEADLINE: QCoreApplication.translate("words", "no verdict in time"),
        Reason.OVERLOAD: QCoreApplication.translate("words", "too many parts at once"),
        Reason.RESTART: QCoreApplication.translate("words", "station was started again"),
        Reason.NOT_RUNNING: QCoreApplication.translate("words", "station was not running"),
        Reason.RECORD_FAILED: QCoreApplication.translate("words", "record could not be written"),
        Reason.INTERNAL: QCoreApplication.translate("words", "internal fault"),
        Reason.SHUTDOWN: QCoreApplication.translate("words", "station was shutting down"),
        Reason.DETECTOR_FAILED: QCoreApplication.translate("words", "model failed"),
        Reason.DETECTOR_STUCK: QCoreApplication.translate("words", "model is stuck"),
        Reason.PART_ABSENT: QCoreApplication.translate("words", "no part is there"),
        Reason.PART_SHIFTED: QCoreApplication.translate("words", "part is out of place"),
        Reason.PART_ROTATED: QCoreApplication.translate("words", "part is turned"),
        Reason.WRONG_PART: QCoreApplication.translate("words", "wrong part"),
        Reason.FEATURE_COUNT: QCoreApplication.translate("words", "wrong number of features"),
        Reason.NO_EVIDENCE: QCoreApplication.translate("words", "no evidence that the part is good"),
        Reason.DOUBT: QCoreApplication.translate("words", "doubtful"),
    }


def local_time(at: datetime, *, day: bool = False) -> str:
    """In this place's time zone: 14:03:22, with the day before it where asked for or where it is not today."""
    here = at.astimezone()
    clock = here.strftime("%H:%M:%S")
    if day or here.date() != datetime.now(timezone.utc).astimezone().date():
        return f"{here:%Y-%m-%d} {clock}"
    return clock


def since_word(at: datetime, now: datetime | None = None) -> str:
    """How long ago: 12 s, 3 min, 2 h 5 min."""
    seconds = max(0, int(((now or datetime.now(timezone.utc)) - at).total_seconds()))
    if seconds < 60:
        return QCoreApplication.translate("words", "{n} s").format(n=seconds)
    minutes = seconds // 60
    if minutes < 60:
        return QCoreApplication.translate("words", "{n} min").format(n=minutes)
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return QCoreApplication.translate("words", "{h} h {m} min").format(h=hours, m=minutes)
    return QCoreApplication.translate("words", "{n} days").format(n=hours // 24)


def count_word(number: int) -> str:
    """With the language's thousands."""
    return QLocale().toString(number)


def number_word(number: float | None, digits: int = 1, unit: str = "") -> str:
    """With the language's decimal sign; a dash where there is none."""
    if number is None:
        return "–"
    text = QLocale().toString(float(number), "f", digits)
    return f"{text} {unit}" if unit else text


def share_word(share: float | None, digits: int = 1) -> str:
    """0.985 as 98.5 %."""
    return number_word(None if share is None else share * 100, digits, "%")


def bytes_word(count: int) -> str:
    """3.2 GB."""
    return QLocale().formattedDataSize(count, 1, QLocale.DataSizeFormat.DataSizeSIFormat)
