"""The parts of the gallery: asked page by page, added to as they come, never more than so many."""

from __future__ import annotations

from functools import partial

from pydantic import ValidationError
from PySide6.QtCore import QObject, QTimer, Signal

from partsight.domain.verdict import Result
from partsight.gui.calls import Call, Refusal
from partsight.gui.client import Client
from partsight.gui.rejects.wanted import PAGE, Merged, Wanted, merge
from partsight.wire.screen.message import now
from partsight.wire.screen.parts import Disposition, PartPage, PartRow
from partsight.wire.screen.stream import EventNote, Gap, Welcome

KEPT_ROWS = 3000
"""Of the newest; older ones are asked for again when someone scrolls there."""
ARCHIVE_MS = 1200
ARCHIVE_S = 15.0
"""So long after its trigger a part without pictures may still get them."""


class Feed(QObject):
    """What the records say, and what comes. Rows are newest first.

    `begun(rows)`: the first page of a new question. `older(rows)`: one more page. `came(rows)`: new parts, oldest
    first. `changed(row)`: pictures were kept, or someone said something. `failed(text)`.
    """

    begun = Signal(object)
    older = Signal(object)
    came = Signal(object)
    changed = Signal(object)
    failed = Signal(str)

    def __init__(self, client: Client, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._client = client
        self.wanted = Wanted()
        self.before: int | None = None
        self.asking = False
        self._begun = False
        self._newest = -1
        self._calls: list[Call] = []
        self._pages: dict[Result, PartPage] = {}
        self._bare: dict[int, PartRow] = {}
        self._early: list[PartRow] = []
        self._archive = QTimer(self, interval=ARCHIVE_MS, singleShot=True)
        self._archive.timeout.connect(self._ask_bare)
        client.happened.connect(self._take_event)
        client.welcome.connect(self._catch_up)
        client.gap.connect(self._catch_up)

    # Asking

    def begin(self, wanted: Wanted) -> None:
        """Another question; `begun` follows."""
        self.wanted = wanted
        self._begun = False
        self._newest = -1
        self._early = []
        self._ask(None, self._first)

    def more(self) -> None:
        """The next page, if there is one and none is on its way; `older` follows."""
        if not self.asking and self._begun and self.before is not None:
            self._ask(self.before, self._next)

    def forget_below(self, sequence: int) -> None:
        """Rows under this one are not kept: they are asked for again."""
        self.before = sequence

    def _ask(self, before: int | None, done: object) -> None:
        for call in self._calls:
            call.cancel()
        self._pages = {}
        self.asking = True
        self._calls = [
            self._client.call(
                "GET",
                "records",
                params=self.wanted.query(result, before),
                answer=PartPage,
                then=partial(self._collect, result, done),
                failed=self._refused,
                owner=self,
            )
            for result in self.wanted.results
        ]

    def _collect(self, result: Result, done: object, page: PartPage) -> None:
        self._pages[result] = page
        if len(self._pages) == len(self.wanted.results) and callable(done):
            self.asking = False
            done(merge(list(self._pages.values())))

    def _refused(self, refusal: Refusal) -> None:
        for call in self._calls:
            call.cancel()
        self.asking = False
        self.failed.emit(str(refusal))

    def _first(self, page: Merged) -> None:
        self._begun = True
        self.before = page.before
        self._newest = max((row.sequence for row in page.rows), default=-1)
        self.begun.emit(list(page.rows))
        self._watch_bare(page.rows)
        early, self._early = self._early, []
        for row in early:
            self._take_row(row)

    def _next(self, page: Merged) -> None:
        self.before = page.before
        self.older.emit(list(page.rows))

    def _catch_up(self, _what: Gap | Welcome) -> None:
        """Parts were judged while nobody listened."""
        if not self._begun:
            self.begin(self.wanted)
        elif not self.asking:
            self._ask(None, self._missed)

    def _missed(self, page: Merged) -> None:
        new = [row for row in page.rows if row.sequence > self._newest]
        if len(new) == len(page.rows) and page.before is not None:
            # More than a page was missed: the list would have a hole.
            self._first(page)
        elif new:
            self._arrive(new[::-1])

    # Coming

    def _take_event(self, event: EventNote) -> None:
        if event.kind == "reviewed":
            self._take_review(event)
        if event.kind != "finished":
            return
        try:
            row = PartRow.model_validate(event.data)
        except ValidationError:
            # The line view, which shows every part, has said so.
            return
        if not self.wanted.fits(row):
            return
        if self._begun:
            self._take_row(row)
        else:
            # The first page was perhaps read before this part was recorded.
            self._early = [*self._early, row][-PAGE:]

    def _take_row(self, row: PartRow) -> None:
        if row.sequence > self._newest:
            self._arrive([row])

    def _arrive(self, rows: list[PartRow]) -> None:
        self._newest = max(row.sequence for row in rows)
        self.came.emit(rows)
        self._watch_bare(rows)

    def _take_review(self, event: EventNote) -> None:
        sequence, said = event.data.get("sequence"), event.data.get("disposition")
        try:
            disposition = None if said is None else Disposition.model_validate(said)
        except ValidationError:
            return
        if isinstance(sequence, int):
            self.changed.emit((sequence, {"disposition": disposition}))

    # Pictures are kept a moment after the verdict

    def _watch_bare(self, rows: object) -> None:
        for row in rows if isinstance(rows, (list, tuple)) else ():
            if not row.images and (now() - row.at).total_seconds() < ARCHIVE_S:
                self._bare[row.sequence] = row
        if self._bare and not self._archive.isActive():
            self._archive.start()

    def _ask_bare(self) -> None:
        """One question for all of them: they are neighbours."""
        fresh = {s: row for s, row in self._bare.items() if (now() - row.at).total_seconds() < ARCHIVE_S}
        self._bare = fresh
        for result in {row.result for row in fresh.values()}:
            newest = max(row.sequence for row in fresh.values() if row.result is result)
            self._client.call(
                "GET",
                "records",
                params={**self.wanted.query(result, newest + 1)},
                answer=PartPage,
                then=self._kept,
                failed=self._not_now,
                owner=self,
            )
        if fresh:
            self._archive.start()

    def _kept(self, page: PartPage) -> None:
        for row in page.parts:
            if row.images and self._bare.pop(row.sequence, None) is not None:
                self.changed.emit((row.sequence, {"images": row.images}))

    def _not_now(self, _refusal: Refusal) -> None:
        """The timer asks again, as long as it is worth it."""
