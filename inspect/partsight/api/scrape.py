"""The scrape token: what Prometheus shows for `GET /metrics`, since logins expire and are for people.

It lies in a file of its own (`[api] metrics_token_file`, mode 0600) and is read at each scrape, so that it can be
replaced while the station runs.
"""

from __future__ import annotations

import hmac
import os
import re
from pathlib import Path

from partsight.api.people import refuse_open_file
from partsight.domain.errors import ConfigError, Mistake

LONGEST = 512
_FORM = re.compile(rb"[A-Za-z0-9._~+/=-]{32,%d}" % LONGEST)
_CURE = "write 32 or more letters and digits there, as `openssl rand -hex 32 > FILE` does"


def read_scrape_token(path: Path) -> bytes:
    """The file's one line. Raises ConfigError: it is not there, is open to others, or holds no token."""
    try:
        with path.open("rb") as file:
            refuse_open_file(path, os.fstat(file.fileno()))
            token = file.read(LONGEST + 2).strip()
    except OSError as problem:
        raise ConfigError([Mistake(str(path), "", f"cannot be read: {problem.strerror}", _CURE)]) from problem
    if not _FORM.fullmatch(token):
        raise ConfigError([Mistake(str(path), "", "holds no token that cannot be guessed", _CURE)])
    return token


def is_scrape_token(path: Path, shown: str) -> bool:
    """Compared in constant time. Raises ConfigError."""
    return hmac.compare_digest(read_scrape_token(path), shown.encode())
