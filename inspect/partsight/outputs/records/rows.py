"""An inspection as rows of the database, and back.

Everything that a filter or a count asks for is a column; what is only ever read with its record is JSON
(findings, facts, truth) or a raw little-endian array (boxes, scores, class ids: no rounding, and writing
six of them costs a few microseconds). Names that repeat in every record (recipe, model, classes) are rows
of their own, referred to by number.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from partsight.domain.detections import Detections, ModelRef
from partsight.domain.frame import Truth, TruthBox
from partsight.domain.inspection import Inspection, Timings
from partsight.domain.reasons import Reason
from partsight.domain.status import Mode
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.verdict import Action, Finding, RecipeRef, Result, Verdict
from partsight.domain.views import Alignment, ImageFacts, View
from partsight.outputs.records.latch import from_us, to_us

_INSERT = "INSERT INTO inspection VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
_INSERT_VIEW = "INSERT INTO view VALUES (?,?,?,?,?,?,?,?,?,?,?)"
_INSERT_IMAGE = "INSERT OR REPLACE INTO image VALUES (?,?,?)"
_FACTS = tuple(f.name for f in fields(ImageFacts))
_ALIGNMENT = tuple(f.name for f in fields(Alignment))

# LEFT JOIN: a record whose recipe row is missing is still a record, and must be shown.
SELECT = """SELECT i.sequence, uid, trigger_id, epoch, kind, at_us, at_ns, deadline_ns, part_id, encoder, result,
    action, findings, coalesce(r.name, ''), coalesce(r.revision, 0), coalesce(r.sha256, ''),
    m.name, m.sha256, m.backend, m.precision,
    frame_ms, start_ms, infer_ms, detect_ms, decide_ms, verdict_ms, late, simulated, truth, mode
    FROM inspection i LEFT JOIN recipe r ON r.id = i.recipe LEFT JOIN model m ON m.id = i.model"""
_SELECT_VIEWS = """SELECT camera, failure, detail, facts, c.names, boxes, scores, class_ids,
    m.name, m.sha256, m.backend, m.precision
    FROM view v LEFT JOIN model m ON m.id = v.model LEFT JOIN classes c ON c.id = v.classes
    WHERE v.sequence = ? ORDER BY position"""


class Interned:
    """Numbers of the rows that many records refer to, remembered once they are committed."""

    def __init__(self) -> None:
        self._ids: dict[tuple[object, ...], int] = {}

    def forget(self) -> None:
        """After a rollback: rows that were just written are not there."""
        self._ids.clear()

    def recipe(self, db: sqlite3.Connection, ref: RecipeRef) -> int:
        return self._number(db, "recipe", ("name", "revision", "sha256"), (ref.name, ref.revision, ref.sha256))

    def model(self, db: sqlite3.Connection, ref: ModelRef | None) -> int | None:
        if ref is None:
            return None
        columns = ("name", "sha256", "backend", "precision")
        return self._number(db, "model", columns, (ref.name, ref.sha256, ref.backend, ref.precision))

    def classes(self, db: sqlite3.Connection, names: tuple[str, ...]) -> int:
        return self._number(db, "classes", ("names",), (_json(list(names)),))

    def _number(
        self, db: sqlite3.Connection, table: str, columns: tuple[str, ...], values: tuple[str | int, ...]
    ) -> int:
        key = (table, *values)
        known = self._ids.get(key)
        if known is not None:
            return known
        # The table and column names are literals above.
        db.execute(
            f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(values))})",  # noqa: S608
            values,
        )
        where = " AND ".join(f"{c} = ?" for c in columns)
        number = int(db.execute(f"SELECT id FROM {table} WHERE {where}", values).fetchone()[0])  # noqa: S608
        self._ids[key] = number
        return number


def write(db: sqlite3.Connection, inspection: Inspection, interned: Interned) -> None:
    """The rows of one inspection, inside the caller's transaction. Raises sqlite3.Error."""
    trigger, verdict, times = inspection.trigger, inspection.verdict, inspection.timings
    db.execute(
        _INSERT,
        (
            trigger.sequence,
            inspection.uid.bytes,
            trigger.id,
            trigger.epoch,
            trigger.kind.value,
            to_us(trigger.at),
            trigger.at_ns,
            trigger.deadline_ns,
            trigger.part_id,
            trigger.encoder,
            verdict.result.value,
            int(verdict.action),
            int(verdict.code),
            _json([_finding_row(f) for f in verdict.findings]),
            interned.recipe(db, verdict.recipe),
            interned.model(db, inspection.model),
            _real(times.frame_ms),
            _real(times.start_ms),
            _real(times.infer_ms),
            _real(times.detect_ms),
            _real(times.decide_ms),
            _real(times.verdict_ms),
            inspection.late.value if inspection.late else None,
            int(inspection.simulated),
            _truth_text(inspection.truth),
            inspection.mode.value,
        ),
    )
    for position, view in enumerate(inspection.views):
        db.execute(_INSERT_VIEW, (trigger.sequence, position, *_view_row(db, view, interned)))
    write_images(db, trigger.sequence, inspection.images)


def write_images(db: sqlite3.Connection, sequence: int, paths: Iterable[str]) -> None:
    """Where a record's images lie, inside the caller's transaction. Raises sqlite3.Error."""
    for position, path in enumerate(paths):
        db.execute(_INSERT_IMAGE, (sequence, position, path))


def read_one(db: sqlite3.Connection, sequence: int) -> Inspection | None:
    """One part's inspection. Raises sqlite3.Error."""
    row = db.execute(f"{SELECT} WHERE i.sequence = ?", (sequence,)).fetchone()
    return None if row is None else read(db, row)


def read(db: sqlite3.Connection, row: tuple[Any, ...]) -> Inspection:
    """The inspection of one row of `SELECT`."""
    sequence = row[0]
    views = tuple(_view(v) for v in db.execute(_SELECT_VIEWS, (sequence,)))
    paths = db.execute("SELECT path FROM image WHERE sequence = ? ORDER BY position", (sequence,))
    return _inspection(row, views, tuple(path for (path,) in paths))


def read_heads(db: sqlite3.Connection, found: Sequence[tuple[Any, ...]]) -> list[Inspection]:
    """Inspections of many rows of `SELECT` without what was found and measured: a view has its camera alone."""
    sequences = [row[0] for row in found]
    wanted = ",".join("?" * len(sequences))
    views: dict[int, list[View]] = {sequence: [] for sequence in sequences}
    images: dict[int, list[str]] = {sequence: [] for sequence in sequences}
    cameras = f"SELECT sequence, camera FROM view WHERE sequence IN ({wanted}) ORDER BY sequence, position"  # noqa: S608 - placeholders
    for sequence, camera in db.execute(cameras, sequences):
        views[sequence].append(View(camera))
    paths = f"SELECT sequence, path FROM image WHERE sequence IN ({wanted}) ORDER BY sequence, position"  # noqa: S608 - placeholders
    for sequence, path in db.execute(paths, sequences):
        images[sequence].append(path)
    return [_inspection(row, tuple(views[row[0]]), tuple(images[row[0]])) for row in found]


def _inspection(row: tuple[Any, ...], views: tuple[View, ...], images: tuple[str, ...]) -> Inspection:
    (sequence, uid, trigger_id, epoch, kind, at_us, at_ns, deadline_ns, part_id, encoder, result, action) = row[:12]
    findings, recipe, model, times = row[12], row[13:16], row[16:20], row[20:26]
    late, simulated, truth, mode = row[26:]
    return Inspection(
        uid=UUID(bytes=uid),
        trigger=Trigger(
            sequence=sequence,
            id=trigger_id,
            epoch=epoch,
            kind=TriggerKind(kind),
            at=from_us(at_us),
            at_ns=at_ns,
            deadline_ns=deadline_ns,
            part_id=part_id,
            encoder=encoder,
        ),
        verdict=Verdict(
            Result(result), Action(action), tuple(_finding(f) for f in json.loads(findings)), RecipeRef(*recipe)
        ),
        views=views,
        timings=Timings(*times),
        model=ModelRef(*model) if model[0] is not None else None,
        late=Result(late) if late is not None else None,
        simulated=bool(simulated),
        truth=_truth(truth),
        images=images,
        mode=Mode(mode),
    )


def class_names(text: str) -> tuple[str, ...]:
    """A model's classes from their row."""
    return tuple(json.loads(text))


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), default=_plain)


def _plain(value: object) -> object:
    """numpy's scalars, which measured facts may be."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be written to a record")


def _real(value: float | None) -> float | None:
    return None if value is None else float(value)


def _finding_row(finding: Finding) -> list[object]:
    return [
        int(finding.code),
        finding.text,
        finding.camera,
        finding.score,
        list(finding.box) if finding.box is not None else None,
        finding.rule,
        finding.severity,
    ]


def _finding(row: list[Any]) -> Finding:
    code, text, camera, score, box, rule, severity = row
    return Finding(code, text, camera, score, _box(box) if box is not None else None, rule, severity)


def _box(values: list[float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = values
    return x1, y1, x2, y2


def _truth_text(truth: Truth | None) -> str | None:
    if truth is None:
        return None
    return _json([truth.place, [[d.name, *d.box] for d in truth.defects]])


def _truth(text: str | None) -> Truth | None:
    if text is None:
        return None
    place, defects = json.loads(text)
    return Truth(place, tuple(TruthBox(d[0], _box(d[1:])) for d in defects))


def _view_row(db: sqlite3.Connection, view: View, interned: Interned) -> tuple[object, ...]:
    found = view.detections
    head = (
        view.camera,
        int(view.failure) if view.failure is not None else None,
        view.detail,
        _facts_text(view.facts),
    )
    if found is None:
        return (*head, None, None, None, None, None)
    return (
        *head,
        interned.model(db, found.model),
        interned.classes(db, found.names),
        found.boxes.astype("<f4", copy=False).tobytes(),
        found.scores.astype("<f4", copy=False).tobytes(),
        found.class_ids.astype("<i4", copy=False).tobytes(),
    )


def _view(row: tuple[Any, ...]) -> View:
    camera, failure, detail, facts, names, boxes, scores, class_ids = row[:8]
    detections = None
    if names is not None:
        detections = Detections(
            boxes=_column(boxes, np.float32).reshape(-1, 4),
            scores=_column(scores, np.float32),
            class_ids=_column(class_ids, np.int32),
            names=class_names(names),
            model=ModelRef(*row[8:12]),
        )
    return View(camera, detections, _facts(facts), Reason(failure) if failure is not None else None, detail)


def _column(raw: bytes, dtype: type[np.float32 | np.int32]) -> npt.NDArray[Any]:
    return np.frombuffer(raw, np.dtype(dtype).newbyteorder("<")).astype(dtype)


def _facts_text(facts: ImageFacts | None) -> str | None:
    if facts is None:
        return None
    found = {name: getattr(facts, name) for name in _FACTS}
    found["counts"], found["coverage"] = dict(facts.counts), dict(facts.coverage)
    if facts.alignment is not None:
        found["alignment"] = {name: getattr(facts.alignment, name) for name in _ALIGNMENT}
    return _json(found)


def _facts(text: str | None) -> ImageFacts | None:
    """Facts that an older partsight did not measure have their default."""
    if text is None:
        return None
    found = {name: value for name, value in json.loads(text).items() if name in _FACTS}
    if found.get("alignment") is not None:
        alignment = {name: value for name, value in found["alignment"].items() if name in _ALIGNMENT}
        alignment["shift_px"] = tuple(alignment["shift_px"])
        found["alignment"] = Alignment(**alignment)
    return ImageFacts(**found)
