"""What a line controller hears from a station and tells it, whichever wire lies between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from partsight.domain.errors import PartsightError
from partsight.testing.plc.tracking import Answered


class LinkUnavailable(PartsightError):
    """The broker or the station cannot be reached."""


@dataclass(frozen=True, slots=True)
class Beat:
    """The station's heartbeat: it lives as long as (epoch, count) changes. newest_id: trigger it took last, 0 none."""

    epoch: int
    count: int
    ready: bool
    packml: int
    newest_id: int = 0


@dataclass(frozen=True, slots=True)
class Latch:
    """What became of a trigger."""

    id: int
    accepted: bool


@dataclass(frozen=True, slots=True)
class StationWord:
    """What the station says beside it: does it ask for an acknowledgement or to stop the line?"""

    error: bool
    line_stop: bool
    text: str = ""


Heard = Beat | Latch | Answered | StationWord


class Link(Protocol):
    """One thread calls all of it; nothing blocks for longer than `open`'s timeout. What cannot be sent is lost:
    a controller never counts on it."""

    def open(self, timeout_s: float) -> None:
        """Connect. Raises LinkUnavailable; later losses are healed by the link itself."""

    def poll(self) -> list[Heard]:
        """What came since the last call, in order."""

    def trigger(self, number: int, id_: int, encoder: int) -> int:
        """Ask for a verdict. The id that the part has from now on, 0 where the trigger could not be sent."""

    def acknowledge(self, id_: int) -> None:
        """Every verdict up to this one is taken."""

    def beat(self) -> None:
        """The controller lives."""

    def confirm_reject(self, id_: int, *, confirmed: bool) -> None:
        """What the reject sensor saw of a part that was to be rejected."""

    def operator(self, *, error: bool) -> None:
        """What a person does after a stop: acknowledge (where there is an error) and start."""

    def close(self) -> None:
        """Hang up. Never raises."""
