"""The kit of the challenge test: `challenge-kit.json` in the data folder."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from partsight.outputs.records.folder import sync_folder
from partsight.wire.screen.challenge import Kit, KitPart

KIT = "challenge-kit.json"


class KitFile:
    """Read where it has changed. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / KIT
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._parts: tuple[KitPart, ...] = ()

    def parts(self) -> tuple[KitPart, ...]:
        """Empty where there is no kit, or none that can be read: then no test begins by it."""
        with self._lock:
            try:
                found = self.path.stat()
                seen = (found.st_mtime_ns, found.st_size, found.st_ino)
                if seen != self._seen:
                    self._parts = Kit.model_validate_json(self.path.read_bytes()).parts
                    self._seen = seen
            except (OSError, ValueError):
                self._parts, self._seen = (), None
            return self._parts

    def write(self, kit: Kit) -> None:
        """Whole or not at all. Raises OSError."""
        draft = self.path.with_name(f".{KIT}.{os.urandom(6).hex()}.tmp")
        try:
            with draft.open("w", encoding="utf-8") as file:
                file.write(kit.model_dump_json(indent=1))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
            sync_folder(self.path.parent)
        finally:
            draft.unlink(missing_ok=True)
