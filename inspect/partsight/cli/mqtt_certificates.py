"""`partsight mqtt certificates`: a plant authority and certificates for broker, station and PLC, for who has none."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from rich.console import Console
from rich.table import Table

from partsight.domain.errors import ConfigError, Mistake
from partsight.outputs.mqtt.settings import LEVEL

CA_DAYS = 3650
BACKDATED = timedelta(hours=1)
"""A machine whose clock is a little behind must not refuse a certificate of today."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that was written. key: mode 0600."""

    name: str
    certificate: Path
    key: Path
    expires: datetime


def certificates(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write them; nothing there is overwritten.")],
    host: Annotated[
        list[str] | None, typer.Option("--host", help="Name or address of the broker, as clients use it; repeatable.")
    ] = None,
    station: Annotated[list[str] | None, typer.Option("--station", help="Client id of a station; repeatable.")] = None,
    plc: Annotated[list[str] | None, typer.Option("--plc", help="Name of a PLC or client; repeatable.")] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long they are valid.")] = 825,
) -> None:
    """Make a plant authority (`ca.crt`) and certificates for the broker, stations and PLCs."""
    issued = issue(folder, host or ["localhost", "127.0.0.1"], [*(station or ["station"]), *(plc or ["plc"])], days)
    console = Console(highlight=False)
    table = Table("certificate", "key (mode 0600)", "expires", box=None, pad_edge=False)
    for one in issued:
        table.add_row(str(one.certificate), str(one.key), f"{one.expires:%Y-%m-%d}")
    console.print(table)
    console.print(
        f"\nKeep {folder / 'ca.key'} away from the line: who has it can make a client of any name.\n"
        "Broker: ca.crt, broker.crt, broker.key. Each client: ca.crt and its own two files.",
        soft_wrap=True,
    )


def issue(folder: Path, hosts: list[str], clients: list[str], days: int) -> list[Issued]:
    """Authority, broker, clients, in this order; an authority that is there signs the new ones. Raises ConfigError."""
    mistakes = _mistakes(folder, hosts, clients)
    if mistakes:
        raise ConfigError(mistakes)
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(timezone.utc)
    written = []
    if (folder / "ca.key").is_file():
        authority, key = _load(folder)
    else:
        key = ec.generate_private_key(ec.SECP256R1())
        authority = _authority(key, now)
        written.append(_write(folder, "ca", authority, key))
    if not (folder / "broker.key").exists():
        names = [_host(h) for h in hosts]
        written.append(_signed(folder, "broker", authority, key, expires=now + timedelta(days=days), hosts=names))
    written += [
        _signed(folder, name, authority, key, expires=now + timedelta(days=days), hosts=None) for name in clients
    ]
    return written


def _mistakes(folder: Path, hosts: list[str], clients: list[str]) -> list[Mistake]:
    found = [
        Mistake(name, "", "is not a plain name", "letters, digits, - and _; not ca or broker")
        for name in clients
        if not LEVEL.match(name) or name in ("ca", "broker")
    ]
    found += [Mistake(name, "", "is named twice") for name in sorted({c for c in clients if clients.count(c) > 1})]
    found += [Mistake(host, "--host", "is not a host name or address") for host in hosts if not host or " " in host]
    for name in clients:
        for file in (folder / f"{name}.crt", folder / f"{name}.key"):
            if file.exists():
                found.append(Mistake(str(file), "", "is there already", "remove it yourself, or choose another name"))
    has_key, has_certificate = (folder / "ca.key").exists(), (folder / "ca.crt").exists()
    if has_key != has_certificate:
        found.append(Mistake(str(folder), "", "holds only one of ca.crt and ca.key", "put both there, or neither"))
    if (folder / "broker.key").exists() != (folder / "broker.crt").exists():
        found.append(Mistake(str(folder), "", "holds only one of broker.crt and broker.key", "put both, or neither"))
    return found


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _authority(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = _name("partsight plant authority")
    return (
        _builder(name, name, key.public_key(), now + timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _signed(
    folder: Path,
    name: str,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    *,
    expires: datetime,
    hosts: list[x509.GeneralName] | None,
) -> Issued:
    """A certificate for a server (`hosts` are its names) or, without hosts, for a client."""
    key = ec.generate_private_key(ec.SECP256R1())
    expires = min(expires, authority.not_valid_after_utc)
    purpose = ExtendedKeyUsageOID.CLIENT_AUTH if hosts is None else ExtendedKeyUsageOID.SERVER_AUTH
    builder = (
        _builder(_name(name), authority.subject, key.public_key(), expires)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    )
    if hosts is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
    return _write(folder, name, builder.sign(authority_key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, expires: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(datetime.now(timezone.utc), expires) - BACKDATED)
        .not_valid_after(expires)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _load(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        authority = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    except (OSError, ValueError, TypeError) as problem:
        raise ConfigError(
            [Mistake(str(folder / "ca.key"), "", f"the authority cannot be read: {problem}")]
        ) from problem
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError([Mistake(str(folder / "ca.key"), "", "is not an authority that partsight made")])
    return authority, key


def _write(folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Issued:
    key_file, certificate_file = folder / f"{name}.key", folder / f"{name}.crt"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # O_EXCL: never over an existing file; the mode is there before the first byte.
    with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secret)
    with certificate_file.open("xb") as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
    return Issued(name, certificate_file, key_file, certificate.not_valid_after_utc)
