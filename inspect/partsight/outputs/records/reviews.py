"""What people say of judged parts: rows beside the record, which itself never changes.

Each review and each undo is a row with who, when and from where; the newest review that was not undone counts.
`SqliteRecords.review` and `undo_review` write, `RecordsReader` reads. What waits for a person is `review_queue`: every
REVIEW part (by a trigger of the schema), and a share of the good ones whose pixels were kept.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from partsight.domain.errors import ReviewRefused, UnknownRecord
from partsight.domain.inspection import Inspection
from partsight.domain.verdict import Result
from partsight.outputs.records.latch import from_us, to_us
from partsight.wire.message import clean
from partsight.wire.screen.parts import Disposition, ReviewBox, ReviewRequest

MIN_SIDE_PX = 1.0
SLACK_PX = 2.0
"""So far a drawn box may stand over the picture's edge: it is cut there. Further out it is a mistake."""
NOT_UNDONE = "d.undoes IS NULL AND NOT EXISTS (SELECT 1 FROM disposition u WHERE u.undoes = d.n)"
REVIEWED = f"EXISTS (SELECT 1 FROM disposition d WHERE d.sequence = i.sequence AND {NOT_UNDONE})"  # noqa: S608 - literals
"""SQL: the inspection `i` has a review that counts."""
_COLUMNS = "d.sequence, d.at_us, d.who, d.judgement, d.is_ok, d.label, d.boxes, d.remark"
_TAIL: Final = 4
"""Bytes at the end of a UUIDv7 that are random: they choose the sample, the same parts each time."""


def checked(inspection: Inspection, said: ReviewRequest, classes: Sequence[str] = ()) -> ReviewRequest:
    """`said` with its boxes cut at the picture's edge. classes: of the model that is loaded, beside the part's own.

    Raises ReviewRefused with every mistake.
    """
    known = dict.fromkeys(classes)
    for view in inspection.views:
        known |= dict.fromkeys(view.detections.names if view.detections is not None else ())
    mistakes = list(_contradiction(inspection.verdict.result, said))
    if said.label and said.label not in known:
        mistakes.append(_unknown(said.label, known))
    boxes = None
    if said.boxes is not None:
        sizes = {view.camera: (view.facts.width, view.facts.height) for view in inspection.views if view.facts}
        boxes = []
        for number, box in enumerate(said.boxes, 1):
            where = f"box {number}"
            if box.label not in known:
                mistakes.append(f"{where}: {_unknown(box.label, known)}")
            if box.camera not in sizes:
                seen = ", ".join(sizes) or "none"
                mistakes.append(
                    f"{where}: part {inspection.trigger.sequence} has no picture of camera {box.camera!r}; "
                    f"it has: {seen}"
                )
                continue
            cut = _cut(box, *sizes[box.camera])
            if cut is None:
                width, height = sizes[box.camera]
                mistakes.append(
                    f"{where}: {tuple(round(v, 1) for v in box.box)} is no box of a picture of {width} x {height} "
                    f"pixels: x1 < x2 and y1 < y2, at least {MIN_SIDE_PX:g} pixel wide and high, inside the picture"
                )
                continue
            boxes.append(cut)
    if mistakes:
        raise ReviewRefused(f"the review of part {inspection.trigger.sequence} cannot be kept", mistakes)
    return said.model_copy(update={"boxes": None if boxes is None else tuple(boxes)})


def _contradiction(result: Result, said: ReviewRequest) -> Iterator[str]:
    """OK and NG say whether the part is good; REVIEW and INVALID leave that open."""
    right = said.judgement == "right"
    if result is Result.OK and said.is_ok is not None and said.is_ok is not right:
        yield f"the verdict is OK: it cannot be {said.judgement} when the part is {'good' if said.is_ok else 'bad'}"
    if result is Result.NG and right and said.is_ok:
        yield "the verdict is NG: it cannot be right when the part is good"


def _unknown(label: str, known: dict[str, None]) -> str:
    return f"{label!r} is no class of the model; it knows: {', '.join(known) or 'none'}"


def _cut(box: ReviewBox, width: int, height: int) -> ReviewBox | None:
    x1, y1, x2, y2 = box.box
    if not (x1 >= -SLACK_PX and y1 >= -SLACK_PX and x2 <= width + SLACK_PX and y2 <= height + SLACK_PX):
        return None
    inside = max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))
    if not (inside[2] - inside[0] >= MIN_SIDE_PX and inside[3] - inside[1] >= MIN_SIDE_PX):
        return None
    return box.model_copy(update={"box": inside})


# --- writing, inside the caller's transaction -------------------------------------------------------


def add(
    db: sqlite3.Connection, sequence: int, said: ReviewRequest, *, who: str, source: str, at: datetime
) -> Disposition:
    """One more thing said of a part; it waits for nobody any more. Raises sqlite3.Error."""
    boxes = None
    if said.boxes is not None:
        boxes = json.dumps([[b.camera, b.label, *b.box] for b in said.boxes], separators=(",", ":"))
    db.execute(
        "INSERT INTO disposition (sequence, at_us, who, source, judgement, is_ok, label, boxes, remark) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (sequence, to_us(at), who, source, said.judgement, said.is_ok, said.label, boxes, said.remark),
    )
    db.execute("INSERT OR IGNORE INTO reviewed VALUES (?, ?)", (sequence, to_us(at)))
    db.execute("UPDATE review_queue SET done = 1 WHERE sequence = ?", (sequence,))
    return Disposition(**said.model_dump(), who=who, at=at)


def undo(db: sqlite3.Connection, sequence: int, *, who: str, source: str, at: datetime) -> Disposition | None:
    """Take back the newest review that counts; the one that counts now, None where the part waits again.

    Raises UnknownRecord, sqlite3.Error.
    """
    newest = db.execute(
        f"SELECT n FROM disposition d WHERE sequence = ? AND {NOT_UNDONE} ORDER BY n DESC LIMIT 1",  # noqa: S608 - literals
        (sequence,),
    ).fetchone()
    if newest is None:
        raise UnknownRecord(f"part {sequence} has no review to undo")
    db.execute(
        "INSERT INTO disposition (sequence, at_us, who, source, undoes) VALUES (?, ?, ?, ?, ?)",
        (sequence, to_us(at), who, source, newest[0]),
    )
    now = standing(db, [sequence]).get(sequence)
    if now is None:
        db.execute("UPDATE review_queue SET done = 0 WHERE sequence = ?", (sequence,))
    return now


def queue_sample(db: sqlite3.Connection, sequence: int, share: float) -> None:
    """Of a part whose pixels are kept now: let a person look at it if it is good and of the sample.

    share: 0..1, of good parts with kept pixels. Raises sqlite3.Error.
    """
    row = db.execute("SELECT uid FROM inspection WHERE sequence = ? AND result = 'OK'", (sequence,)).fetchone()
    if row is not None and in_sample(row[0], share):
        db.execute("INSERT OR IGNORE INTO review_queue VALUES (?, 0)", (sequence,))


def in_sample(uid: bytes, share: float) -> bool:
    """Whether a good part of this UUIDv7 is looked at again."""
    return int.from_bytes(uid[-_TAIL:], "big") < share * (1 << 8 * _TAIL)


def event_data(inspection: Inspection, now: Disposition | None, *, who: str, undone: bool) -> dict[str, Any]:
    """What is told of a review: without its boxes, of which there may be hundreds."""
    return {
        "sequence": inspection.trigger.sequence,
        "uid": str(inspection.uid),
        "part": clean(inspection.trigger.part_id),
        "verdict": inspection.verdict.result.value,
        "by": clean(who),
        "undone": undone,
        "judgement": now.judgement if now else None,
        "is_ok": now.is_ok if now else None,
        "label": clean(now.label) if now else "",
        "boxes": len(now.boxes) if now is not None and now.boxes is not None else None,
    }


# --- reading ----------------------------------------------------------------------------------------


def standing(db: sqlite3.Connection, sequences: Sequence[int]) -> dict[int, Disposition]:
    """What counts of each of these parts that has a review. Raises sqlite3.Error."""
    wanted = ",".join("?" * len(sequences))
    found = db.execute(
        f"SELECT {_COLUMNS} FROM disposition d WHERE d.sequence IN ({wanted}) AND {NOT_UNDONE} ORDER BY d.n",  # noqa: S608 - placeholders
        list(sequences),
    )
    return {row[0]: _disposition(row) for row in found}  # the newest comes last


def reviewed_after(db: sqlite3.Connection, after: int, limit: int) -> tuple[int | None, dict[int, Disposition]]:
    """What counts of the next `limit` parts above `after`, in order, of which anything was ever said.

    First the last of them, to go on from, None where there is none: of some nothing may count any more.
    Raises sqlite3.Error.
    """
    found = db.execute(
        "SELECT DISTINCT sequence FROM disposition WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, limit)
    )
    sequences = [sequence for (sequence,) in found]
    return (sequences[-1], standing(db, sequences)) if sequences else (None, {})


def waiting(db: sqlite3.Connection, limit: int) -> list[int]:
    """Parts that wait for a person, the oldest first. Raises sqlite3.Error."""
    found = db.execute("SELECT sequence FROM review_queue WHERE done = 0 ORDER BY sequence LIMIT ?", (limit,))
    return [sequence for (sequence,) in found]


def count_waiting(db: sqlite3.Connection) -> int:
    """How many wait. Raises sqlite3.Error."""
    return int(db.execute("SELECT count(*) FROM review_queue WHERE done = 0").fetchone()[0])


def count_reviewed(db: sqlite3.Connection, since: datetime) -> int:
    """Parts that were reviewed since then, those taken back left out. Raises sqlite3.Error."""
    statement = f"SELECT count(DISTINCT sequence) FROM disposition d WHERE at_us >= ? AND {NOT_UNDONE}"  # noqa: S608 - literals
    return int(db.execute(statement, (to_us(since),)).fetchone()[0])


def _disposition(row: tuple[Any, ...]) -> Disposition:
    _, at_us, who, judgement, is_ok, label, boxes, remark = row
    kept = None
    if boxes is not None:
        kept = tuple(ReviewBox(camera=b[0], label=b[1], box=(b[2], b[3], b[4], b[5])) for b in json.loads(boxes))
    return Disposition(
        judgement=judgement,
        is_ok=None if is_ok is None else bool(is_ok),
        label=label,
        boxes=kept,
        remark=remark,
        who=who,
        at=from_us(at_us),
    )
