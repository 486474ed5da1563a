"""Judged parts: rows of a list, one with everything, and what people say of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from partsight.domain.status import Mode
from partsight.domain.verdict import Result
from partsight.wire.screen.message import Answer, Box, Request, Sequence, Time

MAX_BOXES = 500
ImageKind = Literal["original", "overlay"]


class FoundBox(Answer):
    """A box of the model, down to its floor. score: 0..1."""

    label: str
    class_id: int
    score: float
    box: Box


class FindingNote(Answer):
    """One thing that spoke against the part; code: a reason, or 1000 + class for a defect."""

    code: int
    text: str
    camera: str = ""
    score: float | None = None
    box: Box | None = None
    rule: str = ""
    severity: str = ""


class ImageLink(Answer):
    """A kept image. path: of the API, relative to its root; add `?width=640` for a smaller JPEG."""

    camera: str
    kind: ImageKind
    path: str


class ViewNote(Answer):
    """One camera's share. failure: reason code, None where the view could be judged."""

    camera: str
    width: int | None = None
    height: int | None = None
    boxes: tuple[FoundBox, ...] = ()
    failure: int | None = None
    detail: str = ""
    facts: dict[str, float | bool | str | None] = Field(default_factory=dict)


class TimesNote(Answer):
    """Milliseconds since the trigger; infer, detect and decide are durations."""

    frame_ms: float | None = None
    start_ms: float | None = None
    infer_ms: float | None = None
    detect_ms: float | None = None
    decide_ms: float | None = None
    verdict_ms: float | None = None
    deadline_ms: float | None = None


class ReviewBox(Request):
    """A box as a person has it."""

    camera: Annotated[str, Field(max_length=64)]
    label: Annotated[str, Field(min_length=1, max_length=64)]
    box: Box


class ReviewRequest(Request):
    """What a person says of a part; the record, its counters and what the PLC got never change.

    judgement: is the verdict right? is_ok: is the part good? (None: cannot be said from the picture).
    label: the defect, where one was chosen by its key. boxes: None where the boxes were not looked at, else all that
    are really there: training data.
    """

    judgement: Literal["right", "wrong"]
    is_ok: bool | None = None
    label: Annotated[str, Field(max_length=64)] = ""
    boxes: Annotated[tuple[ReviewBox, ...], Field(max_length=MAX_BOXES)] | None = None
    remark: Annotated[str, Field(max_length=512)] = ""


class Disposition(Answer):
    """The newest thing that was said of a part and not undone."""

    judgement: Literal["right", "wrong"]
    is_ok: bool | None
    label: str = ""
    boxes: tuple[ReviewBox, ...] | None = None
    remark: str = ""
    who: str
    at: Time


class PartRow(Answer):
    """A part in a list. reason: the heaviest in words, "" for OK. action: pass, reject or hold."""

    sequence: Sequence
    id: int
    epoch: int
    uid: str
    part_id: str = ""
    at: Time
    result: Result
    action: str
    code: int = 0
    reason: str = ""
    recipe: str
    model: str = ""
    mode: Mode
    simulated: bool = False
    verdict_ms: float | None = None
    images: tuple[ImageLink, ...] = ()
    disposition: Disposition | None = None


class Part(PartRow):
    """A part with all that led to its verdict."""

    kind: str = ""
    encoder: int | None = None
    findings: tuple[FindingNote, ...] = ()
    views: tuple[ViewNote, ...] = ()
    times: TimesNote = TimesNote()
    model_sha256: str = ""
    backend: str = ""
    precision: str = ""
    recipe_sha256: str = ""
    late: Result | None = None
    truth_good: bool | None = None


class PartPage(Answer):
    """Newest first. next_before: ask with `before=` for the next page; None on the last."""

    parts: tuple[PartRow, ...]
    next_before: int | None = None


class QueuePage(Answer):
    """Parts that wait for a person, oldest first. waiting: all of them; done_today: reviewed since midnight UTC."""

    parts: tuple[PartRow, ...]
    waiting: int
    done_today: int
