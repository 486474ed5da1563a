"""The slow lane of pixels: which parts' images are kept, and the thread that writes them."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timezone
from functools import partial
from pathlib import Path
from typing import Protocol

from partsight.domain.errors import RecordsError
from partsight.domain.frame import Frame
from partsight.domain.inspection import Inspection
from partsight.domain.verdict import Result
from partsight.outputs.images.files import encode_original, original_name, overlay_name, write_whole
from partsight.outputs.images.overlay import draw_overlay, encode_overlay
from partsight.outputs.images.shelf import RANKS, Rank, Shelf

FOLDER = "images"
_NICENESS = 10
_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT}
_FREE_SPACE = "free space on this disk; images go on by themselves then"
_UNATTACHED = 1000
_MASK = 2**64 - 1


class ImageBook(Protocol):
    """The records, as far as images need them."""

    def attach_images(self, sequence: int, paths: tuple[str, ...]) -> None: ...

    def reviewed(self) -> frozenset[int]: ...


@dataclass(frozen=True, slots=True)
class ArchivePolicy:
    """What is kept and how much of it.

    ok_share: of OK parts, 0..1, chosen by sequence number so that the same are chosen again; NG, REVIEW and
        INVALID parts are always kept. ok_overlays: draw overlays of OK parts too.
    budget_bytes: of all image files together, never exceeded. min_free_bytes: left on the disk for records.
    queue_parts, queue_bytes: what may wait to be written; OK parts may use half of it.
    png_level: 0 to 9. jpeg_quality: of overlays, 1 to 100.
    """

    ok_share: float = 0.01
    ok_overlays: bool = True
    budget_bytes: int = 20 << 30
    min_free_bytes: int = 1 << 30
    queue_parts: int = 32
    queue_bytes: int = 64 << 20
    png_level: int = 1
    jpeg_quality: int = 88


@dataclass(frozen=True, slots=True)
class ArchiveHealth:
    """A frozen snapshot.

    written: parts. not_sampled: OK parts that the policy passed over; no loss. dropped: losses by reason:
    "queue full", "disk full", "over budget", "cannot write", "stopped".
    files, bytes: on the disk now. problem, cure: a fault that people must see, "" where there is none.
    """

    written: int
    not_sampled: int
    dropped: Mapping[str, int]
    queued: int
    files: int
    bytes: int
    budget_bytes: int
    problem: str
    cure: str


@dataclass(frozen=True, slots=True)
class _Job:
    inspection: Inspection
    frames: tuple[Frame, ...]
    size: int


class ImageArchive:
    """The `FrameSink` port with a thread of its own ('archive'), between `start` and `stop`.

    Its queue drops the newest when it is full (counted): the slow lane never makes a verdict wait. An image
    is let in only if parts of its own rank or below can make room, so a good part's image never pushes
    out a bad one's. A full disk stops images only, and heals as soon as there is room.
    """

    def __init__(self, data_folder: Path, book: ImageBook, policy: ArchivePolicy | None = None) -> None:
        self._data_folder = data_folder
        self._book = book
        self._policy = policy or ArchivePolicy()
        self._shelf = Shelf(data_folder / FOLDER)
        self._shelf_lock = threading.Lock()
        self._stocked = False
        self._waiting: deque[_Job] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._busy = True
        self._dropped: Counter[str] = Counter()
        self._written = self._not_sampled = 0
        self._unattached: dict[int, tuple[str, ...]] = {}
        self._problem = self._cure = ""
        self._thread = threading.Thread(target=self._run, name="archive", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Write what waits, then end; False where the thread still runs after the timeout. What is left is counted."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        with self._changed:
            while self._waiting:
                self._waiting_bytes -= self._waiting.popleft().size
                self._dropped["stopped"] += 1
        return not self._thread.is_alive()

    def offer(self, inspection: Inspection, frames: Sequence[Frame]) -> bool:
        """Take a part's pixels; returns at once. False where they were lost, True also where they are not wanted."""
        result = inspection.verdict.result
        usable = tuple(f for f in frames if f.pixels.size)
        if not usable:
            return True
        with self._changed:
            if result is Result.OK and not sampled(inspection.trigger.sequence, self._policy.ok_share):
                self._not_sampled += 1
                return True
            if self._stopping:
                self._dropped["stopped"] += 1
                return False
            size = sum(f.pixels.nbytes for f in usable)
            share = 2 if result is Result.OK else 1
            room = len(self._waiting) < max(1, self._policy.queue_parts // share) and (
                not self._waiting or self._waiting_bytes + size <= self._policy.queue_bytes // share
            )
            if not room:
                self._dropped["queue full"] += 1
                return False
            self._waiting.append(_Job(inspection, usable, size))
            self._waiting_bytes += size
            self._changed.notify_all()
            return True

    def mark_reviewed(self, sequence: int) -> None:
        """A person has looked at this part (the records know it already): its images go last."""
        with self._shelf_lock:
            self._shelf.promote(sequence)

    def drain(self, timeout_s: float) -> bool:
        """Wait until nothing waits or is being written; False after the timeout."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout_s)

    def health(self) -> ArchiveHealth:
        """A snapshot for the station to poll."""
        with self._changed:
            return ArchiveHealth(
                written=self._written,
                not_sampled=self._not_sampled,
                dropped=dict(self._dropped),
                queued=len(self._waiting),
                files=self._shelf.files,
                bytes=self._shelf.bytes,
                budget_bytes=self._policy.budget_bytes,
                problem=self._problem,
                cure=self._cure,
            )

    # The thread

    def _run(self) -> None:
        with suppress(OSError):
            # Linux counts niceness for each thread: encoding yields to inference on a busy machine.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        self._attempt(self._take_stock, losing=False)
        while (job := self._next()) is not None:
            self._attempt(partial(self._store, job))

    def _attempt(self, work: Callable[[], None], *, losing: bool = True) -> None:
        """Nothing that goes wrong with one part's images ends the archive; a loss is counted."""
        try:
            work()
        except OSError as problem:
            if problem.errno in _DISK_ERRORS:
                self._lost("disk full" if losing else "", f"images cannot be written: {problem}", _FREE_SPACE)
            else:
                text = f"images cannot be written: {problem}"
                self._lost("cannot write" if losing else "", text, "look at this folder and its rights")
        except Exception as problem:  # noqa: BLE001 - the thread's top: it becomes a fault that people see
            text = f"images cannot be written: {type(problem).__name__}: {problem}"
            self._lost("cannot write" if losing else "", text, "see the message; please report it")
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _next(self) -> _Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            if not self._waiting:
                return None
            job = self._waiting.popleft()
            self._waiting_bytes -= job.size
            self._busy = True
            return job

    def _take_stock(self) -> None:
        """Count what is there; a budget that was lowered is met at once. Nothing is written before this worked."""
        self._data_folder.mkdir(parents=True, exist_ok=True)
        shelf = Shelf(self._data_folder / FOLDER)
        shelf.scan(self._book.reviewed())
        over = shelf.bytes - self._policy.budget_bytes
        shelf.make_room(lambda freed: freed < over, Rank.REVIEWED)
        with self._shelf_lock:
            self._shelf, self._stocked = shelf, True

    def _store(self, job: _Job) -> None:
        sequence, rank = job.inspection.trigger.sequence, RANKS[job.inspection.verdict.result]
        if not self._stocked:
            self._take_stock()
        contents = self._encode(job)
        with self._shelf_lock:
            if not self._fits(sum(map(len, contents.values())), rank):
                return
            try:
                for path, content in contents.items():
                    write_whole(path, content)
                    self._shelf.put(sequence, rank, {path: len(content)})
            except OSError:
                self._shelf.remove(sequence)
                raise
        with self._changed:
            self._written += 1
            self._problem = self._cure = ""
        self._attach(sequence, tuple(str(p.relative_to(self._data_folder)) for p in contents))

    def _encode(self, job: _Job) -> dict[Path, bytes]:
        """File contents by path: the originals first, then the overlays."""
        inspection, policy = job.inspection, self._policy
        sequence, result = inspection.trigger.sequence, inspection.verdict.result
        day = self._data_folder / FOLDER / f"{inspection.trigger.at.astimezone(timezone.utc):%Y-%m-%d}"
        contents = {
            day / original_name(sequence, result, n, frame): encode_original(frame.pixels, policy.png_level)
            for n, frame in enumerate(job.frames)
        }
        if result is not Result.OK or policy.ok_overlays:
            for n, frame in enumerate(job.frames):
                path = day / overlay_name(sequence, result, n, frame.camera)
                contents[path] = encode_overlay(draw_overlay(inspection, frame), policy.jpeg_quality)
        return contents

    def _fits(self, size: int, rank: Rank) -> bool:
        """Make room for `size` bytes; where that is not possible the loss is counted and nothing is removed."""
        held, free, policy = self._shelf.bytes, shutil.disk_usage(self._data_folder).free, self._policy

        def over_budget(freed: int) -> bool:
            return held - freed + size > policy.budget_bytes

        # What an unlink frees shows only later on some file systems: counted, not measured again.
        def disk_full(freed: int) -> bool:
            return free + freed - size < policy.min_free_bytes

        if self._shelf.make_room(lambda freed: over_budget(freed) or disk_full(freed), rank):
            return True
        if disk_full(0):
            text = f"images are not kept: {free >> 20} MiB are free on the disk of {self._data_folder}"
            self._lost("disk full", f"{text}, {policy.min_free_bytes >> 20} MiB are left to the records", _FREE_SPACE)
        else:
            text = f"the image budget of {policy.budget_bytes >> 20} MiB is taken by images that rank higher"
            self._lost("over budget", text, "raise the budget, or copy old images away and delete them")
        return False

    def _attach(self, sequence: int, paths: tuple[str, ...]) -> None:
        """Tell the records; what they cannot take now is told again with the next part."""
        self._unattached[sequence] = paths
        try:
            for waiting in sorted(self._unattached):
                self._book.attach_images(waiting, self._unattached[waiting])
                del self._unattached[waiting]
        except RecordsError as problem:
            with self._changed:
                self._problem = f"images are written but the records do not know of them yet: {problem}"
                self._cure = "cure the records; their file names hold the part's sequence number"
            while len(self._unattached) > _UNATTACHED:
                del self._unattached[min(self._unattached)]

    def _lost(self, reason: str, problem: str, cure: str) -> None:
        with self._changed:
            if reason:
                self._dropped[reason] += 1
            self._problem, self._cure = problem, cure


def sampled(sequence: int, share: float) -> bool:
    """Whether this OK part's images are kept: `share` of all, evenly, and always the same ones."""
    mixed = (sequence + 1) * 0x9E3779B97F4A7C15 & _MASK
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK  # splitmix64, Steele et al. 2014
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
    return (mixed ^ mixed >> 31) < share * 2**64
