"""Which parts the gallery shows, and how pages of several verdicts become one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from partsight.domain.verdict import Result
from partsight.wire.screen.parts import PartPage, PartRow

REJECTED = (Result.NG, Result.REVIEW, Result.INVALID)
PAGE = 60


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the bar over the gallery says. results: at least one. since, until: trigger time, until not included."""

    results: tuple[Result, ...] = REJECTED
    code: int | None = None
    recipe: str | None = None
    part_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def query(self, result: Result, before: int | None = None) -> dict[str, str | int | float | bool | None]:
        """For `GET records`, which takes one verdict at a time."""
        return {
            "result": result.value,
            "code": self.code,
            "recipe": self.recipe,
            "part_id": self.part_id,
            "since": self.since.isoformat() if self.since is not None else None,
            "until": self.until.isoformat() if self.until is not None else None,
            "before": before,
            "limit": PAGE,
        }

    def fits(self, row: PartRow) -> bool:
        """A part that has just come, by the same rules as the station's."""
        return (
            row.result in self.results
            and (self.code is None or row.code == self.code)
            and (self.recipe is None or self.recipe in {row.recipe, row.recipe.rpartition("@")[0]})
            and (self.part_id is None or row.part_id == self.part_id)
            and (self.since is None or row.at >= self.since)
            and (self.until is None or row.at < self.until)
        )


@dataclass(frozen=True, slots=True)
class Merged:
    """rows: newest first, without a gap. before: where to go on, None at the end."""

    rows: tuple[PartRow, ...]
    before: int | None


def merge(pages: list[PartPage]) -> Merged:
    """Pages of several verdicts, asked with the same `before`: as far as all of them reach.

    Below the lowest part of a page that goes on there may be parts that were not asked for yet.
    """
    ends = [page.parts[-1].sequence for page in pages if page.next_before is not None and page.parts]
    cut = max(ends, default=None)
    rows = sorted((row for page in pages for row in page.parts), key=lambda row: row.sequence, reverse=True)
    return Merged(tuple(row for row in rows if cut is None or row.sequence >= cut), cut)
