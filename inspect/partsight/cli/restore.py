"""`partsight restore`: a backup put in place, after all of it was checked, with numbers that were never given out.

Everything is unpacked beside the target, each file compared with the manifest, the database looked through; only then
is it renamed into place. An archive is not trusted: names that lead out of the folder, links, devices, files that the
manifest does not name, and files that come twice are refused.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import sqlite3
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import IO, Annotated, Literal

import typer
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from rich.console import Console

from partsight.api.people import USERS, read_users
from partsight.cli.backup import CONFIGURATION, DATA, FORMAT, MANIFEST, SECRET_SUFFIXES
from partsight.cli.users import SOURCE, system_user
from partsight.domain.errors import ConfigError, Mistake, RecordsUnavailable
from partsight.outputs.records import inbox, opening, schema, verify_audit
from partsight.outputs.records.database import set_counter
from partsight.outputs.records.folder import DATABASE, LOCK, FolderLock, Numbers, free_bytes, sync_folder
from partsight.outputs.records.outbox import skip_to

PARTS_A_SECOND = 100
"""No line is faster for long: so many numbers may have been given out in each second since the backup."""
LEAST_SKIP = 1_000_000
STARTS = 10_000
CLOCK_SKEW_S = 3600.0
KEEP_FREE = 64 << 20
MAX_MANIFEST = 256 << 20
_CHUNK = 1 << 20


class FileEntry(BaseModel):
    """A file of the archive."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class NumberEntry(BaseModel):
    """The highest that were given out when the backup was made."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sequence: int = Field(ge=0, lt=2**52)
    epoch: int = Field(ge=0, lt=2**31)
    seq: int = Field(ge=0, lt=2**52)


class Manifest(BaseModel):
    """What an archive says of itself."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal[1] = Field(description=f"{FORMAT}: this partsight reads no other")
    software: str
    made: AwareDatetime
    station: str = ""
    configuration: str = ""
    numbers: NumberEntry
    model: dict[str, object] | None = None
    notes: tuple[str, ...] = ()
    files: tuple[FileEntry, ...]


@dataclass(frozen=True, slots=True)
class Restored:
    """What is in place now. kept: where the folder lies that was there before. notes: what a person should do."""

    manifest: Manifest
    numbers: NumberEntry
    kept: tuple[Path, ...]
    notes: tuple[str, ...]


def restore(
    archive: Annotated[Path, typer.Argument(help="What `partsight backup` has written.")],
    target: Annotated[Path, typer.Argument(help="The data folder to be.")],
    *,
    configuration: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Put the configuration and its recipes here.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also where the folder is not empty; the old one is kept beside it.")
    ] = False,
) -> None:
    """Check a backup and put it in place. The station must be stopped.

    Exit status 2: the archive is not whole, or the folder is not empty; 3: the folder is in use or cannot be written.
    """
    done = put_back(archive, target, configuration, force=force)
    out = Console(highlight=False)
    made = done.manifest.made.astimezone(timezone.utc)
    out.print(f"{target}: as of {made:%Y-%m-%d %H:%M:%S} UTC", markup=False, soft_wrap=True)
    out.print(f"  the next part is {done.numbers.sequence + 1} or above, so that no number comes twice")
    for path in done.kept:
        out.print(f"  what was there before is {path}", markup=False, soft_wrap=True)
    for note in (*done.manifest.notes, *done.notes):
        out.print(f"  note: {note}", markup=False, soft_wrap=True)


def put_back(archive: Path, target: Path, configuration: Path | None = None, *, force: bool = False) -> Restored:
    """All or nothing. Raises ConfigError, FolderInUse, RecordsUnavailable."""
    places = [target] if configuration is None else [target, configuration]
    _refuse_places(places, force)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _held(target), tempfile.TemporaryDirectory(prefix=".partsight-restore-", dir=target.parent) as work:
            manifest = _unpack(archive, Path(work))
            _refuse_damaged(archive, Path(work), manifest)
            if configuration is not None and not (Path(work) / CONFIGURATION).is_dir():
                raise ConfigError([Mistake(str(archive), "--configuration", "the backup holds no configuration")])
            numbers = _safe_numbers(archive, manifest, Numbers(target).read())
            notes = _prepare(archive, Path(work) / DATA, manifest, numbers)
            if configuration is None and manifest.configuration:
                notes.append("the configuration is in the archive; --configuration FOLDER puts it in place")
            kept = _swap(Path(work) / DATA, target)
            if configuration is not None:
                kept += _place_configuration(Path(work) / CONFIGURATION, configuration)
    except OSError as problem:
        told = problem.strerror or str(problem)
        raise RecordsUnavailable(f"{problem.filename or target}: {told}; the restore has stopped") from problem
    return Restored(manifest, numbers, tuple(kept), tuple(notes))


def _refuse_places(places: list[Path], force: bool) -> None:
    found = []
    for place in places:
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            found.append(Mistake(str(place), "", "is no folder", "name a folder that is empty or not there yet"))
        elif place.is_mount():
            found.append(Mistake(str(place), "", "is a disk's root, which cannot be replaced", "name a folder in it"))
        elif place.is_dir() and any(place.iterdir()) and not force:
            cure = "choose another folder, or --force, which keeps the old one beside it"
            found.append(Mistake(str(place), "", "is not empty", cure))
    if len(places) == 2 and places[0].resolve() == places[1].resolve():
        found.append(Mistake(str(places[1]), "--configuration", "is the data folder too", "choose another folder"))
    if found:
        raise ConfigError(found)


@contextmanager
def _held(target: Path) -> Iterator[None]:
    """No station works on the folder while it is replaced. Raises FolderInUse."""
    if not target.is_dir():
        yield
        return
    lock = FolderLock(target)
    try:
        yield
    finally:
        lock.release()


# --- unpacking --------------------------------------------------------------------------------------


def _unpack(archive: Path, work: Path) -> Manifest:
    """Every file, with its hash taken on the way. Raises ConfigError, OSError."""
    found: dict[str, tuple[int, str]] = {}
    text: bytes | None = None
    try:
        with archive.open("rb") as raw, gzip.open(raw) as zipped, tarfile.open(fileobj=zipped, mode="r|") as tar:
            for member in tar:
                if text is not None:
                    raise _refused(archive, f"{member.name[:200]!r} comes after the manifest")
                path = _safe_path(archive, member)
                if member.isdir():
                    continue
                source = tar.extractfile(member)
                assert source is not None  # _safe_path lets plain files through only
                if member.name == MANIFEST:
                    if member.size > MAX_MANIFEST:
                        raise _refused(archive, "the manifest is too large")
                    text = source.read()
                elif member.name in found:
                    raise _refused(archive, f"{member.name[:200]!r} is in it twice")
                else:
                    found[member.name] = _write(archive, source, member.size, work / path)
            while zipped.read(_CHUNK):
                pass  # to its end, where gzip's own sum is
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, UnicodeError) as problem:
        raise _refused(archive, f"is cut off, or no backup: {problem}") from problem
    except FileNotFoundError as problem:
        if problem.filename != str(archive):
            raise
        raise ConfigError([Mistake(str(archive), "", "there is no such file")]) from None
    if text is None:
        raise _refused(archive, "has no manifest: it is cut off, or no backup")
    return _manifest(archive, text, found)


def _safe_path(archive: Path, member: tarfile.TarInfo) -> Path:
    """Relative, inside, a plain file or folder. Raises ConfigError."""
    name = member.name
    path = PurePosixPath(name)
    strange = not name or "\0" in name or "\\" in name or path.is_absolute() or ".." in path.parts
    if strange or (name != MANIFEST and path.parts[0] not in (DATA, CONFIGURATION)):
        raise _refused(archive, f"{name[:200]!r} leads out of the folder")
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise _refused(archive, f"{name[:200]!r} is a link or a device, which a backup never holds")
    if member.isreg() and name != MANIFEST and len(path.parts) < 2:
        raise _refused(archive, f"{name[:200]!r} has the name of a folder")
    return Path(*path.parts)


def _write(archive: Path, source: IO[bytes], size: int, path: Path) -> tuple[int, str]:
    """Size and SHA-256 of what was written. Raises ConfigError where the disk would be full, OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if size > free_bytes(path.parent) - KEEP_FREE:
        told = f"needs more room than {path.parents[-2]} has"
        raise ConfigError([Mistake(str(archive), "", told, "make room, or choose a folder on another disk")])
    private = path.name == USERS or path.name.lower().endswith(SECRET_SUFFIXES)
    digest = hashlib.sha256()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600 if private else 0o644), "wb") as file:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return size, digest.hexdigest()


def _manifest(archive: Path, text: bytes, found: dict[str, tuple[int, str]]) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        told = f"the manifest does not hold: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise _refused(archive, told) from error
    said = {entry.path: (entry.size, entry.sha256) for entry in manifest.files}
    mistakes = [f"{name!r} is not in the manifest" for name in found if name not in said]
    mistakes += [f"{name!r} is missing" for name in said if name not in found]
    mistakes += [
        f"{name!r} is not what the manifest says" for name in found if said.get(name, found[name]) != found[name]
    ]
    if mistakes:
        raise ConfigError([Mistake(str(archive), "", told, "use another backup") for told in mistakes[:20]])
    return manifest


def _refused(archive: Path, told: str) -> ConfigError:
    return ConfigError([Mistake(str(archive), "", told, "use another backup; nothing was put in place")])


def _refuse_damaged(archive: Path, work: Path, manifest: Manifest) -> None:
    """Of a file whose hash fits: whether it is what it should be. Raises ConfigError, RecordsUnavailable."""
    data = work / DATA
    data.mkdir(exist_ok=True)
    read_users(data)
    path = data / DATABASE
    if not path.is_file():
        if manifest.numbers.sequence:
            raise _refused(archive, "holds no records")
        return
    try:
        db = sqlite3.connect(path, isolation_level=None)
        try:
            (told,) = db.execute("PRAGMA integrity_check(1)").fetchone()
            version = schema.version_of(db)
        finally:
            db.close()
    except sqlite3.Error as problem:
        raise _refused(archive, f"the database cannot be read: {opening.explain(problem, data)}") from problem
    if told != "ok":
        raise _refused(archive, f"the database is damaged: {told}")
    schema.refuse_newer(version, f"{archive}: {DATABASE}")


# --- numbers ----------------------------------------------------------------------------------------


def _safe_numbers(archive: Path, manifest: Manifest, before: tuple[int, int, int]) -> NumberEntry:
    """Above all that can have been given out since the backup. before: what the folder that is replaced knows.

    What the station did since then is known nowhere, so the time that has passed bounds it. Raises ConfigError where
    the clock cannot be right: a board without a battery starts in the past.
    """
    passed_s = (datetime.now(timezone.utc) - manifest.made).total_seconds()
    if passed_s < -CLOCK_SKEW_S:
        told = f"was made at {manifest.made:%Y-%m-%d %H:%M} UTC, which is still to come by this machine's clock"
        raise ConfigError([Mistake(str(archive), "", told, "set the clock, then restore again")])
    skip = max(LEAST_SKIP, int(passed_s * PARTS_A_SECOND))
    was = manifest.numbers
    sequence, epoch, seq = before
    # Of the outgoing stream twice as many: results and events.
    return NumberEntry(
        sequence=max(was.sequence + skip, sequence + LEAST_SKIP),
        epoch=max(was.epoch, epoch) + STARTS,
        seq=max(was.seq + 2 * skip, seq + LEAST_SKIP),
    )


def _prepare(archive: Path, data: Path, manifest: Manifest, numbers: NumberEntry) -> list[str]:
    """Numbers and the audit row, while nothing is in place yet; notes. Raises OSError, RecordsUnavailable."""
    notes = []
    if (data / DATABASE).is_file():
        report_of = "the audit trail of the backup is not whole"
        _set_numbers(data, numbers)
        try:
            report = verify_audit(data)
            notes += [f"{report_of}: {problem}" for problem in report.problems[:5]]
        except RecordsUnavailable as problem:
            notes.append(str(problem))
    # Both say the same: one of them alone is enough at the next start.
    Numbers(data).write(numbers.sequence, numbers.epoch, numbers.seq)
    told = {"archive": archive.name, "made": manifest.made.isoformat(), "next_part": numbers.sequence + 1}
    inbox.put(data, system_user(), SOURCE, "restore", after=told)
    if (data / USERS).is_file():
        notes.append("users and passwords are those of the backup: see `partsight users list`")
    if os.geteuid() == 0:
        notes.append("root owns the files: chown -R the data folder to the user that the station runs as")
    return notes


def _set_numbers(data: Path, numbers: NumberEntry) -> None:
    db = sqlite3.connect(data / DATABASE, isolation_level=None)
    try:
        if not schema.version_of(db):
            return
        db.execute("BEGIN IMMEDIATE")
        set_counter(db, "sequence", numbers.sequence)
        set_counter(db, "epoch", numbers.epoch)
        if schema.version_of(db) >= 3:
            skip_to(db, numbers.seq)
        db.execute("COMMIT")
    except sqlite3.Error as problem:
        raise RecordsUnavailable(opening.explain(problem, data)) from problem
    finally:
        db.close()


# --- into place -------------------------------------------------------------------------------------


def _swap(new: Path, target: Path) -> list[Path]:
    """`new` becomes `target`; the old folder, where one was. Raises OSError, with the old one back in place."""
    kept = []
    (new / LOCK).unlink(missing_ok=True)
    new.chmod(0o755)
    if target.is_dir() and any(path.name != LOCK for path in target.iterdir()):
        old = target.with_name(f"{target.name}.before-restore-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}")
        target.rename(old)
        kept.append(old)
    elif target.is_dir():
        shutil.rmtree(target)
    try:
        new.rename(target)
    except OSError:
        for old in kept:
            old.rename(target)
        raise
    sync_folder(target.parent)
    return kept


def _place_configuration(new: Path, folder: Path) -> list[Path]:
    """Copied beside its place first: it may lie on another disk. Raises OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partsight-restore-", dir=folder.parent) as work:
        copy = Path(work) / CONFIGURATION
        shutil.copytree(new, copy)
        return _swap(copy, folder)
