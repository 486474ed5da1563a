"""What the station measured in an image, and what a recipe sees of a part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from partsight.domain.detections import Detections
from partsight.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class Alignment:
    """Where the part lies, against where the recipe expects it.

    shift_px: (dx, dy) of the part's centre, frame pixels.
    angle_deg: turn of the part, counter-clockwise positive.
    score: similarity of the fiducial that fits worst, normalised cross-correlation, -1..1.
    """

    shift_px: tuple[float, float]
    angle_deg: float
    score: float


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """Measured by the station from one frame; recipes only read them.

    level: mean of all values, 0..255 (deeper images scaled to 8 bits).
    saturated: share of values at the top of the range, 0..1.
    sharpness: variance of the Laplacian of the 8-bit grey image at half size.
    frozen: bit-identical with the frame before, live cameras only.
    alignment: None where the recipe asks for none or nothing was found.
    likeness: similarity of the whole part with the recipe's picture of it after alignment, -1..1;
        None where the recipe gives no picture or the part could not be aligned.
    counts: what was counted, by the recipe's name of the feature.
    coverage: share of bright pixels, by the recipe's name of the region.
    mm_per_px: the camera's scale, None where the site gives none.
    """

    width: int
    height: int
    level: float
    saturated: float
    sharpness: float
    frozen: bool = False
    alignment: Alignment | None = None
    likeness: float | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    coverage: Mapping[str, float] = field(default_factory=dict)
    mm_per_px: float | None = None


@dataclass(frozen=True, slots=True)
class View:
    """One camera's share of a part: what was found and measured, or why there is nothing.

    failure: set where the view cannot be judged (no frame, unreadable, detector failed); a view with a
    failure makes the part INVALID whatever else it holds.
    """

    camera: str
    detections: Detections | None = None
    facts: ImageFacts | None = None
    failure: Reason | None = None
    detail: str = ""
