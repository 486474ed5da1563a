"""The folder of engines: `engines/<key>/{engine.plan, meta.json, timing.cache}` below the state folder.

A build works in `.build-<key>`; a finished one takes its place by one rename, and the engine that was there before
stays as `.<key>.old` until then. Killed at any step, either the one or the other can be loaded, and never a half.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydantic import ValidationError

from partsight.detectors.tensorrt.engines.files import (
    EngineRefused,
    check_folder,
    make_folder,
    read_owned,
    sync_folder,
    write_new,
)
from partsight.detectors.tensorrt.engines.key import Identity
from partsight.detectors.tensorrt.engines.record import EngineMeta
from partsight.detectors.tensorrt.engines.signing import META, TIMING, DeviceKey, device_key
from partsight.domain.errors import BackendUnavailable

log = structlog.get_logger(__name__)

PLAN, RECORD, TIMING_CACHE = "engine.plan", "meta.json", "timing.cache"
KEEP = 2
"""Engines of one model and precision: the newest, and the one before it to roll back to."""
MAX_RECORD_BYTES = 1 << 20
MAX_TIMING_BYTES = 1 << 28
ROOM_BYTES = 256 << 20
"""Kept free beside what a build needs: records are written to the same disk."""
ROOM_TIMES = 4
"""The plan, a copy of it in the old engine's place, and the timing cache, in sizes of the ONNX file."""
BUILD_IT = "run `partsight build`"
_SIGNATURE = 64
_MAX_HEADER = 1 << 20


@dataclass(frozen=True, slots=True)
class Engine:
    """A checked engine. plan: its bytes, which are what the signed record says. Never read the file again."""

    plan: bytes
    meta: EngineMeta


@dataclass(frozen=True, slots=True)
class Kept:
    """One folder of the store. meta: None where it is refused, and `why`."""

    folder: Path
    meta: EngineMeta | None
    why: str = ""


class EngineStore:
    """Reads from any process; who changes it holds `build_lock`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    # --- for the line ---------------------------------------------------------------------------------

    def ready(self, identity: Identity) -> Engine:
        """This device's engine. Raises BackendUnavailable, EngineRefused: why there is none, and the cure."""
        key = self._key()
        problem: EngineRefused | None = None
        for place in (self._active(identity), self._old(identity)) if key is not None else ():
            try:
                engine = self.verified(place, identity)
            except FileNotFoundError:
                continue
            except EngineRefused as refused:
                problem = problem or refused
                continue
            if problem is not None:
                log.error("an engine is refused, the one before it runs", reason=str(problem), folder=str(place))
            return engine
        if problem is not None:
            raise problem
        raise BackendUnavailable(self._none(identity))

    def verified(self, place: Path, identity: Identity, *, unchecked: bool = False) -> Engine:
        """The engine in a folder, every byte of it signed for. unchecked: also one that was not yet tried.

        Raises FileNotFoundError where there is no such folder, EngineRefused.
        """
        key = self._key()
        if key is None:
            raise FileNotFoundError(place)
        meta = self._meta(place, key)
        told = meta.told_identity()
        if meta.key != identity.key or told != identity:
            changed = identity.differs(told) if told is not None else ("it was written by another partsight",)
            raise EngineRefused(f"{place}: is another engine: {'; '.join(changed)}; {BUILD_IT}")
        if not (meta.checked or unchecked):
            raise EngineRefused(f"{place}: was never checked against golden frames; {BUILD_IT}")
        if identity.precision == "int8" and meta.gate is None and not unchecked:
            raise EngineRefused(f"{place}: is int8 and did not pass the accuracy gate; {BUILD_IT} --held-out FOLDER")
        return Engine(self._plan(place, meta), meta)

    @staticmethod
    def hash(plan: bytes) -> str:
        """As the record holds it."""
        return hashlib.sha256(plan).hexdigest()

    # --- for a build, which holds the lock ------------------------------------------------------------

    def prepare(self, model_bytes: int) -> None:
        """Make the folder and the key, and see that there is room. Raises BackendUnavailable."""
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            _refuse_root_for_others(self.folder.parent)
            make_folder(self.folder)
            free = shutil.disk_usage(self.folder).free
        except OSError as problem:
            raise BackendUnavailable(
                f"{self.folder}: cannot be made: {problem.strerror}; name a data folder that this user may write"
            ) from problem
        needed = ROOM_TIMES * model_bytes + ROOM_BYTES
        if free < needed:
            raise BackendUnavailable(
                f"{self.folder}: {free / 1e6:,.0f} MB are free, a build needs {needed / 1e6:,.0f} MB; free space first"
            )
        check_folder(self.folder)
        device_key(self.folder, make=True)

    def draft(self, identity: Identity) -> Path:
        """An empty folder to build in; of what a killed build left there, its timing cache stays."""
        place = self.folder / f".build-{identity.key}"
        self.clean()
        make_folder(place)
        return place

    def clean(self) -> None:
        """Remove what killed builds left, but for their timing caches, and old engines that were replaced."""
        for place in self.folder.glob(".build-*"):
            _empty(place, keep=TIMING_CACHE)
        for old in self.folder.glob(".*.old"):
            if (self.folder / old.name[1:-4]).exists() and self._good(self.folder / old.name[1:-4]):
                shutil.rmtree(old)

    def keep_timing(self, place: Path, cache: bytes) -> None:
        """Put a signed timing cache into the folder: a build that is killed later is quicker the next time."""
        (place / TIMING_CACHE).unlink(missing_ok=True)
        write_new(place / TIMING_CACHE, self._made_key().sign(TIMING, cache).encode() + cache)
        sync_folder(place)

    def timing(self, identity: Identity) -> bytes:
        """The timing cache of this engine's last build, or of another one's on this device; b"" without."""
        places = [self.folder / f".build-{identity.key}", self._active(identity)]
        others = (kept for kept in self.kept() if kept.meta is not None)
        for kept in sorted(others, key=lambda k: k.meta.built_at if k.meta else 0, reverse=True):
            told = kept.meta.told_identity() if kept.meta else None
            if told is not None and told.device == identity.device:
                places.append(kept.folder)
        return next((cache for place in places if (cache := self._timing(place))), b"")

    def write(self, place: Path, plan: bytes, meta: EngineMeta) -> None:
        """Write plan and record into a draft, durably. Raises OSError."""
        (place / PLAN).unlink(missing_ok=True)
        write_new(place / PLAN, plan)
        self.record(place, meta)

    def record(self, place: Path, meta: EngineMeta) -> None:
        """Write or replace a draft's record. Raises OSError."""
        content = meta.model_dump_json(by_alias=True)
        signature = self._made_key().sign(META, content.encode())
        (place / RECORD).unlink(missing_ok=True)
        write_new(place / RECORD, json.dumps({"hmac": signature, "meta": content}).encode())
        sync_folder(place)

    def activate(self, place: Path, identity: Identity) -> Engine:
        """Put a checked draft in its place, and remove what is older than the one before.

        Raises EngineRefused, OSError.
        """
        engine = self.verified(place, identity)
        final, old = self._active(identity), self._old(identity)
        if final.exists():
            if self._good(final):
                shutil.rmtree(old, ignore_errors=True)
                final.rename(old)
                sync_folder(self.folder)
            else:
                shutil.rmtree(final)
        place.rename(final)
        sync_folder(self.folder)
        shutil.rmtree(old, ignore_errors=True)
        self._retire(identity)
        return engine

    def abandon(self, place: Path) -> None:
        """Remove a draft; its timing cache stays."""
        _empty(place, keep=TIMING_CACHE)

    # --- for people -----------------------------------------------------------------------------------

    def kept(self) -> Iterator[Kept]:
        """Every engine here, by its record; plans are not read."""
        key = self._key()
        places = self.folder.iterdir() if self.folder.is_dir() else ()
        for place in sorted(p for p in places if not p.name.startswith(".") and (p.is_dir() or p.is_symlink())):
            try:
                if key is None:
                    raise EngineRefused(f"{place}: the device's key is gone; {BUILD_IT}")
                yield Kept(place, self._meta(place, key))
            except (EngineRefused, FileNotFoundError) as refused:
                yield Kept(place, None, str(refused))

    # --- inside ---------------------------------------------------------------------------------------

    def _active(self, identity: Identity) -> Path:
        return self.folder / identity.key

    def _old(self, identity: Identity) -> Path:
        return self.folder / f".{identity.key}.old"

    def _key(self) -> DeviceKey | None:
        try:
            check_folder(self.folder)
        except FileNotFoundError:
            return None
        return device_key(self.folder)

    def _made_key(self) -> DeviceKey:
        key = device_key(self.folder, make=True)
        if key is None:
            raise EngineRefused(f"{self.folder}: the device's key is gone in the middle of a build; {BUILD_IT}")
        return key

    def _meta(self, place: Path, key: DeviceKey) -> EngineMeta:
        check_folder(place)
        try:
            content = read_owned(place / RECORD, MAX_RECORD_BYTES)
        except FileNotFoundError:
            told = "is not signed: it has no record, so it was not built here or is half written"
            raise EngineRefused(f"{place}: {_foreign(place / PLAN) or told}; remove it and {BUILD_IT}") from None
        try:
            outer = json.loads(content)
            signature, inner = outer["hmac"], outer["meta"]
            if not isinstance(signature, str) or not isinstance(inner, str) or set(outer) != {"hmac", "meta"}:
                raise ValueError("not a signed record")
        except (ValueError, KeyError, TypeError, RecursionError):
            raise EngineRefused(f"{place / RECORD}: is damaged; remove {place} and {BUILD_IT}") from None
        if not key.made(META, inner.encode("utf-8", "surrogatepass"), signature):
            raise EngineRefused(
                f"{place / RECORD}: its signature is not this device's: it was changed or comes from another device; "
                f"remove {place} and {BUILD_IT}"
            )
        try:
            return EngineMeta.model_validate_json(inner)
        except ValidationError as problem:
            raise EngineRefused(
                f"{place / RECORD}: was written by another partsight ({problem.error_count()} fields); {BUILD_IT}"
            ) from problem

    def _plan(self, place: Path, meta: EngineMeta) -> bytes:
        path = place / PLAN
        cure = f"remove {place} and {BUILD_IT}"
        try:
            # One byte more than recorded: a longer file is told from a right one.
            plan = read_owned(path, meta.plan_bytes + 1)
        except FileNotFoundError:
            raise EngineRefused(f"{path}: is missing; {cure}") from None
        if len(plan) < meta.plan_bytes:
            raise EngineRefused(f"{path}: is cut off ({len(plan)} of {meta.plan_bytes} bytes); {cure}")
        if len(plan) > meta.plan_bytes or self.hash(plan) != meta.plan_sha256:
            raise EngineRefused(f"{path}: {foreign(plan) or 'was changed since it was built here'}; {cure}")
        return plan

    def _timing(self, place: Path) -> bytes:
        """b"" for one that is missing or not ours: a build without it is slower, nothing else."""
        try:
            content = read_owned(place / TIMING_CACHE, MAX_TIMING_BYTES)
        except (FileNotFoundError, EngineRefused):
            return b""
        key = self._key()
        signature, cache = content[:_SIGNATURE].decode("ascii", "replace"), content[_SIGNATURE:]
        return cache if key is not None and key.made(TIMING, cache, signature) else b""

    def _good(self, place: Path) -> bool:
        """Whether the bytes are what this device signed for."""
        key = self._key()
        try:
            if key is not None and (meta := self._meta(place, key)).checked:
                self._plan(place, meta)
                return True
        except (EngineRefused, FileNotFoundError):
            pass
        return False

    def _retire(self, identity: Identity) -> None:
        """Of this model in this precision only the newest stay; folders that are refused are left for people."""
        mine = []
        for kept in self.kept():
            told = kept.meta.told_identity() if kept.meta is not None else None
            if told is not None and (told.model, told.precision) == (identity.model, identity.precision):
                mine.append(
                    (kept.folder.name != identity.key, -kept.meta.built_at.timestamp() if kept.meta else 0, kept)
                )
        for *_, kept in sorted(mine, key=lambda one: one[:2])[KEEP:]:
            log.info("an engine that is no longer needed is removed", folder=str(kept.folder))
            shutil.rmtree(kept.folder, ignore_errors=True)

    def _none(self, identity: Identity) -> str:
        """That there is none, and how the nearest one differs: after an update people ask what changed."""
        text = f"there is no engine for model {identity.model!r} in {identity.precision} on this device"
        near: list[tuple[str, ...]] = []
        for kept in self.kept():
            told = kept.meta.told_identity() if kept.meta is not None else None
            if told is not None and (told.model, told.precision) == (identity.model, identity.precision):
                near.append(identity.differs(told))
        if near:
            text += f" (the last one is of another: {'; '.join(sorted(near, key=len)[0])})"
        return f"{text}, looked in {self.folder}; {BUILD_IT}"


def _refuse_root_for_others(data: Path) -> None:
    """What root builds the station's user could not read; and what that user may write must not run as root."""
    owner = data.stat().st_uid
    if os.geteuid() == 0 and owner != 0:
        raise BackendUnavailable(
            f"{data}: belongs to user {owner}, and this is root; build as the station's user: sudo -u '#{owner}' "
            "partsight build ..."
        )


def foreign(plan: bytes) -> str:
    """What kind of engine from elsewhere this is, "" where it does not say.

    Ultralytics writes four bytes with the length of a JSON text, the text, and then the plan.
    """
    length = int.from_bytes(plan[:4], "little")
    if 2 <= length <= min(_MAX_HEADER, len(plan) - 4) and plan[4:5] == b"{":
        try:
            json.loads(plan[4 : 4 + length])
        except (ValueError, RecursionError):
            return ""
        return "is an engine of Ultralytics, which was not built here: engines are code, only ONNX files travel"
    return ""


def _foreign(path: Path) -> str:
    try:
        return foreign(read_owned(path, _MAX_HEADER + 8))
    except (EngineRefused, FileNotFoundError):
        return ""


def _empty(place: Path, *, keep: str) -> None:
    """Remove all of a draft but one file, and the draft too where that is not there."""
    if place.is_symlink() or not place.is_dir():
        place.unlink(missing_ok=True)
        return
    for path in place.iterdir():
        if path.name == keep:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    if not any(place.iterdir()):
        place.rmdir()
