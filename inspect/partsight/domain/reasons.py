"""Why a verdict is what it is, as integers that are never renumbered."""

from __future__ import annotations

from enum import IntEnum, unique

DEFECT_BASE = 1000
"""A defect's code is this plus the class number in the model's card."""


@unique
class Reason(IntEnum):
    """Reason codes below 1000; a defect has `defect_code(class_id)`."""

    NONE = 0

    # 1 to 99: the image
    BLACK = 1
    OVEREXPOSED = 2
    BLURRED = 3
    FROZEN = 4
    WRONG_SIZE = 5
    UNREADABLE = 6
    LEVEL = 7
    SATURATION = 8

    # 100 to 199: the camera
    NO_FRAME = 100
    CAMERA_LOST = 101
    FRAME_INCOMPLETE = 102
    VIEW_MISSING = 103

    # 200 to 299: time and overload
    DEADLINE = 200
    OVERLOAD = 201

    # 300 to 399: station and restart
    RESTART = 300
    NOT_RUNNING = 301
    RECORD_FAILED = 302
    INTERNAL = 303
    SHUTDOWN = 304

    # 400 to 499: the model
    DETECTOR_FAILED = 400
    DETECTOR_STUCK = 401

    # 500 to 599: the part
    PART_ABSENT = 500
    PART_SHIFTED = 501
    PART_ROTATED = 502
    WRONG_PART = 503
    FEATURE_COUNT = 504
    NO_EVIDENCE = 505

    # 600 to 699: doubt (REVIEW)
    DOUBT = 600

    # 700 to 799: the line stops, no part's own fault
    REJECTS_IN_A_ROW = 700
    REJECT_SHARE = 701
    INVALID_IN_A_ROW = 702
    REJECT_UNCONFIRMED = 703
    CHALLENGE_FAILED = 704
    PLC_SILENT = 705
    TOO_SLOW = 706
    OUTPUT_FAILED = 707


REASON_TEXT: dict[Reason, str] = {
    Reason.NONE: "none",
    Reason.BLACK: "image is black",
    Reason.OVEREXPOSED: "image is over-exposed",
    Reason.BLURRED: "image is blurred",
    Reason.FROZEN: "image is bit-identical to the one before",
    Reason.WRONG_SIZE: "image has the wrong size",
    Reason.UNREADABLE: "image cannot be read",
    Reason.LEVEL: "mean level outside its limits",
    Reason.SATURATION: "too many saturated pixels",
    Reason.NO_FRAME: "no frame came for the trigger",
    Reason.CAMERA_LOST: "camera is lost",
    Reason.FRAME_INCOMPLETE: "frame is incomplete",
    Reason.VIEW_MISSING: "a camera's view is missing",
    Reason.DEADLINE: "no verdict before the deadline",
    Reason.OVERLOAD: "more parts than the station can judge",
    Reason.RESTART: "station was restarted while the part was in flight",
    Reason.NOT_RUNNING: "trigger while the station was not running",
    Reason.RECORD_FAILED: "the record could not be written",
    Reason.INTERNAL: "internal error",
    Reason.SHUTDOWN: "station was stopped while the part was in flight",
    Reason.DETECTOR_FAILED: "the detector failed",
    Reason.DETECTOR_STUCK: "the detector did not answer",
    Reason.PART_ABSENT: "no part in view",
    Reason.PART_SHIFTED: "part is out of its place",
    Reason.PART_ROTATED: "part is turned",
    Reason.WRONG_PART: "not the part of this recipe",
    Reason.FEATURE_COUNT: "a counted feature is missing or surplus",
    Reason.NO_EVIDENCE: "the recipe states no positive evidence",
    Reason.DOUBT: "score inside the band of doubt",
    Reason.REJECTS_IN_A_ROW: "too many rejects in a row",
    Reason.REJECT_SHARE: "too large a share of rejects",
    Reason.INVALID_IN_A_ROW: "too many parts in a row could not be judged",
    Reason.REJECT_UNCONFIRMED: "a reject was not confirmed",
    Reason.CHALLENGE_FAILED: "the challenge test failed",
    Reason.PLC_SILENT: "the PLC's heartbeat is lost",
    Reason.TOO_SLOW: "verdicts take too long for the deadline",
    Reason.OUTPUT_FAILED: "an output failed",
}


def defect_code(class_id: int) -> int:
    """The reason code of a defect of class `class_id` (0 and up)."""
    if class_id < 0:
        raise ValueError(f"class_id is {class_id}; it must be 0 or more")
    return DEFECT_BASE + class_id


def reason_text(code: int, class_names: tuple[str, ...] = ()) -> str:
    """What `code` says, in words; for a defect its class name where it is known."""
    if code >= DEFECT_BASE:
        class_id = code - DEFECT_BASE
        return class_names[class_id] if class_id < len(class_names) else f"class {class_id}"
    try:
        return REASON_TEXT[Reason(code)]
    except ValueError:
        return f"reason {code}"
