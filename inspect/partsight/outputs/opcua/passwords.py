"""Passwords of OPC UA users: only a salted scrypt hash stands in the configuration."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re

_N, _R, _P = 1 << 14, 8, 1
"""16 MiB and some 30 ms for each try."""
MAX_PASSWORD = 256
FORM = re.compile(r"scrypt\$[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=\Z")


def hash_password(password: str) -> str:
    """What goes into `password_hash`. Raises ValueError for an empty or an over-long password."""
    if not 8 <= len(password) <= MAX_PASSWORD:
        raise ValueError(f"a password has 8 to {MAX_PASSWORD} characters")
    salt = os.urandom(16)
    return f"scrypt${base64.b64encode(salt).decode()}${base64.b64encode(_derive(password, salt)).decode()}"


def verify_password(password: str, hashed: str) -> bool:
    """True where `hashed` was made from `password`. False for anything that is not a hash."""
    if not FORM.match(hashed) or len(password) > MAX_PASSWORD:
        return False
    _, salt, expected = hashed.split("$")
    return hmac.compare_digest(_derive(password, base64.b64decode(salt)), base64.b64decode(expected))


def _derive(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_N, r=_R, p=_P, maxmem=64 * 1024 * 1024, dklen=32)
