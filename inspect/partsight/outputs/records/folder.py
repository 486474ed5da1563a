"""What else lies in a data folder beside the database: the lock, the ballast, the copy of the numbers."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from pathlib import Path

from partsight.domain.errors import FolderInUse, RecordsUnavailable

DATABASE = "records.db"
LOCK = "station.lock"
BALLAST = "ballast.bin"
NUMBERS = "numbers.json"


def free_bytes(folder: Path) -> int:
    """What an ordinary process can still write on the folder's file system."""
    return shutil.disk_usage(folder).free


def sync_folder(folder: Path) -> None:
    """Make names that were just created or renamed in `folder` survive a power loss."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class FolderLock:
    """Only one station writes to a data folder. The kernel drops the lock when the process dies."""

    def __init__(self, folder: Path) -> None:
        """Take the lock or raise FolderInUse, which names the process that has it."""
        path = folder / LOCK
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as problem:
            raise RecordsUnavailable(
                f"{path} cannot be opened: {problem.strerror}; make the data folder writable for this user"
            ) from problem
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            owner = os.pread(self._handle, 32, 0).decode("ascii", "replace").strip()
            os.close(self._handle)
            if problem.errno != errno.EWOULDBLOCK:
                raise RecordsUnavailable(
                    f"{path} cannot be locked: {problem.strerror}; the data folder must lie on a local disk"
                ) from problem
            raise FolderInUse(
                f"another station (process {owner or 'unknown'}) works on the data folder {folder}; "
                "stop it, or give this station its own data folder"
            ) from problem
        try:
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, f"{os.getpid()}\n".encode("ascii"), 0)
        except OSError:
            # A full disk: the lock holds all the same, only its owner's number is missing.
            pass

    def release(self) -> None:
        handle, self._handle = self._handle, -1  # the number is another file's after this
        os.close(handle)


class Ballast:
    """Disk space kept back, so that records can still be written for a while when the disk is full."""

    def __init__(self, folder: Path, size_bytes: int) -> None:
        self._path = folder / BALLAST
        self._folder = folder
        self._size = size_bytes

    @property
    def present(self) -> bool:
        try:
            return self._path.stat().st_size >= self._size
        except FileNotFoundError:
            return False

    @property
    def wanted(self) -> bool:
        return self._size > 0

    def give_up(self) -> bool:
        """Free the space; False where there was none to free."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True

    def restore(self) -> bool:
        """Take the space back where three times as much is free; True where the ballast is there now."""
        if not self.wanted or self.present:
            return self.wanted
        if free_bytes(self._folder) < 3 * self._size:
            return False
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.posix_fallocate(handle, 0, self._size)
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        finally:
            os.close(handle)
        return True


class Numbers:
    """A copy of the highest numbers given out, beside the database.

    A database that is lost or set aside must not make the station count from 1 again: a sequence number
    is in image names, in other people's systems and on the parts.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NUMBERS
        self._folder = folder

    def read(self) -> tuple[int, int, int]:
        """(sequence, epoch, seq): all 0 where there is no readable copy."""
        try:
            found = json.loads(self._path.read_text("utf-8"))
            return int(found["sequence"]), int(found["epoch"]), int(found.get("seq", 0))
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return 0, 0, 0

    def write(self, sequence: int, epoch: int, seq: int) -> None:
        """Replace the copy, durably. Raises OSError."""
        draft = self._path.with_suffix(".tmp")
        with draft.open("w", encoding="utf-8") as file:
            json.dump({"sequence": sequence, "epoch": epoch, "seq": seq}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        sync_folder(self._folder)
