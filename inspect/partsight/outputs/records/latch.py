"""The latch: accepted triggers, noted in microseconds so that they survive a killed process.

Files `latch-NNNNNNNN.bin` beside the database, each of a fixed size that is allocated when it is made, so
that a full disk cannot stop a trigger from being noted. An entry has 128 bytes and a checksum; it is
written by one unbuffered `pwrite`, which a killed process cannot undo. Power loss may lose the last
entries (nothing here waits for the disk), but never makes a sequence number come twice: those are
reserved in durable blocks. The database is the authority on which trigger has its record; the DONE
entries here serve only to drop a file whose triggers all have theirs.
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from partsight.domain.errors import RecordsUnavailable
from partsight.domain.trigger import Trigger, TriggerKind

ENTRY_BYTES = 128
ENTRIES_A_FILE = 8192
PART_ID_BYTES = 64
PASSES_KEPT = 256
OLDER_FILES = 4
"""More full files than this are not kept for parts that still wait for their record."""

_OPENED, _REJECTED, _DONE = 1, 2, 3
_KINDS = tuple(TriggerKind)
# what, kind, id, epoch, sequence, at_us, at_ns, deadline_ns, encoder, has encoder, part id's length, part id, code
_BODY = struct.Struct("<BBHIQqqqqBB64si")
_SUM = struct.Struct("<I")
_PADDING = bytes(ENTRY_BYTES - _BODY.size - _SUM.size)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


def to_us(at: datetime) -> int:
    """Microseconds since 1970 UTC, exactly. `at` must know its time zone."""
    return (at - _EPOCH) // _MICROSECOND


def from_us(at_us: int) -> datetime:
    """The UTC time of `to_us`."""
    return _EPOCH + at_us * _MICROSECOND


@dataclass(frozen=True, slots=True)
class LatchedTrigger:
    """A trigger as the latch knows it. `code`: the reject that left before its record, None where none did."""

    trigger: Trigger
    code: int | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    what: int
    sequence: int
    code: int
    trigger: Trigger | None


def _encode(what: int, sequence: int, code: int = 0, trigger: Trigger | None = None) -> bytes:
    if trigger is None:
        body = _BODY.pack(what, 0, 0, 0, sequence, 0, 0, 0, 0, 0, 0, b"", code)
    else:
        part_id = _short(trigger.part_id)
        body = _BODY.pack(
            what,
            _KINDS.index(trigger.kind),
            trigger.id,
            trigger.epoch,
            sequence,
            to_us(trigger.at),
            trigger.at_ns,
            trigger.deadline_ns,
            trigger.encoder or 0,
            trigger.encoder is not None,
            len(part_id),
            part_id,
            code,
        )
    return body + _PADDING + _SUM.pack(zlib.crc32(body))


def _short(part_id: str) -> bytes:
    """The part id in UTF-8, cut to its place with an ellipsis: only a restart's record ever shows it."""
    raw = part_id.encode("utf-8", "replace")
    if len(raw) <= PART_ID_BYTES:
        return raw
    return (raw[: PART_ID_BYTES - 3].decode("utf-8", "ignore") + "…").encode()


def _decode(raw: bytes) -> _Entry | None:
    """None for a place that was never written, or was torn."""
    if len(raw) != ENTRY_BYTES or _SUM.unpack(raw[-_SUM.size :])[0] != zlib.crc32(raw[: _BODY.size]):
        return None
    what, kind, id_, epoch, sequence, at_us, at_ns, deadline_ns, encoder, has_encoder, length, part_id, code = (
        _BODY.unpack(raw[: _BODY.size])
    )
    if what not in {_OPENED, _REJECTED, _DONE} or kind >= len(_KINDS):
        return None
    if what != _OPENED:
        return _Entry(what, sequence, code, None)
    trigger = Trigger(
        sequence=sequence,
        id=id_,
        epoch=epoch,
        kind=_KINDS[kind],
        at=from_us(at_us),
        at_ns=at_ns,
        deadline_ns=deadline_ns,
        part_id=part_id[:length].decode("utf-8", "replace"),
        encoder=encoder if has_encoder else None,
    )
    return _Entry(what, sequence, code, trigger)


def latch_files(folder: Path) -> list[Path]:
    """The folder's latch files, oldest first."""
    return sorted(folder.glob("latch-*.bin"))


def _entries(path: Path) -> Iterator[_Entry]:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:  # a station may drop a file while a reader looks
        return
    for start in range(0, len(raw), ENTRY_BYTES):
        entry = _decode(raw[start : start + ENTRY_BYTES])
        if entry is not None:
            yield entry


def read_latch(folder: Path) -> dict[int, LatchedTrigger]:
    """Every latched trigger that has no DONE entry, by sequence.

    Some may have their record all the same (the process died between the two): ask the database. With a code, a
    record that is a pass is wrong: the reject has left.
    """
    opened: dict[int, Trigger] = {}
    codes: dict[int, int] = {}
    done: set[int] = set()
    for path in latch_files(folder):
        for entry in _entries(path):
            if entry.trigger is not None:
                opened[entry.sequence] = entry.trigger
                done.discard(entry.sequence)
            elif entry.what == _DONE:
                done.add(entry.sequence)
            else:
                codes.setdefault(entry.sequence, entry.code)
    return {s: LatchedTrigger(t, codes.get(s)) for s, t in opened.items() if s not in done}


class _File:
    """One latch file that this process writes. `open`: its triggers that have no record yet, by sequence."""

    def __init__(self, path: Path, entries: int) -> None:
        self.path = path
        self.used = 0
        self.entries = entries
        self.open: dict[int, Trigger] = {}
        self.handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            os.posix_fallocate(self.handle, 0, entries * ENTRY_BYTES)
        except OSError:
            self.drop()
            raise

    @property
    def full(self) -> bool:
        return self.used >= self.entries

    def write(self, raw: bytes) -> None:
        # Where a write fails halfway its place is written again by the next one.
        if os.pwrite(self.handle, raw, self.used * ENTRY_BYTES) != ENTRY_BYTES:
            raise OSError(0, "short write")
        self.used += 1

    def close(self) -> None:
        if self.handle >= 0:
            os.close(self.handle)
        self.handle = -1  # a write after this fails; it must not land in another file with the same number

    def drop(self) -> None:
        self.close()
        self.path.unlink(missing_ok=True)


class Latch:
    """Writes the latch. Thread-safe; its lock is held for microseconds and never while the disk is waited for."""

    def __init__(self, folder: Path, entries_a_file: int = ENTRIES_A_FILE) -> None:
        """Start a new file. Raises OSError (a full disk)."""
        self._folder = folder
        self._entries = entries_a_file
        self._lock = threading.Lock()
        existing = latch_files(folder)
        self._number = int(existing[-1].stem.removeprefix("latch-")) if existing else 0
        self._current = self._make()
        self._spare: _File | None = None
        self._older: list[_File] = []
        self._place: dict[int, _File] = {}
        self._codes: dict[int, int] = {}
        self._passed: dict[int, Trigger] = {}

    def _make(self) -> _File:
        self._number += 1
        return _File(self._folder / f"latch-{self._number:08d}.bin", self._entries)

    def opened(self, trigger: Trigger) -> None:
        """Note an accepted trigger. Raises RecordsUnavailable."""
        raw = _encode(_OPENED, trigger.sequence, trigger=trigger)
        with self._lock:
            file = self._put(raw)
            file.open[trigger.sequence] = trigger
            self._place[trigger.sequence] = file

    def rejected(self, sequence: int, code: int) -> None:
        """Note that a reject left before its record. Raises RecordsUnavailable."""
        with self._lock:
            trigger = self._passed.pop(sequence, None)
            if trigger is not None:  # a pass was recorded, but the deadline was quicker: open until that is recorded
                file = self._put(_encode(_OPENED, sequence, trigger=trigger))
                file.open[sequence] = trigger
                self._place[sequence] = file
            self._put(_encode(_REJECTED, sequence, code))
            if sequence in self._place:
                self._codes.setdefault(sequence, code)

    def done(self, sequence: int, *, passed: bool = False) -> None:
        """Note that the record is there; a sequence that was never latched is passed over.

        passed: the record is a pass. Where a reject has left meanwhile, the trigger stays open until its record
        says so.
        """
        with self._lock:
            file = self._place.get(sequence)
            if file is None or (passed and sequence in self._codes):
                return
            del self._place[sequence]
            trigger = file.open.pop(sequence)
            self._codes.pop(sequence, None)
            if passed:
                self._passed[sequence] = trigger
                if len(self._passed) > PASSES_KEPT:
                    del self._passed[next(iter(self._passed))]
            self._put(_encode(_DONE, sequence))

    def _put(self, raw: bytes) -> _File:
        try:
            if self._current.full:
                following = self._spare or self._make()
                self._older.append(self._current)
                self._current, self._spare = following, None
            self._current.write(raw)
        except OSError as problem:
            raise RecordsUnavailable(
                f"the trigger cannot be noted in {self._current.path}: {problem}; free space on this disk"
            ) from problem
        return self._current

    def rotate(self) -> None:
        """Slow lane: have the next file ready in time, drop files whose triggers all have their record."""
        with self._lock:
            spare_needed = self._spare is None and self._current.used * 2 >= self._entries
            self._number += spare_needed
            number = self._number
        if spare_needed:
            spare = _File(self._folder / f"latch-{number:08d}.bin", self._entries)
            with self._lock:
                self._spare = spare
        with self._lock:
            if len(self._older) > OLDER_FILES:
                self._carry_over(self._older[0])
            finished = []
            # From the oldest on: a reject or DONE entry may lie in a newer file than its trigger.
            while self._older and not self._older[0].open:
                finished.append(self._older.pop(0))
        for file in finished:
            file.drop()

    def _carry_over(self, file: _File) -> None:
        """Note again what is still open in a file, so that one part without a record cannot keep it for ever."""
        for sequence, trigger in list(file.open.items()):
            newer = self._put(_encode(_OPENED, sequence, trigger=trigger))
            if sequence in self._codes:
                self._put(_encode(_REJECTED, sequence, self._codes[sequence]))
            newer.open[sequence] = file.open.pop(sequence)
            self._place[sequence] = newer

    def oldest(self) -> int | None:
        """The lowest sequence that waits for its record, None where none does."""
        with self._lock:
            return min(self._place, default=None)

    def close(self) -> None:
        """Give the files back; with nothing open they are removed. Harmless when it was called before."""
        with self._lock:
            files = [*self._older, self._current, *([self._spare] if self._spare else [])]
            for file in files:
                if self._place:
                    file.close()
                else:
                    file.drop()
