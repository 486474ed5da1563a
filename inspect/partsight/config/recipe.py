"""What a quality engineer writes: when a part is good, and what proves that it can be judged at all."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from partsight.config.reading import Table, read_toml, validate
from partsight.config.station import Name

Score = Annotated[float, Field(ge=0, le=1)]
Similarity = Annotated[float, Field(ge=-1, le=1)]
Coordinate = Annotated[float, Field(ge=-100_000, le=100_000)]
Point = tuple[Coordinate, Coordinate]
Severity = Literal["critical", "major", "minor"]


class ClassRule(Table):
    """`[classes.NAME]`: when a box of this class counts. A key left out comes from `[defaults]`.

    threshold: score at which it is a defect; None takes the model card's.
    review: score from which it is doubtful (REVIEW); None means no band of doubt.
    min_size_px, min_size_mm: the box's longer side; smaller ones do not count.
    ng_count: how many of this class make the part NG; None counts them by `[severity]`, with others alike.
    """

    threshold: Score | None = None
    review: Score | None = None
    min_size_px: float | None = Field(default=None, ge=0)
    min_size_mm: float | None = Field(default=None, ge=0)
    ng_count: int | None = Field(default=None, ge=1)
    severity: Severity | None = None
    enabled: bool | None = None

    @model_validator(mode="after")
    def _one_size(self) -> ClassRule:
        if self.min_size_px is not None and self.min_size_mm is not None:
            raise ValueError("min_size_px and min_size_mm are both given: keep one")
        if self.threshold is not None and self.review is not None and self.review > self.threshold:
            raise ValueError(f"review = {self.review} is above threshold = {self.threshold}: the band would be empty")
        return self


class ImageChecks(Table):
    """`[views.image]`: what makes an image fit to be judged. Grey values are 0 to 255."""

    size: tuple[int, int] | None = None
    black_below: float = Field(default=4.0, ge=0, le=255)
    overexposed_above: float = Field(default=251.0, ge=0, le=255)
    level: tuple[float, float] | None = None
    saturated_max: Score | None = None
    sharpness_min: float | None = Field(default=None, ge=0)
    frozen: bool = True

    @field_validator("level")
    @classmethod
    def _ordered(cls, level: tuple[float, float] | None) -> tuple[float, float] | None:
        if level is not None and level[0] > level[1]:
            raise ValueError(f"the lower limit {level[0]} is above the upper {level[1]}")
        return level


class Fiducial(Table):
    """A mark of the part: a small picture and the place of its centre in the reference picture."""

    picture: str
    at: Point


class AlignmentRule(Table):
    """`[views.alignment]`: the part is present and in its place, shown by its fiducials.

    search_px: how far from its place each fiducial is looked for; at least max_shift_px.
    """

    fiducials: tuple[Fiducial, ...] = Field(min_length=1, max_length=16)
    min_score: Similarity = 0.6
    max_shift_px: float = Field(default=20.0, gt=0)
    max_angle_deg: float = Field(default=3.0, gt=0, le=45)
    search_px: float = Field(default=48.0, gt=0, le=1000)

    @model_validator(mode="after")
    def _reach(self) -> AlignmentRule:
        if self.search_px < self.max_shift_px:
            raise ValueError(f"search_px = {self.search_px} is under max_shift_px = {self.max_shift_px}")
        return self


class LikenessRule(Table):
    """`[views.likeness]`: the whole part looks like this picture of it, else it is a wrong part."""

    picture: str
    min: Similarity = 0.5


class CoverageRule(Table):
    """`[[views.coverage]]`: the share of pixels brighter than `bright_above` inside a region lies in limits."""

    name: Name
    bright_above: float = Field(default=128.0, ge=0, le=255)
    min: Score
    max: Score = 1.0
    region: tuple[Point, ...] = ()

    @model_validator(mode="after")
    def _ordered(self) -> CoverageRule:
        if self.min > self.max:
            raise ValueError(f"min = {self.min} is above max = {self.max}")
        if self.region and len(self.region) < 3:
            raise ValueError("a region needs three corners or more")
        if self.min <= 0 and self.max >= 1:
            raise ValueError("limits of 0 and 1 prove nothing")
        return self


class FeatureRule(Table):
    """`[[views.features]]`: something that a good part has so many of.

    By `picture` and `places`: at how many places the picture is found (similarity of at least `min_score`
    within `search_px`, after alignment). By `class`: how many boxes of that class the model gives.
    """

    name: Name
    picture: str | None = None
    places: tuple[Point, ...] = ()
    min_score: Score = 0.6
    search_px: float = Field(default=8.0, gt=0, le=200)
    class_name: str | None = Field(default=None, alias="class")
    min_count: int = Field(ge=0)
    max_count: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _one_kind(self) -> FeatureRule:
        by_picture = self.picture is not None
        if by_picture == (self.class_name is not None):
            raise ValueError("give either 'picture' with 'places', or 'class'")
        if by_picture and not self.places:
            raise ValueError("'picture' needs 'places'")
        if by_picture and self.min_count > len(self.places):
            raise ValueError(f"min_count = {self.min_count}, but only {len(self.places)} places are given")
        if self.max_count is not None and self.max_count < self.min_count:
            raise ValueError(f"max_count = {self.max_count} is under min_count = {self.min_count}")
        if self.min_count == 0 and self.max_count is None:
            raise ValueError("min_count = 0 without max_count proves nothing")
        return self

    @property
    def proves_presence(self) -> bool:
        """True where an empty belt cannot satisfy it."""
        return self.min_count > 0


class Region(Table):
    """`[[views.regions]]`: where defects count ('inspect') or never count ('ignore').

    A box belongs to a region if its centre is inside. Corners are in the reference picture's pixels and
    move with the part. `classes`: only for these; empty means all.
    """

    name: Name
    kind: Literal["inspect", "ignore"]
    corners: tuple[Point, ...] = Field(min_length=3)
    classes: tuple[str, ...] = ()


class ViewRules(Table):
    """`[[views]]`: what holds for one camera; `camera = "*"` for every camera that has no view of its own."""

    camera: str
    image: ImageChecks = ImageChecks()
    alignment: AlignmentRule | None = None
    likeness: LikenessRule | None = None
    coverage: tuple[CoverageRule, ...] = ()
    features: tuple[FeatureRule, ...] = ()
    regions: tuple[Region, ...] = ()

    @model_validator(mode="after")
    def _evidence(self) -> ViewRules:
        proves = (
            self.alignment is not None
            or self.likeness is not None
            or any(c.min > 0 for c in self.coverage)
            or any(f.proves_presence for f in self.features)
        )
        if not proves:
            raise ValueError(
                "has no positive evidence: 'no defect found' would pass an empty belt. Give at least one of "
                "alignment, likeness, coverage with min above 0, or features with min_count above 0"
            )
        return self


class SeverityCounts(Table):
    """`[severity]`: how many defects of a severity, over all classes, make the part NG."""

    critical: int = Field(default=1, ge=1)
    major: int = Field(default=1, ge=1)
    minor: int = Field(default=1, ge=1)


class RecipeFile(Table):
    """A whole recipe file. `id` is the number by which a PLC selects it."""

    schema_version: Literal[1] = Field(alias="schema")
    name: Name
    revision: int = Field(ge=1, le=2_147_483_647)
    id: int = Field(default=1, ge=1, le=65535)
    description: str = ""
    defaults: ClassRule = ClassRule()
    classes: dict[str, ClassRule] = Field(default_factory=dict)
    severity: SeverityCounts = SeverityCounts()
    review_action: Literal["reject", "hold"] = "reject"
    views: tuple[ViewRules, ...] = Field(min_length=1)

    @field_validator("views")
    @classmethod
    def _cameras_differ(cls, views: tuple[ViewRules, ...]) -> tuple[ViewRules, ...]:
        names = [v.camera for v in views]
        double = sorted({n for n in names if names.count(n) > 1})
        if double:
            raise ValueError(f"two views are for camera {', '.join(double)}; keep one")
        return views


def read_recipe(path: Path) -> RecipeFile:
    """The recipe in `path`. Raises ConfigError with all its mistakes; class names are checked later."""
    return validate(RecipeFile, read_toml(path), str(path))
