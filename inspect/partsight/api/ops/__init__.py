"""What the API asks the daemon to do, a file a topic. `desk.py` holds the table of all of them.

An op gets what it may touch and the request's arguments, validates these itself (pydantic), and returns what JSON can
say, or raises OpRefused. It runs in the desk's thread, or in a slow one where its `Entry` says so; never in the fast
lane's. Anything else that it raises is answered with status 500 and logged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from partsight.api.line import ApiLine, ApiSite
from partsight.config.reading import mistakes_of
from partsight.domain.errors import PartsightError, RecordsError
from partsight.outputs.images import ImageArchive
from partsight.outputs.records import SqliteRecords
from partsight.station.station import Station

AUDIT_FAULT = "api/audit"

Tell = Callable[[str, "dict[str, JsonValue]"], None]
_Arguments = TypeVar("_Arguments", bound=BaseModel)


class OpRefused(PartsightError):
    """Why a request is not carried out. status: of HTTP. mistakes: one line each, where there are several."""

    def __init__(self, status: int, text: str, mistakes: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class OpContext:
    """Who asks, and what may be touched. tell(kind, data): an event for the screens (see `EventNote`)."""

    line: ApiLine
    who: str
    source: str
    tell: Tell

    @property
    def station(self) -> Station:
        return self.line.station

    @property
    def records(self) -> SqliteRecords:
        return self.line.records

    @property
    def archive(self) -> ImageArchive | None:
        return self.line.archive

    @property
    def site(self) -> ApiSite:
        return self.line.site

    def audit(self, what: str, before: object = None, after: object = None) -> bool:
        """A row of the audit trail. False, and a fault that people see, where it cannot be written."""
        try:
            self.records.audit(self.who or "nobody", self.source, what, before, after)
        except RecordsError as problem:
            text = f"{what} by {self.who or 'nobody'} could not be audited: {problem}"
            self.station.faults.raise_(AUDIT_FAULT, text, "see the disk of the records")
            return False
        self.station.faults.clear(AUDIT_FAULT)
        return True


Op = Callable[[OpContext, dict[str, Any]], JsonValue]


def _quick(_: Mapping[str, Any]) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Entry:
    """slow(arguments): whether it may take more than some ten milliseconds; then it does not hold up the others."""

    run: Op
    slow: Callable[[Mapping[str, Any]], bool] = _quick


def always(_: Mapping[str, Any]) -> bool:
    """For `Entry.slow`."""
    return True


def arguments(model: type[_Arguments], args: Mapping[str, Any]) -> _Arguments:
    """Raises OpRefused (422) with every mistake."""
    try:
        return model.model_validate(args)
    except ValidationError as error:
        mistakes = tuple(f"{m.key}: {m.problem}" if m.key else m.problem for m in mistakes_of(error, "", ""))
        raise OpRefused(422, "the request does not hold what it must", mistakes) from error
