"""Faults that real cameras have, on request: at a set part, for a number of parts or seconds."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal["stall", "drop", "freeze", "black", "overexposed", "disconnect"]


class Misbehaviour(BaseModel):
    """One fault.

    kind: stall (nothing comes), drop (frames are lost, the camera's frame number counts on), freeze (the
        last picture again under a new number), black, overexposed, or disconnect (the camera is lost, and
        cannot be opened for a while).
    after: how many parts pass before it begins.
    parts, seconds: how long it lasts, one of the two. For a disconnect, `parts` counts failing attempts to open.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    after: int = Field(default=0, ge=0)
    parts: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _lasts(self) -> Misbehaviour:
        if (self.parts is None) == (self.seconds is None):
            raise ValueError("say how long it lasts: either `parts` or `seconds`")
        return self


class Temper:
    """Which fault is on: one at a time, in the order in which they begin."""

    def __init__(self, planned: tuple[Misbehaviour, ...]) -> None:
        self._planned = sorted(planned, key=lambda one: one.after)
        self._now: Misbehaviour | None = None
        self._until_part = 0
        self._until_s = 0.0
        self._attempts_left = 0

    def add(self, fault: Misbehaviour) -> None:
        """Plan one more."""
        self._planned.append(fault)
        self._planned.sort(key=lambda one: one.after)

    def at(self, part: int, now_s: float) -> Kind | None:
        """The fault that part `part` (from 0) meets at this monotonic time, None for none; asking twice is harmless."""
        if self._now is not None and self._is_over(part, now_s):
            self._now = None
        if self._now is None and self._planned and self._planned[0].after <= part:
            self._now = self._planned.pop(0)
            self._until_part = part + (self._now.parts or 0)
            self._until_s = now_s + (self._now.seconds or 0.0)
            self._attempts_left = self._now.parts or 0
        return None if self._now is None else self._now.kind

    def refuses_to_open(self, now_s: float) -> bool:
        """Whether a disconnect still holds; each call counts as an attempt."""
        if self._now is None or self._now.kind != "disconnect":
            return False
        if self._now.seconds is not None:
            refused = now_s < self._until_s
        else:
            refused = self._attempts_left > 0
            self._attempts_left -= 1
        if not refused:
            self._now = None
        return refused

    def _is_over(self, part: int, now_s: float) -> bool:
        fault = self._now
        if fault is None or fault.kind == "disconnect":
            return False
        return part >= self._until_part if fault.parts is not None else now_s >= self._until_s
