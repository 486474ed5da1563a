"""How an output logs in to an MQTT broker: said in the table of each output that has a connection of its own."""

from __future__ import annotations

import os
import ssl
import stat
from pathlib import Path
from typing import ClassVar

from pydantic import Field, model_validator

from partsight.config.reading import Table
from partsight.domain.errors import ConfigError, Mistake


class TlsTable(Table):
    """TLS 1.2 or later. `certificate` and `key` are the station's own, where the broker asks for one."""

    ca: Path
    certificate: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _both(self) -> TlsTable:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both or neither")
        return self

    def context(self, table: str) -> ssl.SSLContext:
        """A context that verifies the broker's name. `table`: where it is configured. Raises ConfigError."""
        if self.key is not None:
            refuse_readable(self.key, f"{table}.tls.key")
        try:
            context = ssl.create_default_context(cafile=str(self.ca))
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if self.certificate is not None:
                context.load_cert_chain(str(self.certificate), None if self.key is None else str(self.key))
        except (OSError, ValueError) as problem:
            raise ConfigError(
                [
                    Mistake(
                        str(self.ca),
                        f"{table}.tls",
                        f"the certificates cannot be loaded: {problem}",
                        "`partsight mqtt certificates DIR` makes a set that fits together",
                    )
                ]
            ) from problem
        return context


class BrokerLogin(Table):
    """The password never stands in the configuration: `password_env` or `password_file` says where it is.

    backoff_min_s, backoff_max_s: pause between two tries to connect, growing from the one to the other.
    """

    table: ClassVar[str] = ""

    tls: TlsTable | None = None
    username: str | None = Field(default=None, max_length=256)
    password_env: str | None = None
    password_file: Path | None = None
    connect_timeout_s: float = Field(default=2.0, ge=0.2, le=30)
    backoff_min_s: float = Field(default=0.2, ge=0.05, le=60)
    backoff_max_s: float = Field(default=5.0, ge=0.1, le=300)

    @model_validator(mode="after")
    def _login_fits(self) -> BrokerLogin:
        if self.password_env and self.password_file:
            raise ValueError("password_env and password_file are both given: keep one")
        if (self.password_env or self.password_file) and self.username is None:
            raise ValueError("a password needs a username")
        if self.backoff_min_s > self.backoff_max_s:
            raise ValueError(f"backoff_min_s {self.backoff_min_s} is above backoff_max_s {self.backoff_max_s}")
        return self

    def password(self) -> str | None:
        """The password, None without one. Raises ConfigError (not set, not readable, readable by others)."""
        if self.password_env is not None:
            value = os.environ.get(self.password_env)
            if not value:
                raise ConfigError(
                    [
                        Mistake(
                            self.password_env,
                            f"{self.table}.password_env",
                            "the environment variable is not set",
                            "set it",
                        )
                    ]
                )
            return value
        if self.password_file is None:
            return None
        refuse_readable(self.password_file, f"{self.table}.password_file")
        try:
            return self.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as problem:
            raise ConfigError(
                [Mistake(str(self.password_file), f"{self.table}.password_file", f"cannot be read: {problem}")]
            ) from problem


def refuse_readable(path: Path, key: str) -> None:
    """Raises ConfigError where others than the file's owner may read it."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as problem:
        raise ConfigError([Mistake(str(path), key, f"cannot be read: {problem.strerror}")]) from problem
    if mode & 0o077:
        raise ConfigError([Mistake(str(path), key, f"may be read by others (mode {mode:04o})", f"chmod 600 {path}")])
