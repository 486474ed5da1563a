"""What screens are told of a part: the same from the live event as from the record, whatever stands in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from partsight.api.channel import EventMessage, pack
from partsight.api.news import message_of
from partsight.api.parts import image_files, image_links, part, part_row, view_note
from partsight.domain.detections import Detections, ModelRef
from partsight.domain.inspection import Inspection, Timings
from partsight.domain.reasons import Reason
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.uid import uuid7
from partsight.domain.verdict import Action, Finding, RecipeRef, Result, Verdict
from partsight.domain.views import Alignment, ImageFacts, View
from partsight.outputs.images.files import stem
from partsight.wire.screen.parts import MAX_BOXES, Part, PartRow

NAMES = ("open", "short")
MODEL = ModelRef("pcb", "a" * 64, "onnx", "fp32")
AT = datetime(2026, 1, 2, tzinfo=timezone.utc)


def inspection(**changes: Any) -> Inspection:
    """An NG part with one view."""
    trigger = Trigger(7, 7, 1, TriggerKind.CALL, AT, 1_000_000, 501_000_000, "A-1")
    finding = Finding(1001, "short 0.91 >= 0.50", "top", 0.91, (1.0, 2.0, 3.0, 4.0), "short")
    verdict = Verdict(Result.NG, Action.REJECT, (finding,), RecipeRef("board", 3, "b" * 64))
    found = Detections(
        np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float32),
        np.array([0.25, 0.75], np.float32),
        np.array([0, 1], np.int32),
        NAMES,
        MODEL,
    )
    facts = ImageFacts(640, 480, 100.0, 0.0, 50.0, alignment=Alignment((1.5, -2.0), 0.5, 0.9), counts={"holes": 4})
    plain = Inspection(uuid7(), trigger, verdict, (View("top", found, facts),), Timings(verdict_ms=42.0), MODEL)
    return replace(plain, **changes)


def test_a_part_says_what_its_record_says() -> None:
    told = part(inspection(), NAMES)
    assert (told.sequence, told.result, told.action, told.reason) == (7, Result.NG, "reject", "short")
    assert (told.recipe, told.model, told.verdict_ms) == ("board@3", "pcb aaaaaaaaaaaa", 42.0)
    assert told.times.deadline_ms == 500.0
    assert [(box.label, box.score) for box in told.views[0].boxes] == [("short", 0.75), ("open", 0.25)]
    assert told.views[0].facts["count holes"] == 4.0
    assert told.views[0].facts["shift_y_px"] == -2.0
    assert told.findings[0].box == (1.0, 2.0, 3.0, 4.0)
    assert Part.model_validate_json(told.model_dump_json()) == told


def test_the_live_event_is_the_row_of_the_record() -> None:
    of = inspection()
    message = message_of(of, NAMES)
    assert message.kind == "finished"
    assert PartRow.model_validate(message.data) == part_row(of, NAMES)


@given(text=st.text(max_size=20), number=st.floats())
def test_whatever_a_name_or_a_measurement_holds_can_be_told(text: str, number: float) -> None:
    of = inspection()
    facts = ImageFacts(640, 480, number, number, number, coverage={"there": number})
    finding = Finding(int(Reason.UNREADABLE), f"\udcff{text}", "top", number)
    of = inspection(
        trigger=replace(of.trigger, part_id=text + "\udc80"),
        verdict=replace(of.verdict, result=Result.INVALID, findings=(finding,)),
        views=(View("top", None, facts, Reason.UNREADABLE, text + "\ud800"),),
    )
    assert pack(message_of(of, NAMES))
    assert Part.model_validate_json(part(of, NAMES).model_dump_json()).sequence == 7


def test_a_flood_of_boxes_is_cut_to_the_strongest() -> None:
    scores = np.linspace(0.1, 0.9, 3000, dtype=np.float32)
    boxes = np.zeros((3000, 4), np.float32)
    found = Detections(boxes, scores, np.zeros(3000, np.int32), NAMES, MODEL)
    note = view_note(View("top", found))
    assert len(note.boxes) == MAX_BOXES
    assert note.boxes[0].score == float(scores[-1])
    data = [note.model_dump(mode="json") for _ in range(16)]
    assert len(pack(EventMessage(kind="finished", at=AT, data={"views": data}))) < 16 << 20


def test_images_are_found_by_their_names_and_nothing_else_is() -> None:
    long = "x" * 45
    views = tuple(View(name, failure=Reason.NO_FRAME) for name in ("top", long + "1", long + "2"))
    names = [stem(7, Result.NG, n, view.camera) for n, view in enumerate(views)]
    kept = (
        *(f"images/2026-01-02/{name}.png" for name in names),
        f"images/2026-01-02/{names[0]}.overlay.jpg",
        "images/2026-01-02/../../secret.png",
        "images/2026-01-02/000000000007-NG-0-other.exe",
    )
    of = inspection(views=views, images=kept)
    files = image_files(of)
    assert set(files) == {("top", "original"), ("top", "overlay"), (long + "1", "original"), (long + "2", "original")}
    assert [Path(path).name for path in files.values()] == [Path(path).name for path in kept[:4]]
    assert image_links(of)[0].path == "/api/v1/records/7/images/top/original"
