"""Which record goes next and which are done: pure bookkeeping over sequence numbers, without a thread or a clock.

`broker`: a record is done when the broker has acknowledged it (PUBACK).
`consumer`: a record is done when every consumer has said that it stored it (cumulative `P/ack/NAME`). Where that
number has not advanced for `stall_s` although records wait, sending goes back to it: a repeated number is no progress.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

UNCONFIRMED = 2000
"""Records that may be with the broker before a consumer has said anything of them."""


class Delivery:
    """Numbers only. `acked`: all up to it is done. `cursor`: all up to it was sent since the last rewind."""

    def __init__(self, acked: Mapping[str, int], consumers: Iterable[str] = (), *, stall_s: float = 3.0) -> None:
        """`acked`: what was stored before a restart, by consumer (`broker` in broker mode)."""
        self.consumers = tuple(consumers)
        self._stall_s = stall_s
        self._by = {name: acked.get(name, 0) for name in self.consumers or ("broker",)}
        self.acked = min(self._by.values())
        self.cursor = self.acked
        self.resent = 0
        self._highest = self.cursor
        self._early: set[int] = set()
        self._gaps: dict[int, int] = {}
        self._advanced_at = 0.0

    def may_send(self) -> bool:
        """False where the consumers lag too far behind."""
        return not self.consumers or self.cursor - self.acked < UNCONFIRMED

    def sent(self, seq: int, now: float) -> None:
        """`seq` was handed to the broker; numbers come in order."""
        if self.cursor == self.acked:  # nothing was on its way: the time for its acknowledgement begins here
            self._advanced_at = now
        if seq > self.cursor + 1:  # deleted by age before it was delivered: nobody can wait for it any more
            self._gaps[self.cursor] = seq - 1
            self._close_gap()
        self.resent += seq <= self._highest
        self._highest = max(self._highest, seq)
        self.cursor = seq

    def taken_by_broker(self, seq: int) -> bool:
        """PUBACK. True where `acked` advanced (broker mode only)."""
        if self.consumers or seq <= self.acked:
            return False
        self._early.add(seq)
        before = self.acked
        while self.acked + 1 in self._early:
            self.acked += 1
            self._early.discard(self.acked)
            self._close_gap()
        self._by["broker"] = self.acked
        return self.acked > before

    def stored_by(self, consumer: str, seq: int, now: float) -> bool:
        """A consumer's cumulative number. True where `acked` advanced."""
        if consumer not in self._by or seq <= self._by[consumer]:
            return False
        self._by[consumer] = seq
        before, self.acked = self.acked, min(self._by.values())
        if self.acked > before:
            self._advanced_at = now
            self.cursor = max(self.cursor, self.acked)
        return self.acked > before

    def stalled(self, now: float) -> bool:
        """True where what was sent has not been acknowledged by the consumers for too long."""
        return bool(self.consumers) and self.cursor > self.acked and now - self._advanced_at > self._stall_s

    def rewind(self, now: float) -> None:
        """Begin again behind what is done: after a connection was lost, or go-back-N."""
        self.cursor = self.acked
        self._early.clear()
        self._gaps.clear()
        self._advanced_at = now

    def _close_gap(self) -> None:
        if not self.consumers and self.acked in self._gaps:
            self.acked = self._gaps.pop(self.acked)

    def by_consumer(self) -> dict[str, int]:
        """The highest number that each has acknowledged."""
        return dict(self._by)
