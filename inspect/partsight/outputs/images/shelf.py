"""What lies in the image folder, and what has to go first: the budget's exact book-keeping.

Derived from the folder's own names and sizes at each start, so that it cannot disagree with the disk.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum, unique
from pathlib import Path

from partsight.domain.verdict import Result
from partsight.outputs.images.files import DRAFT, is_whole, parse_name

_NEWEST_CHECKED = 200


@unique
class Rank(IntEnum):
    """What goes first when room is needed; within a rank the oldest goes first."""

    OK = 0
    UNJUDGED = 1
    NG = 2
    REVIEWED = 3


RANKS = {Result.OK: Rank.OK, Result.INVALID: Rank.UNJUDGED, Result.REVIEW: Rank.UNJUDGED, Result.NG: Rank.NG}


@dataclass(slots=True)
class _Part:
    """The image files of one part."""

    rank: Rank
    files: dict[Path, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return sum(self.files.values())


class Shelf:
    """The images on disk by part. For one thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bytes = 0
        self.files = 0
        self._parts: dict[int, _Part] = {}
        # Entries whose part has gone or changed its rank are passed over when they come up.
        self._queues: dict[Rank, list[int]] = {rank: [] for rank in Rank}

    def scan(self, reviewed: frozenset[int] = frozenset()) -> int:
        """Read the folder; how many drafts and half files were removed. Others' files are left alone, uncounted."""
        removed = 0
        found: list[tuple[int, Result, Path]] = []
        for day in self.folder.iterdir() if self.folder.is_dir() else ():
            for path in day.iterdir() if day.is_dir() else ():
                named = parse_name(path.name)
                if path.name.startswith(DRAFT):
                    path.unlink()
                    removed += 1
                elif named is not None:
                    found.append((*named, path))
        found.sort(key=lambda f: f[0], reverse=True)
        for number, (sequence, result, path) in enumerate(found):
            if number < _NEWEST_CHECKED and not is_whole(path):
                path.unlink()
                removed += 1
            else:
                rank = Rank.REVIEWED if sequence in reviewed else RANKS[result]
                self.put(sequence, rank, {path: path.stat().st_size})
        return removed

    def put(self, sequence: int, rank: Rank, files: dict[Path, int]) -> None:
        """Count files that are on the disk."""
        part = self._parts.get(sequence)
        if part is None:
            part = self._parts[sequence] = _Part(rank)
            heapq.heappush(self._queues[rank], sequence)
        for path, size in files.items():
            self.bytes += size - part.files.get(path, 0)
            self.files += path not in part.files
            part.files[path] = size

    def promote(self, sequence: int) -> None:
        """A person has looked at this part."""
        part = self._parts.get(sequence)
        if part is not None and part.rank is not Rank.REVIEWED:
            part.rank = Rank.REVIEWED
            heapq.heappush(self._queues[Rank.REVIEWED], sequence)

    def make_room(self, need: Callable[[int], bool], up_to: Rank) -> bool:
        """Remove parts, the least wanted first and none above `up_to`, while `need(freed bytes)`.

        Removes nothing where all that may go would not be enough. Raises OSError.
        """
        freed = 0
        if need(0) and need(sum(p.size for p in self._parts.values() if p.rank <= up_to)):
            return False
        while need(freed):
            sequence = self._next(up_to)
            if sequence is None:
                return False
            freed += self.remove(sequence)
        return True

    def _next(self, up_to: Rank) -> int | None:
        for rank in Rank:
            queue = self._queues[rank]
            while rank <= up_to and queue:
                part = self._parts.get(queue[0])
                if part is not None and part.rank is rank:
                    return queue[0]
                heapq.heappop(queue)
        return None

    def remove(self, sequence: int) -> int:
        """Delete a part's files; how many bytes that freed. Raises OSError."""
        part = self._parts.get(sequence)
        if part is None:
            return 0
        freed = 0
        for path, size in list(part.files.items()):
            # Somebody may have removed it by hand; its bytes are free all the same.
            path.unlink(missing_ok=True)
            del part.files[path]
            self.bytes -= size
            self.files -= 1
            freed += size
            with suppress(OSError):  # other parts of the day are still there
                path.parent.rmdir()
        del self._parts[sequence]
        return freed
