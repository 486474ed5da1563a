"""What `doctor` sees: one thing each, how bad it is, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique


@unique
class Level(str, Enum):
    """OK: as it should be. NOTE: worth knowing, a station runs all the same. PROBLEM: stops a station."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Observation:
    """area: hardware, python, backends, cameras, disk, clock, models. cure: "" where there is nothing to do."""

    level: Level
    area: str
    what: str
    text: str
    cure: str = ""


def ok(area: str, what: str, text: str) -> Observation:
    return Observation(Level.OK, area, what, text)


def note(area: str, what: str, text: str, cure: str = "") -> Observation:
    return Observation(Level.NOTE, area, what, text, cure)


def problem(area: str, what: str, text: str, cure: str) -> Observation:
    return Observation(Level.PROBLEM, area, what, text, cure)
