"""`[api]`: what the site says about the API: where it listens, and who is let in."""

from __future__ import annotations

import ipaddress
import ssl
import stat
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from partsight.config.reading import Table, with_home
from partsight.domain.errors import ConfigError, Mistake
from partsight.wire.screen.people import Role

HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]{1,253}$")]


class ApiSettings(Table):
    """host: an address of this machine; anything but loopback needs TLS and an administrator, see `problems`.

    tls_certificate, tls_key: PEM; the certificate may hold its chain. Both or neither.
    anonymous: "viewer" lets everybody who reaches the port see (a wallboard), "none" asks for a login. While there is
        no user at all, a client on this machine may see and acknowledge, and nobody else may do anything.
    metrics_token_file: holds a token that opens `/metrics` and nothing else (Prometheus).
    token_hours: the longest that a login lasts. idle_minutes: a login that is not renewed ends after so long.
    review_share: of good parts whose images are kept, so many are put into the review queue, always the same ones.
    host_names: names under which browsers reach the station, besides its addresses, `localhost` and its own name.
    """

    host: HostName = "127.0.0.1"
    port: int = Field(default=8787, ge=0, le=65535, description="0: any free one (tests)")
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    anonymous: Literal["viewer", "none"] = "none"
    metrics_token_file: Path | None = None
    token_hours: float = Field(default=12.0, gt=0, le=24 * 7)
    idle_minutes: float = Field(default=30.0, gt=0, le=24 * 60)
    review_share: float = Field(default=0.005, ge=0, le=1)
    host_names: Annotated[tuple[Annotated[HostName, AfterValidator(str.lower)], ...], Field(max_length=32)] = ()

    @model_validator(mode="after")
    def _both(self) -> ApiSettings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together: give both or neither")
        return self

    @property
    def loopback(self) -> bool:
        """True where only this machine can reach the port. A name other than localhost counts as reachable."""
        return is_loopback(self.host)

    @property
    def tls(self) -> bool:
        """True where the API speaks HTTPS."""
        return self.tls_certificate is not None

    def resolved(self, beside: Path) -> ApiSettings:
        """The same with the files' paths counted from the folder `beside`. Raises ValueError (no such home)."""

        def whole(path: Path | None) -> Path | None:
            return None if path is None else beside / with_home(path)

        names = ("tls_certificate", "tls_key", "metrics_token_file")
        return self.model_copy(update={name: whole(getattr(self, name)) for name in names})

    def problems(self, data_folder: Path, file: str = "") -> list[Mistake]:
        """Why the API may not be started like this; empty where it may. file: the configuration, for the messages.

        Reads the users' file, the certificate and the key; opens no port.
        """
        found = self._tls_problems(file)
        if not self.loopback and not self.tls:
            found.append(
                Mistake(
                    file,
                    "api.host",
                    f"{self.host} can be reached from other machines, and passwords would go over the wire unencrypted",
                    "give tls_certificate and tls_key, or use 127.0.0.1",
                )
            )
        return found + self._people_problems(data_folder, file) + self._scrape_problems()

    def _scrape_problems(self) -> list[Mistake]:
        from partsight.api.scrape import read_scrape_token

        if self.metrics_token_file is None:
            return []
        try:
            read_scrape_token(self.metrics_token_file)
        except ConfigError as error:
            return list(error.mistakes)
        return []

    def _people_problems(self, data_folder: Path, file: str) -> list[Mistake]:
        from partsight.api.people import read_users

        try:
            users = read_users(data_folder)
        except ConfigError as error:
            return list(error.mistakes)
        if self.loopback or any(u.enabled and u.role is Role.ADMINISTRATOR for u in users.values()):
            return []
        return [
            Mistake(
                file,
                "api.host",
                f"{self.host} can be reached from other machines, and there is no administrator",
                f"partsight users add NAME --role administrator --data {data_folder}",
            )
        ]

    def _tls_problems(self, file: str) -> list[Mistake]:
        if self.tls_certificate is None or self.tls_key is None:
            return []
        try:
            mode = stat.S_IMODE(self.tls_key.stat().st_mode)
            if mode & 0o077:
                told = f"{self.tls_key} may be read by others (mode {mode:04o})"
                return [Mistake(file, "api.tls_key", told, f"chmod 600 {self.tls_key}")]
            self.context()
        except (OSError, ValueError) as problem:
            told = f"the certificate {self.tls_certificate} and the key {self.tls_key} cannot be used: {problem}"
            return [Mistake(file, "api.tls_certificate", told, "`partsight mqtt certificates DIR` makes a set")]
        return []

    def context(self) -> ssl.SSLContext:
        """The server's side of TLS 1.2 or later. Raises OSError (ssl.SSLError is one), ValueError without TLS.

        A key that asks for a passphrase is refused: nobody is there to type it.
        """
        if self.tls_certificate is None or self.tls_key is None:
            raise ValueError("no certificate is configured")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(str(self.tls_certificate), str(self.tls_key), password=lambda: b"")
        return context


def is_loopback(host: str) -> bool:
    """True for `localhost` and for addresses that only this machine has."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool(address.is_loopback or (mapped is not None and mapped.is_loopback))
