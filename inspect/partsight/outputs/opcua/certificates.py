"""The server's own certificate: made on the first start, and checked on every other."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from partsight.domain.errors import ConfigError, Mistake

YEARS = 10
"""A station stands for years with nobody near; who wants a shorter term puts a certificate of the plant there."""


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """Paths of the certificate (DER) and its key (PEM, mode 0600), and until when it is valid (UTC)."""

    certificate: Path
    key: Path
    until: datetime


def own_certificate(folder: Path, application_uri: str, host: str) -> OwnCertificate:
    """What lies in `folder`, or a new self-signed one.

    Raises ConfigError where it cannot be read, does not fit its key, has run out or may be read by others.
    """
    public, private = folder / "certificate.der", folder / "key.pem"
    if not public.exists() and not private.exists():
        _make(public, private, application_uri, host)
    return OwnCertificate(public, private, _check(public, private))


def _check(public: Path, private: Path) -> datetime:
    cure = f"put the right file there, or remove {public} and {private}: a new pair is made at the next start"
    try:
        mode = stat.S_IMODE(private.stat().st_mode)
        certificate = x509.load_der_x509_certificate(public.read_bytes())
        key = serialization.load_pem_private_key(private.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as problem:
        raise ConfigError([Mistake(str(public), "opcua", f"cannot be used: {problem}", cure)]) from problem
    if mode & 0o077:
        told = f"may be read by others (mode {mode:04o})"
        raise ConfigError([Mistake(str(private), "opcua", told, f"chmod 600 {private}")])
    if certificate.public_key() != key.public_key():
        raise ConfigError([Mistake(str(public), "opcua", f"does not belong to {private}", cure)])
    until = certificate.not_valid_after_utc
    if until < datetime.now(timezone.utc):
        raise ConfigError([Mistake(str(public), "opcua", f"has run out on {until:%Y-%m-%d}", cure)])
    return until


def _make(public: Path, private: Path, application_uri: str, host: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"partsight on {socket.gethostname()}"[:64])])
    names: list[x509.GeneralName] = [
        x509.UniformResourceIdentifier(application_uri),
        x509.DNSName(socket.gethostname()),
    ]
    try:
        address = ipaddress.ip_address(host)
        if not address.is_unspecified:
            names.append(x509.IPAddress(address))
    except ValueError:
        names.append(x509.DNSName(host))
    # A clock that is set right after the first start may go back by hours.
    since = datetime.now(timezone.utc) - timedelta(days=1)
    usage = dict.fromkeys(("key_agreement", "crl_sign", "encipher_only", "decipher_only"), False) | dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_cert_sign"), True
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + timedelta(days=365 * YEARS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    try:
        public.parent.mkdir(parents=True, exist_ok=True)
        # Never readable by others, not even for the moment before a chmod.
        with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key.private_bytes(serialization.Encoding.PEM, *form))
        public.write_bytes(certificate.public_bytes(serialization.Encoding.DER))
    except OSError as problem:
        told = f"the server's certificate cannot be written: {problem}"
        raise ConfigError([Mistake(str(public), "opcua", told)]) from problem
