"""From one key to what is sent: what right, wrong and a class mean for each verdict."""

from __future__ import annotations

from dataclasses import dataclass

from partsight.domain.verdict import Result
from partsight.gui.review.draft import Draft
from partsight.wire.screen.parts import Disposition, PartRow, ReviewRequest


@dataclass(frozen=True, slots=True)
class Said:
    """What a person has said of a part, until the station has it. who: whose login it was."""

    row: PartRow
    who: str
    request: ReviewRequest
    draft: Draft

    @property
    def sequence(self) -> int:
        """Of the part."""
        return self.row.sequence

    def is_kept_as(self, kept: Disposition | None) -> bool:
        """The station has just this: a request whose answer was lost had arrived.

        Boxes only by their number: the station cuts them at the picture's edge.
        """
        said = self.request
        return (
            kept is not None
            and (kept.who, kept.judgement, kept.is_ok, kept.label, kept.remark)
            == (self.who, said.judgement, said.is_ok, said.label, said.remark)
            and (None if kept.boxes is None else len(kept.boxes)) == (None if said.boxes is None else len(said.boxes))
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """The station has it as this disposition: it can be taken back."""

    said: Said
    as_: Disposition


def is_part_ok(result: Result, *, right: bool) -> bool | None:
    """Whether the part is good, when the verdict is right or wrong.

    REVIEW means a defect that the model is not sure of: right is that the defect is there. INVALID says nothing of the
    part, so neither does its judgement.
    """
    if result is Result.INVALID:
        return None
    return right is (result is Result.OK)


def judged(draft: Draft, result: Result, *, right: bool, remark: str = "") -> ReviewRequest:
    """By R or W."""
    return _request(draft, right=right, is_ok=is_part_ok(result, right=right), label="", remark=remark)


def labelled(draft: Draft, result: Result, label: str, remark: str = "") -> ReviewRequest:
    """By a class: the part is bad, and by this. The verdict was right where it did not let the part pass as good, and
    said something of it.
    """
    right = result in {Result.NG, Result.REVIEW}
    return _request(draft, right=right, is_ok=False, label=label, remark=remark)


def _request(draft: Draft, *, right: bool, is_ok: bool | None, label: str, remark: str) -> ReviewRequest:
    return ReviewRequest(
        judgement="right" if right else "wrong",
        is_ok=is_ok,
        label=label,
        boxes=draft.boxes if draft.looked_at else None,
        remark=remark,
    )
