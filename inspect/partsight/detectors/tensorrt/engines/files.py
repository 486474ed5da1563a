"""Files that nobody else may have written: how they are read and written."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from partsight.domain.errors import BackendUnavailable


class EngineRefused(BackendUnavailable):
    """There is an engine, and it is not loaded. The message holds the reason and the cure."""


def read_owned(path: Path, limit: int, *, private: bool = False) -> bytes:
    """The bytes of a plain file, up to `limit`, that only its owner may write (private: or read).

    The checks are made on the opened file, so that no other can take its place between. Raises FileNotFoundError, and
    EngineRefused for a link, a file of another user, one that others may write, or one that cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as problem:
        told = "is a symbolic link" if path.is_symlink() else f"cannot be read: {problem.strerror}"
        raise EngineRefused(f"{path}: {told}; remove it and run `partsight build`") from problem
    with os.fdopen(handle, "rb") as file:
        check_owned(path, os.fstat(file.fileno()), private=private)
        try:
            return file.read(limit)
        except OSError as problem:
            raise EngineRefused(f"{path}: cannot be read: {problem.strerror}; look at the disk (dmesg)") from problem


def check_owned(path: Path, about: os.stat_result, *, private: bool = False, folder: bool = False) -> None:
    """Raises EngineRefused where others could have written what `about` tells of."""
    if not (stat.S_ISDIR if folder else stat.S_ISREG)(about.st_mode):
        what = "folder" if folder else "plain file"
        raise EngineRefused(f"{path}: is not a {what}; remove it and run `partsight build`")
    mode = stat.S_IMODE(about.st_mode)
    if mode & (0o077 if private else 0o022):
        done = "written" if mode & 0o022 else "read"
        cure = f"chmod {'600' if private else 'go-w'} {path}, if you know that nobody did"
        raise EngineRefused(f"{path}: may be {done} by others (mode {mode:04o}); {cure}")
    if about.st_uid not in (os.geteuid(), 0):
        raise EngineRefused(
            f"{path}: belongs to user {about.st_uid}, this process runs as user {os.geteuid()}; "
            "run `partsight build` as the user that the station runs as"
        )


def check_folder(folder: Path) -> None:
    """The same of a folder, opened without following a link. Raises FileNotFoundError, EngineRefused."""
    try:
        about = folder.lstat()
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise EngineRefused(f"{folder}: cannot be read: {problem.strerror}; change its rights") from problem
    if stat.S_ISLNK(about.st_mode):
        raise EngineRefused(f"{folder}: is a symbolic link; remove it and run `partsight build`")
    check_owned(folder, about, folder=True)


def write_new(path: Path, content: bytes) -> None:
    """A new file, mode 0600, on the disk when this returns. Raises OSError; FileExistsError where there is one."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def make_folder(folder: Path) -> None:
    """A private folder; one that is there stays as it is. Raises OSError."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Names that were just made or changed in it survive a power loss. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
