"""Recipes as screens change them: thresholds and regions; all else stays as the file has it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from partsight.domain.verdict import Result
from partsight.wire.screen.message import Answer, Request, Sequence, Time

Score = Annotated[float, Field(ge=0, le=1)]
Corner = tuple[Annotated[float, Field(ge=-100_000, le=100_000)], Annotated[float, Field(ge=-100_000, le=100_000)]]


class ClassSetting(Request):
    """review: from here it is doubtful, None for no band. min_size: longer side, in mm where `in_mm`, else pixels."""

    threshold: Score
    review: Score | None = None
    min_size: Annotated[float, Field(ge=0, le=100_000)] = 0.0
    in_mm: bool = False
    enabled: bool = True


class RegionSetting(Request):
    """Corners in the reference picture's pixels."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    kind: Literal["inspect", "ignore"]
    corners: Annotated[tuple[Corner, ...], Field(min_length=3, max_length=64)]
    classes: Annotated[tuple[str, ...], Field(max_length=256)] = ()


class RecipeSettings(Request):
    """What a screen can change. classes: by name, each that is given. regions: by camera (`*` for every camera that has
    no view of its own), each that is given replaces that view's list.
    """

    classes: dict[str, ClassSetting] = Field(default_factory=dict)
    regions: dict[str, Annotated[tuple[RegionSetting, ...], Field(max_length=100)]] = Field(default_factory=dict)


class RecipeSave(RecipeSettings):
    """A new version. base: the revision that was changed; refused where another has been saved since."""

    base: int
    remark: Annotated[str, Field(max_length=256)] = ""


class RecipeRestore(Request):
    """Bring an earlier version back, as a new one. sha256: which, where the list has several of this revision (a file
    that was changed by hand); "" for the one that was first.
    """

    revision: Annotated[int, Field(ge=1)]
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    remark: Annotated[str, Field(max_length=256)] = ""


class RecipeTry(RecipeSettings):
    """How the last parts would have been judged by these settings."""

    parts: Annotated[int, Field(ge=1, le=1000)] = 200


class Change(Answer):
    """A part whose verdict would be another."""

    sequence: Sequence
    part_id: str = ""
    before: Result
    after: Result
    reason: str = ""


class Trial(Answer):
    """parts: how many were judged again; skipped: had no boxes to judge by. before, after: counts by verdict."""

    parts: int
    skipped: int
    before: dict[Result, int]
    after: dict[Result, int]
    changes: tuple[Change, ...] = ()


class RecipeVersion(Answer):
    """A version that was on the line, newest first in lists."""

    revision: int
    saved: Time
    who: str
    remark: str = ""
    sha256: str = ""


class RecipeRow(Answer):
    """A recipe that can be selected. problem: why it cannot be, "" else."""

    name: str
    revision: int
    id: int
    description: str = ""
    active: bool = False
    problem: str = ""


class RecipeDetail(RecipeRow):
    """A recipe with all its settings and versions. writable: whether it can be saved here. reference: path of the
    reference picture by camera, where the recipe has one.
    """

    classes: dict[str, ClassSetting]
    regions: dict[str, tuple[RegionSetting, ...]]
    cameras: tuple[str, ...] = ()
    versions: tuple[RecipeVersion, ...] = ()
    writable: bool = False
    reference: dict[str, str] = Field(default_factory=dict)
    floor: float = Field(
        default=0.0, description="scores under this were never stored: no threshold below can be tried"
    )


class RecipeSaved(RecipeDetail):
    """A new version is there. selected: it judges from now on. text: why it does not, though the one before did."""

    selected: bool = False
    text: str = ""


class ModelRow(Answer):
    """A model bundle that is here."""

    name: str
    sha256: str
    classes: tuple[str, ...] = ()
    architecture: str = ""
    licence: str = ""
    input_size: str = ""
    scores: dict[str, float | str] = Field(default_factory=dict)
    active: bool = False
    problem: str = ""
