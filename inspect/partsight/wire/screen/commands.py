"""What a person asks of the station. Each is answered with `CommandAnswer`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue

from partsight.domain import messages as domain
from partsight.wire.screen.message import Answer, Request


class CommandAnswer(Answer):
    """ok: carried out. code: 0 done, 1 not now, 2 not allowed, 3 invalid, 4 unknown, 5 failed; text: why not."""

    ok: bool
    code: domain.Answer
    text: str = ""
    data: dict[str, JsonValue] = Field(default_factory=dict)


class TriggerRequest(Request):
    """Judge the part under the cameras."""

    part_id: Annotated[str, Field(max_length=128)] = ""
    id: Annotated[int, Field(ge=1, le=65535)] | None = None


class SelectRecipeRequest(Request):
    """name: `name` or `name@revision`."""

    name: Annotated[str, Field(min_length=1, max_length=128)]


class BypassRequest(Request):
    """Inspect, never reject. why: goes into the audit trail."""

    on: bool
    why: Annotated[str, Field(max_length=256)] = ""
