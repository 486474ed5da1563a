"""The challenge test: known good and bad parts through the line, and what is kept of it for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, unique
from typing import Protocol

from partsight.domain.verdict import Result


@unique
class Outcome(str, Enum):
    """What a test has shown. NONE: nothing, it was broken off before any wrong verdict."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class KnownPart:
    """A part of the kit. defect: what is wrong with a bad one."""

    name: str
    bad: bool
    defect: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a test. result, right: None until it was judged. reason: what the verdict says, or why it must come
    again. confirmed: a person has said that it was this part and that the line did with it what it should.
    """

    part: KnownPart
    sequence: int | None = None
    result: Result | None = None
    reason: str = ""
    right: bool | None = None
    confirmed: bool = False
    remark: str = ""


@dataclass(frozen=True, slots=True)
class ChallengeTest:
    """A test: under way while `ended` is None.

    guided: a person shows part by part and confirms each; else the line sends them in a row. set_up: a hash of all that
    a change of makes a new test due. suspects: parts that left as good between `last_passed` and this test.
    """

    number: int
    began: datetime
    who: str
    why: str
    guided: bool
    recipe: str
    model: str
    set_up: str
    steps: tuple[Step, ...]
    ended: datetime | None = None
    outcome: Outcome | None = None
    aborted: bool = False
    note: str = ""
    last_passed: datetime | None = None
    suspects: int = 0

    @property
    def missed(self) -> int:
        """Known parts that got the wrong verdict."""
        return sum(step.right is False for step in self.steps)


@dataclass(frozen=True, slots=True)
class Past:
    """What a start must know of earlier tests. failed: none has passed since the newest that failed."""

    failed: bool = False
    passed_at: datetime | None = None
    passed_with: str = ""


class ChallengeBook(Protocol):
    """Keeps tests. One that began and whose end was not written counts as failed at the next start."""

    def past(self) -> Past:
        """Asked once, before the station judges. Raises RecordsError."""

    def began(self, test: ChallengeTest) -> int:
        """Its number, durably. Waits for the disk; raises RecordsError."""

    def ended(self, test: ChallengeTest) -> None:
        """Returns at once and never raises; it is written as soon as possible."""


def kit_problem(parts: Sequence[KnownPart]) -> str:
    """Why these parts prove nothing, "" where they do: a test needs a part of either kind."""
    if all(part.bad for part in parts):
        return "the kit has no good part: a station that rejects everything would pass"
    if not any(part.bad for part in parts):
        return "the kit has no bad part: a blind station would pass"
    return ""
