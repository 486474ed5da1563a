"""`partsight backup`: one file with all that makes a station this station. It may be running; it is not disturbed.

The archive (.tar.gz, mode 0600) holds

    data/...            records.db as of one moment, users, and what else the data folder holds (images if asked for)
    configuration/...   the station's file and its recipes with their pictures
    manifest.json       last: every file's size and SHA-256, the numbers that were given out, the model by its hashes

Never in it: the latch, locks, the API's signing key (a restored station makes a new one: everybody logs in again). Keys
and certificates' keys only where asked for.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from rich.console import Console

from partsight import __version__
from partsight.api.people import USERS, read_users
from partsight.api.tokens import ENDED, KEY
from partsight.cli.users import data_folder
from partsight.config.reading import read_toml
from partsight.config.station import StationConfig, read_station
from partsight.daemon.places import find_bundle, find_recipe
from partsight.domain.errors import BundleError, ConfigError, Mistake, RecordsUnavailable
from partsight.models import bundle as bundles
from partsight.outputs.records import audit, inbox, opening, schema
from partsight.outputs.records.database import counter
from partsight.outputs.records.folder import DATABASE, NUMBERS, sync_folder

MANIFEST = "manifest.json"
FORMAT = 1
DATA, CONFIGURATION = "data", "configuration"
IMAGES = "images"
SECRET_SUFFIXES = (".key", ".pem", ".p12", ".pfx")
STEP_PAGES = 1024
STEP_PAUSE_S = 0.02
"""4 MiB and a pause: the station's own writes come in between."""
INBOX_S = 5.0
MAX_RECIPE_FILE = 64 << 20

_NEVER = frozenset(
    {DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal", audit.AUDIT_HEAD, NUMBERS, KEY, ENDED}
    | {"station.lock", "ballast.bin", "users.lock", inbox.INBOX, inbox.INBOX_LOCK}
)


@dataclass(slots=True)
class Packed:
    """What went into an archive. files: entries of the manifest. notes: what a person should know."""

    files: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    bytes: int = 0


def backup(
    source: Annotated[Path, typer.Argument(help="The station's configuration, or its data folder alone.")],
    target: Annotated[Path, typer.Argument(help="The new archive, NAME.tar.gz, or a folder to put one into.")],
    *,
    images: Annotated[bool, typer.Option("--images", help="Pictures too; they may be many.")] = False,
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="Private keys in the data folder too; keep the archive safe.")
    ] = False,
) -> None:
    """Write a station into one archive. It may be running; nothing is overwritten.

    Exit status 2: a mistake in the call; 3: no records there, or the archive cannot be written.
    """
    _stand_back()
    path, packed = make_backup(source, target, images=images, with_secrets=with_secrets)
    out = Console(highlight=False)
    out.print(f"{path}: {len(packed.files)} files, {packed.bytes / 1e6:.1f} MB", markup=False, soft_wrap=True)
    for note in packed.notes:
        out.print(f"  note: {note}", markup=False, soft_wrap=True)


def make_backup(source: Path, target: Path, *, images: bool = False, with_secrets: bool = False) -> tuple[Path, Packed]:
    """The archive and what is in it. Raises ConfigError, RecordsUnavailable."""
    folder = data_folder(source, make=False)
    config = read_station(source) if source.is_file() else None
    path = _target(target, config, folder)
    try:
        with tempfile.TemporaryDirectory(prefix=".partsight-backup-", dir=path.parent) as work:
            draft = Path(work) / "archive"
            packed = _pack(
                draft, Path(work), folder, source if config else None, images=images, with_secrets=with_secrets
            )
            try:
                os.link(draft, path)  # unlike a rename, never over an archive that has come meanwhile
            except FileExistsError:
                raise _exists(path) from None
            sync_folder(path.parent)
    except OSError as problem:
        told = problem.strerror or str(problem)
        raise RecordsUnavailable(f"{path} cannot be written: {told}; nothing is left of it") from problem
    return path, packed


def _target(target: Path, config: StationConfig | None, folder: Path) -> Path:
    if target.is_dir():
        name = config.station.name if config is not None else folder.resolve().name
        target = target / f"{name}-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}.tar.gz"
    if not target.name.endswith((".tar.gz", ".tgz")):
        raise ConfigError([Mistake(str(target), "", "is no name for an archive", "end it with .tar.gz")])
    if target.exists() or target.is_symlink():
        raise _exists(target)
    if not target.parent.is_dir():
        raise ConfigError([Mistake(str(target.parent), "", "is not a folder", "make it first")])
    if target.resolve().is_relative_to(folder.resolve()):
        cure = "put it on another disk: a backup beside what it keeps is lost with it"
        raise ConfigError([Mistake(str(target), "", "lies in the data folder itself", cure)])
    return target


def _exists(path: Path) -> ConfigError:
    return ConfigError([Mistake(str(path), "", "is there already", "choose another name; nothing is overwritten")])


def _stand_back() -> None:
    """A backup never competes with the line for the processor, nor for the disk where the kernel can help it.

    There is no way back from it, so it is the command's own process that does it.
    """
    with suppress(OSError):
        os.nice(10)
    ionice = shutil.which("ionice")
    if ionice is not None:
        subprocess.run([ionice, "-c", "3", "-p", str(os.getpid())], check=False, capture_output=True)


# --- packing ----------------------------------------------------------------------------------------


def _pack(draft: Path, work: Path, folder: Path, file: Path | None, *, images: bool, with_secrets: bool) -> Packed:
    packed = Packed()
    read_users(folder)  # a users' file that others may write is not carried on to another machine
    about = _records(folder, work, packed)
    with (
        os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as raw,
        gzip.GzipFile("", "wb", 6, raw) as zipped,
        tarfile.open(fileobj=zipped, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in (DATABASE, audit.AUDIT_HEAD):
            if (work / name).is_file():
                _add(tar, packed, work / name, f"{DATA}/{name}")
        for path in _data_files(folder, images, with_secrets, packed):
            _add(tar, packed, path, f"{DATA}/{path.relative_to(folder).as_posix()}")
        if file is not None:
            for path, name in _configuration(file, packed):
                _add(tar, packed, path, f"{CONFIGURATION}/{name}")
        manifest = {
            "format": FORMAT,
            "software": __version__,
            "made": datetime.now(timezone.utc).isoformat(),
            "station": read_station(file).station.name if file is not None else "",
            "configuration": file.name if file is not None else "",
            "images": images,
            "secrets": with_secrets,
            **about,
            "model": _model(file, packed) if file is not None else None,
            "notes": packed.notes,
            "files": packed.files,
        }
        text = json.dumps(manifest, indent=1).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size, info.mode, info.mtime = len(text), 0o600, int(time.time())
        tar.addfile(info, io.BytesIO(text))
    with draft.open("rb") as written:
        os.fsync(written.fileno())
    return packed


class _Hashed:
    """Reads at most `size` bytes, and knows what it has read. A file that shrinks meanwhile is refused by tarfile."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        found = self._file.read(size)
        self.digest.update(found)
        return found


def _add(tar: tarfile.TarFile, packed: Packed, path: Path, name: str) -> None:
    """One plain file; one that has gone meanwhile (retention) is passed over. Raises OSError."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(file.fileno())
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = about.st_size, about.st_mode & 0o777, int(about.st_mtime)
        hashed = _Hashed(file)
        tar.addfile(info, hashed)
    packed.files.append({"path": name, "size": about.st_size, "sha256": hashed.digest.hexdigest()})
    packed.bytes += about.st_size


def _data_files(folder: Path, images: bool, with_secrets: bool, packed: Packed) -> Iterator[Path]:
    """What lies in the data folder and belongs into a backup; links and sockets never. Sorted."""
    left_out = []
    for place, folders, files in os.walk(folder):
        here = Path(place)
        if here == folder and not images and IMAGES in folders:
            folders.remove(IMAGES)
        folders.sort()
        for name in sorted(files):
            path = here / name
            if (here == folder and _is_ours(name)) or name.endswith(".tmp") or not path.is_file() or path.is_symlink():
                continue
            if name.lower().endswith(SECRET_SUFFIXES) and not with_secrets:
                left_out.append(path.relative_to(folder).as_posix())
                continue
            yield path
    if left_out:
        packed.notes.append(f"left out, since --with-secrets was not given: {', '.join(left_out)}")


def _is_ours(name: str) -> bool:
    """Files that are copied in another way, or belong to a running station alone."""
    runs = name.startswith(("latch-", "audit-inbox.")) or ".damaged-" in name
    return name in _NEVER or runs or name.startswith(f".{USERS}")


# --- the records ------------------------------------------------------------------------------------


def _records(folder: Path, work: Path, packed: Packed) -> dict[str, Any]:
    """A copy of the database as of one moment, its audit head, and the numbers. Raises RecordsUnavailable."""
    if not (folder / DATABASE).is_file():
        if not (folder / USERS).is_file():
            told = "name the data folder of a station that ran"
            raise RecordsUnavailable(f"there are neither records nor users in {folder}; {told}")
        packed.notes.append("the station has no records yet")
        return {"numbers": dict.fromkeys(_NUMBERS, 0), "tables": 0}
    _await_inbox(folder, packed)
    copy = work / DATABASE
    try:
        kept = _copy_database(folder, copy)
        db = sqlite3.connect(copy, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
            (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise RecordsUnavailable(f"{folder / DATABASE} is damaged: {found}")
            version = schema.version_of(db)
            schema.refuse_newer(version, str(folder / DATABASE))
            numbers = {name: counter(db, key) if version else 0 for name, key in _NUMBERS.items()}
            mismatch = audit.head_mismatch(db, kept) if version >= _AUDIT_SINCE else ""
            head = audit.head_of(db) if version >= _AUDIT_SINCE else audit.AuditHead()
        finally:
            db.close()
    except sqlite3.Error as problem:
        raise RecordsUnavailable(opening.explain(problem, folder)) from problem
    if mismatch:
        packed.notes.append(f"the audit trail was NOT whole when this backup was made: {mismatch}")
        head = kept or audit.AuditHead()  # as it was: a backup must not make it look whole
    if head.n:
        audit.write_head(work, head)
    return {"numbers": numbers, "tables": version, "audit": {"n": head.n, "hash": head.hash}}


_NUMBERS = {"sequence": "sequence", "epoch": "epoch", "seq": "outbox"}
_AUDIT_SINCE = 3
"""The version of the tables that brought the trail."""


def _await_inbox(folder: Path, packed: Packed) -> None:
    """What waits for the trail belongs into it: taken in here where no station runs, else by the station."""
    end = time.monotonic() + INBOX_S
    while inbox.waiting(folder):
        if inbox.take_in_offline(folder) and not inbox.waiting(folder):
            return
        if time.monotonic() > end:
            packed.notes.append("audit rows of the last moments wait in the inbox, and are not in this backup")
            return
        time.sleep(0.05)


def _copy_database(folder: Path, copy: Path) -> audit.AuditHead | None:
    """The audit head that was there before the moment of the copy. Raises sqlite3.Error, RecordsUnavailable.

    One read transaction holds the moment, so that the copy can be made in small steps while the station writes:
    without it SQLite would begin anew after each of its commits.
    """
    kept = audit.read_head(folder)
    source = opening.connect_reading(folder, 5.0)
    try:
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        db = sqlite3.connect(copy, isolation_level=None)
        try:
            db.execute("PRAGMA synchronous = OFF")  # it is flushed with the archive
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            source.backup(db, pages=STEP_PAGES, progress=lambda *_: time.sleep(STEP_PAUSE_S))
            source.execute("COMMIT")
        finally:
            db.close()
    finally:
        source.close()
    return kept


# --- configuration and model ------------------------------------------------------------------------


def _configuration(file: Path, packed: Packed) -> Iterator[tuple[Path, str]]:
    """(file, name in the archive) of the station's file, and of the recipes beside it with all in their folder."""
    beside = file.resolve().parent
    found = {file.resolve(): file.name}
    for path in sorted((beside / "recipes").rglob("*")):
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= MAX_RECIPE_FILE:
            found[path.resolve()] = path.relative_to(beside).as_posix()
    with suppress(ConfigError):
        recipe = find_recipe(read_station(file).station.recipe, beside).resolve()
        for path in (recipe, *(recipe.parent / name for name in _pictures(read_toml(recipe)))):
            inside = path.resolve().is_relative_to(beside)
            if inside and path.is_file():
                found.setdefault(path.resolve(), path.resolve().relative_to(beside).as_posix())
            elif not inside:
                packed.notes.append(f"{path} is not beside the configuration, and not in this backup")
    yield from found.items()


def _pictures(values: object) -> Iterator[str]:
    """Files that a recipe names, wherever in it."""
    if isinstance(values, dict):
        for key, value in values.items():
            if key == "picture" and isinstance(value, str):
                yield value
            else:
                yield from _pictures(value)
    elif isinstance(values, list):
        for value in values:
            yield from _pictures(value)


def _model(file: Path, packed: Packed) -> dict[str, Any] | None:
    """The bundle by name and hashes: models are installed, not restored."""
    name = read_station(file).model.bundle
    try:
        bundle = bundles.load(find_bundle(name, file.resolve().parent))
    except BundleError as error:
        packed.notes.append(f"model {name!r}: {error}")
        return {"bundle": name}
    return {
        "bundle": name,
        "name": bundle.card.name,
        "version": bundle.card.version,
        "card_sha256": bundle.card_sha256,
        "files": {one: about.sha256 for one, about in bundle.card.files.items()},
    }
