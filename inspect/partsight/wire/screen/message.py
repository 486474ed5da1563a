"""What every body of the API has in common.

Answers ignore keys that this version does not know, so that a newer daemon does not break an older screen; requests
refuse them, since a misspelt key must not be taken for a wish that was carried out.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

API_VERSION = 1
"""Of paths (`/api/v1`) and types; a screen of another version says so instead of guessing."""
MAX_SEQUENCE = 2**63 - 1


def _utc(at: datetime) -> datetime:
    try:
        return at.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError("the time is before the year 1 or after the year 9999 in UTC") from None


Time = Annotated[AwareDatetime, AfterValidator(_utc)]
"""RFC 3339 with a zone; UTC here."""
Sequence = Annotated[int, Field(ge=0, le=MAX_SEQUENCE)]
Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 in the camera's frame pixels."""


class Answer(BaseModel):
    """What the API says. Frozen."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Request(BaseModel):
    """What a client asks. Frozen; a key that is not known is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, str_max_length=4096)


class Problem(Answer):
    """Why a request was refused (RFC 9457's form). mistakes: one line each, where there are several."""

    status: int
    title: str
    detail: str = ""
    mistakes: tuple[str, ...] = ()


def now() -> datetime:
    """UTC."""
    return datetime.now(timezone.utc)
