"""The device's own key, and what it says of bytes: they were written here, by a user who could read it.

An engine is executable code. Nothing that reaches the folder from elsewhere (a copy, a restored backup, an upload, a
network share) carries a signature of this key; who can read the key can run code as this user anyway.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from partsight.detectors.tensorrt.engines.files import read_owned, sync_folder
from partsight.domain.errors import BackendUnavailable

KEY_FILE = "device.key"
KEY_BYTES = 32
META = b"partsight engine 1\0"
TIMING = b"partsight timing cache 1\0"
"""Said before what is signed, so that a signature of one kind is none of another."""


class DeviceKey:
    """HMAC-SHA256 with a secret that never leaves this folder."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, purpose: bytes, content: bytes) -> str:
        """64 hex digits."""
        return hmac.new(self._secret, purpose + content, hashlib.sha256).hexdigest()

    def made(self, purpose: bytes, content: bytes, signature: str) -> bool:
        """Whether this key signed just these bytes for this purpose, in constant time."""
        return hmac.compare_digest(self.sign(purpose, content).encode(), signature.encode("utf-8", "replace"))


def device_key(folder: Path, *, make: bool = False) -> DeviceKey | None:
    """The key in `folder`; None where there is none yet. make: make one, whole or not at all.

    Two processes that make one at once end with the same key. Raises BackendUnavailable where the file is open to
    others, is damaged, or cannot be written.
    """
    path = folder / KEY_FILE
    if make and not path.exists():
        _make(path)
    try:
        content = read_owned(path, KEY_BYTES + 1, private=True)
    except FileNotFoundError:
        return None
    if len(content) != KEY_BYTES:
        raise BackendUnavailable(
            f"{path}: is damaged ({len(content)} bytes, {KEY_BYTES} are a key); remove it and run `partsight build`: "
            "every engine is then built again"
        )
    return DeviceKey(content)


def _make(path: Path) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link, unlike a rename, never takes the place of a key that another process made meanwhile.
            os.link(draft, path)
        except FileExistsError:
            return
        sync_folder(path.parent)
    except OSError as problem:
        raise BackendUnavailable(
            f"{path}: the device's key cannot be written: {problem.strerror}; free space or make the folder writable"
        ) from problem
    finally:
        draft.unlink(missing_ok=True)
