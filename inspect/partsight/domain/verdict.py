"""The answer for one part."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum, unique

from partsight.domain.reasons import Reason


@unique
class Result(str, Enum):
    """Only OK passes. INVALID: could not be judged. REVIEW: inside the recipe's band of doubt."""

    OK = "OK"
    NG = "NG"
    REVIEW = "REVIEW"
    INVALID = "INVALID"


@unique
class Action(IntEnum):
    """What the line does with the part; a receiver passes on PASS and nothing else."""

    PASS = 0
    REJECT = 1
    HOLD = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that spoke against a part.

    code: a `Reason`, or 1000 + class for a defect.
    box: (x1, y1, x2, y2) in frame pixels, None where it has no place.
    """

    code: int
    text: str
    camera: str = ""
    score: float | None = None
    box: tuple[float, float, float, float] | None = None
    rule: str = ""
    severity: str = ""


@dataclass(frozen=True, slots=True)
class RecipeRef:
    """Which recipe decided."""

    name: str
    revision: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """A part's result with its reasons, the heaviest first."""

    result: Result
    action: Action
    findings: tuple[Finding, ...]
    recipe: RecipeRef

    def __post_init__(self) -> None:
        if self.result is Result.OK and self.findings:
            raise ValueError("an OK verdict cannot have findings")
        if self.result is not Result.OK and not self.findings:
            raise ValueError(f"a verdict of {self.result.value} must say why")
        if self.action is Action.PASS and self.result is not Result.OK:
            raise ValueError(f"a verdict of {self.result.value} cannot pass")

    @property
    def code(self) -> int:
        """The heaviest reason, 0 for OK."""
        return self.findings[0].code if self.findings else int(Reason.NONE)


def invalid(reason: Reason, text: str, recipe: RecipeRef, camera: str = "") -> Verdict:
    """An INVALID verdict with one reason: the part could not be judged and is rejected."""
    return Verdict(Result.INVALID, Action.REJECT, (Finding(int(reason), text, camera),), recipe)
