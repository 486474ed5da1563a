"""The reviewer's desk: the queue, what is drawn, what is said and not yet sent, and how to take it back.

It lives as long as the client, not as long as a page (which is made anew with another language, theme or window size),
so nothing that a person has drawn or said goes with a page. What the station cannot take now waits here and is sent,
in order and under the name of the one who said it, when it can.
"""

from __future__ import annotations

from collections import deque
from functools import partial

from PySide6.QtCore import QObject, QTimer, Signal

from partsight.gui.calls import Refusal
from partsight.gui.client import Client, Link
from partsight.gui.review.draft import Draft, draft_of
from partsight.gui.review.said import Kept, Said
from partsight.wire.screen.parts import Disposition, Part, PartRow, QueuePage, ReviewRequest
from partsight.wire.screen.people import Me, Role
from partsight.wire.screen.station import StationNote
from partsight.wire.screen.stream import EventNote, Gap, Welcome

PAGE = 100
FEW = 10
"""With fewer than these left, more are asked for."""
RETRY_MS = 2000
UNDO_STEPS = 200
PARTS_KEPT = 8
FINAL = {400, 404, 409, 413, 422}
"""Refusals that the same request would meet again."""


class ReviewDesk(QObject):
    """`turned`: another part is on the desk. `part_came`: all of it is known. `drawn`: its draft is another.
    `counted`: the numbers are. `told(text)`: for the person.
    """

    turned = Signal()
    part_came = Signal()
    drawn = Signal()
    counted = Signal()
    told = Signal(str)

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._client = client
        self.queue: list[PartRow] = []
        self.current: PartRow | None = None
        self.problem = ""
        self.waiting = 0
        self.done_today = 0
        self.session = 0
        self.unsent: deque[Said] = deque()
        self._sending: Said | None = None
        self._undoing = False
        self._doubtful = False
        self._kept: list[Kept] = []
        self._drafts: dict[int, Draft] = {}
        self._parts: dict[int, Part] = {}
        self._asked: set[int] = set()
        self._skipped: list[int] = []
        self._asking = False
        self._user = client.me.user
        self.pen = ""
        self._retry = QTimer(self, interval=RETRY_MS, singleShot=True)
        self._retry.timeout.connect(self.flush)
        client.link_changed.connect(self._link_changed)
        client.welcome.connect(self._again)
        client.gap.connect(self._again)
        client.session.connect(self._person)
        client.happened.connect(self._take_event)
        client.status.connect(self._take_status)

    @property
    def problem_sending(self) -> bool:
        """The last try has failed."""
        return self._doubtful or self._retry.isActive()

    @staticmethod
    def of(client: Client) -> ReviewDesk:
        """The client's."""
        found = client.findChild(ReviewDesk)
        return found if found is not None else ReviewDesk(client)

    # The queue

    def load(self) -> None:
        """What waits, the oldest first."""
        if not self._asking:
            self._asking = True
            self._client.call(
                "GET",
                "reviews/queue",
                params={"limit": PAGE},
                answer=QueuePage,
                then=self._loaded,
                failed=self._not_loaded,
            )

    def _loaded(self, page: QueuePage) -> None:
        self._asking = False
        self.problem = ""
        mine = {said.sequence for said in self.unsent} | {kept.said.sequence for kept in self._kept}
        if self._sending is not None:
            mine.add(self._sending.sequence)
        self.queue = [row for row in page.parts if row.sequence not in mine]
        self.waiting = page.waiting - sum(row.sequence in mine for row in page.parts)
        self.done_today = page.done_today
        if self.current is None:
            self._turn(self._next())
        self.counted.emit()
        self._prefetch()

    def _not_loaded(self, refusal: Refusal) -> None:
        self._asking = False
        self.problem = str(refusal)
        self.counted.emit()

    def _next(self) -> PartRow | None:
        """The oldest that was not skipped; then those, in the order in which they were."""
        fresh = [row for row in self.queue if row.sequence not in self._skipped]
        if fresh:
            return fresh[0]
        by_number = {row.sequence: row for row in self.queue}
        return next((by_number[sequence] for sequence in self._skipped if sequence in by_number), None)

    def _turn(self, row: PartRow | None) -> None:
        self.current = row
        self.turned.emit()
        if row is not None:
            self._ask_part(row.sequence)
            self._prefetch()
        if len(self.queue) < FEW and self.waiting > len(self.queue):
            self.load()

    def take(self, row: PartRow) -> None:
        """This one now, whether it waits or not."""
        self._turn(row)

    def take_number(self, sequence: int) -> None:
        """As `take`, when its row is not known."""
        self._client.call("GET", f"records/{sequence}", answer=Part, then=self._take_part)

    def _take_part(self, part: Part) -> None:
        self._parts[part.sequence] = part
        self._turn(part)

    def skip(self) -> None:
        """Later."""
        if self.current is None:
            return
        sequence = self.current.sequence
        self._skipped = [*(s for s in self._skipped if s != sequence), sequence]
        self._turn(self._next())

    @property
    def left(self) -> int:
        """Parts of the queue that were not skipped."""
        return sum(row.sequence not in self._skipped for row in self.queue)

    # The part on the desk

    def part(self) -> Part | None:
        """All of it, None until it has come."""
        return self._parts.get(self.current.sequence) if self.current is not None else None

    def next_part(self) -> Part | None:
        """The one after it, where it is here already."""
        rows = [row for row in self.queue if self.current is None or row.sequence != self.current.sequence]
        return self._parts.get(rows[0].sequence) if rows else None

    def _ask_part(self, sequence: int) -> None:
        if sequence in self._parts:
            self.part_came.emit()
        elif sequence not in self._asked:
            self._asked.add(sequence)
            self._client.call(
                "GET",
                f"records/{sequence}",
                answer=Part,
                then=self._part_is_here,
                failed=partial(self._no_part, sequence),
                owner=self,
            )

    def _part_is_here(self, part: Part) -> None:
        self._asked.discard(part.sequence)
        self._parts[part.sequence] = part
        while len(self._parts) > PARTS_KEPT:
            old = next(iter(self._parts))
            if self.current is not None and old == self.current.sequence:
                self._parts[old] = self._parts.pop(old)
                continue
            del self._parts[old]
        self.part_came.emit()

    def _no_part(self, sequence: int, refusal: Refusal) -> None:
        self._asked.discard(sequence)
        if self.current is not None and self.current.sequence == sequence:
            self.problem = str(refusal)
            self.counted.emit()

    def _prefetch(self) -> None:
        rows = [row for row in self.queue if self.current is None or row.sequence != self.current.sequence]
        fresh = [row for row in rows if row.sequence not in self._skipped]
        for row in fresh[:1]:
            if row.sequence not in self._parts:
                self._ask_part(row.sequence)

    def draft(self) -> Draft | None:
        """What is drawn on the part on the desk."""
        part = self.part()
        if part is None:
            return None
        if part.sequence not in self._drafts:
            classes = self._client.note.classes if self._client.note is not None else ()
            return draft_of(part, classes)
        return self._drafts[part.sequence]

    def draw(self, draft: Draft) -> None:
        """Keep it."""
        self._drafts[draft.sequence] = draft
        self.drawn.emit()

    # Saying

    def may_judge(self) -> bool:
        """Only who has a name can be asked later."""
        return self._client.may(Role.OPERATOR) and bool(self._client.me.user)

    def say(self, request: ReviewRequest) -> None:
        """Of the part on the desk; the next one comes at once."""
        row, draft = self.current, self.draft()
        if row is None or draft is None or not self.may_judge():
            return
        self.unsent.append(Said(row, self._client.me.user, request, draft))
        self._drafts.pop(row.sequence, None)
        self.queue = [other for other in self.queue if other.sequence != row.sequence]
        self._skipped = [sequence for sequence in self._skipped if sequence != row.sequence]
        self.waiting = max(0, self.waiting - 1)
        self.session += 1
        self._turn(self._next())
        self.counted.emit()
        self.flush()

    def flush(self) -> None:
        """Send what waits, one after the other."""
        if self._sending is not None or not self.unsent or self._client.link is not Link.LIVE:
            return
        said = self.unsent[0]
        if self._client.me.user != said.who or not self.may_judge():
            self.counted.emit()
            return
        self._sending = said
        if self._doubtful:
            # An earlier try had no answer: it may have arrived all the same.
            self._client.call(
                "GET",
                f"records/{said.sequence}",
                answer=Part,
                then=partial(self._looked, said),
                failed=partial(self._refused, said),
                owner=self,
            )
        else:
            self._put(said)

    def _looked(self, said: Said, part: Part) -> None:
        self._doubtful = False
        if part.disposition is not None and said.is_kept_as(part.disposition):
            self._saved(said, part.disposition)
        else:
            self._put(said)

    def _put(self, said: Said) -> None:
        self._client.call(
            "PUT",
            f"records/{said.sequence}/review",
            body=said.request,
            answer=Disposition,
            then=partial(self._saved, said),
            failed=partial(self._refused, said),
            owner=self,
        )

    def _saved(self, said: Said, disposition: Disposition) -> None:
        self._sending = None
        self._doubtful = False
        self._take_off(said)
        self._kept = [*self._kept, Kept(said, disposition)][-UNDO_STEPS:]
        self._parts.pop(said.sequence, None)
        self.done_today += 1
        self.counted.emit()
        self.flush()

    def _refused(self, said: Said, refusal: Refusal) -> None:
        self._sending = None
        if refusal.status in FINAL:
            self._take_off(said)
            self._give_back(said)
            self.told.emit(str(refusal))
            self.flush()
            return
        # Without an answer nobody knows whether it has arrived.
        self._doubtful = refusal.status == 0 or refusal.status >= 500
        if refusal.status in {401, 403}:
            self.told.emit(str(refusal))
        else:
            self._retry.start()
        self.counted.emit()

    def _take_off(self, said: Said) -> None:
        if said in self.unsent:
            self.unsent.remove(said)

    def _give_back(self, said: Said) -> None:
        """On the desk again, as it was drawn."""
        self.session = max(0, self.session - 1)
        self.waiting += 1
        self._drafts[said.sequence] = said.draft
        if all(row.sequence != said.sequence for row in self.queue):
            self.queue.insert(0, said.row)
        self._turn(said.row)
        self.counted.emit()

    # Taking back

    def can_undo(self) -> bool:
        """Something was drawn or said."""
        draft = self.draft()
        return bool((draft is not None and draft.past) or self.unsent or self._kept)

    def undo(self) -> None:
        """The last stroke on this part; else the last thing that was said, whether the station has it or not."""
        draft = self.draft()
        if draft is not None and draft.past:
            self.draw(draft.undo())
        elif self.unsent:
            self._undo_unsent()
        elif self._kept and not self._undoing:
            self._undoing = True
            kept = self._kept[-1]
            self._client.call(
                "GET",
                f"records/{kept.said.sequence}",
                answer=Part,
                then=partial(self._undo_kept, kept),
                failed=self._not_undone,
                owner=self,
            )

    def _undo_unsent(self) -> None:
        said = self.unsent[-1]
        if said.who != self._client.me.user:
            self.told.emit(self.tr("{who} has said this, and must take it back.").format(who=said.who))
            return
        if said is self._sending or (self._doubtful and said is self.unsent[0]):
            self.told.emit(self.tr("This is just being sent. Take it back when the station has answered."))
            return
        self.unsent.pop()
        self._give_back(said)

    def _undo_kept(self, kept: Kept, part: Part) -> None:
        if part.disposition != kept.as_:
            # Someone has said something since, or it is taken back already: what counts now is not ours to undo.
            self._undoing = False
            self._kept = [other for other in self._kept if other is not kept]
            who = part.disposition.who if part.disposition is not None else ""
            text = self.tr("Part {part} was judged again since, by {who}. It stays so.")
            gone = self.tr("Your judgement of part {part} was taken back already.")
            name = part.part_id or f"#{part.sequence}"
            self.told.emit(text.format(part=name, who=who) if who else gone.format(part=name))
            self.counted.emit()
            return
        self._client.call(
            "DELETE",
            f"records/{part.sequence}/review",
            answer=Disposition | None,
            then=partial(self._undone, kept),
            failed=self._not_undone,
            owner=self,
        )

    def _undone(self, kept: Kept, _now: Disposition | None) -> None:
        self._undoing = False
        self._kept = [other for other in self._kept if other is not kept]
        self.done_today = max(0, self.done_today - 1)
        self._give_back(kept.said)

    def _not_undone(self, refusal: Refusal) -> None:
        self._undoing = False
        self.told.emit(self.tr("Not taken back: {why}").format(why=refusal))

    # What happens meanwhile

    def is_waiting_for(self) -> str:
        """The name under which the oldest unsent one was said, where another one is logged in; else ""."""
        return self.unsent[0].who if self.unsent and self.unsent[0].who != self._client.me.user else ""

    def _link_changed(self, link: Link) -> None:
        if link is Link.LIVE:
            self.flush()
            if self.current is not None and self.part() is None:
                self._ask_part(self.current.sequence)
        self.counted.emit()

    def _again(self, _what: Gap | Welcome) -> None:
        self.load()
        self.flush()

    def _person(self, me: Me) -> None:
        if me.user and me.user != self._user:
            self._user = me.user
            self.session = 0
            self._kept = []
        self.counted.emit()
        self.load()
        self.flush()

    def _take_status(self, note: StationNote) -> None:
        if note.review_waiting > len(self.queue) + len(self.unsent) and len(self.queue) < FEW:
            self.load()

    def _take_event(self, event: EventNote) -> None:
        if event.kind != "reviewed":
            return
        sequence, who, said = event.data.get("sequence"), event.data.get("who"), event.data.get("disposition")
        if who == self._client.me.user or not isinstance(sequence, int):
            return
        self._parts.pop(sequence, None)
        if said is None:
            self.load()
            return
        self.queue = [row for row in self.queue if row.sequence != sequence]
        if self.current is not None and self.current.sequence == sequence:
            name = self.current.part_id or f"#{sequence}"
            self.told.emit(self.tr("Part {part} was just judged by {who}.").format(part=name, who=who))
            if sequence in self._drafts:
                self._ask_part(sequence)
            else:
                self._turn(self._next())
        self.counted.emit()
