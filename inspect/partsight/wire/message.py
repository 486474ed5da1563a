"""What every payload has in common: frozen, checked, one line of compact JSON."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from partsight.domain.errors import PartsightError

MAX_ID = 65535
MAX_INT64 = 2**63 - 1
MAX_PART = 128
"""Characters of a part's id that the line may send."""

# Not Literal, which takes `false` for 0 and `true` for 1: a verdict with `"a": false` would read as a pass.
Version = Annotated[int, Field(ge=1, le=1)]
Flag = Annotated[int, Field(ge=0, le=1)]
Id = Annotated[int, Field(ge=1, le=MAX_ID)]
Int64 = Annotated[int, Field(ge=-(2**63), le=MAX_INT64)]
EpochMs = Annotated[int, Field(ge=0, le=MAX_INT64, description="milliseconds since 1970 UTC")]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)

M = TypeVar("M", bound="Message")


class WireError(PartsightError, ValueError):
    """A payload that is not what its topic asks for; the text says which key and why."""


class Message(BaseModel):
    """A payload. Types are exact (`"1"` is no number); keys that this version does not know are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    def to_bytes(self) -> bytes:
        """Compact JSON in UTF-8, keys in the order of the fields."""
        return self.model_dump_json(by_alias=True).encode()

    @classmethod
    def parse(cls: type[M], payload: bytes) -> M:
        """Raises WireError."""
        try:
            return cls.model_validate_json(payload)
        except ValidationError as problem:
            raise WireError(explain(problem)) from None


def explain(problem: ValidationError) -> str:
    """The mistakes in one line: `key: what is wrong`, the first three of them."""
    found = problem.errors(include_url=False, include_context=False, include_input=False)
    said = [f"{'.'.join(str(p) for p in e['loc']) or 'payload'}: {e['msg']}" for e in found[:3]]
    more = [f"and {len(found) - 3} more"] if len(found) > 3 else []
    return "; ".join([*said, *more])[:300]


def clean(text: str) -> str:
    """Text that UTF-8 can hold: half of a surrogate pair, which a broken reader may hand in, becomes `?`."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def epoch_ms(at: datetime) -> int:
    """Milliseconds since 1970 of a time with a zone, rounded down."""
    return (at - _EPOCH) // _MILLISECOND


def rfc3339(at: datetime) -> str:
    """UTC with milliseconds: `2026-11-24T02:00:00.123Z`."""
    return at.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
