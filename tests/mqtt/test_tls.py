"""TLS with certificates that `partsight mqtt certificates` makes, and with ones that must not be accepted."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from pydantic import ValidationError
from tests.mqtt.rig import Outbox, rig, settings

from partsight.cli.mqtt_certificates import issue
from partsight.domain.errors import ConfigError
from partsight.testing.broker import BrokerTls, MosquittoBroker

Wait = Callable[..., Any]
Brokers = Callable[..., MosquittoBroker]


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plant")
    issue(folder, ["localhost", "127.0.0.1"], ["station", "plc"], 30)
    return folder


def _tls(folder: Path, name: str = "station") -> dict[str, Path]:
    return {"ca": folder / "ca.crt", "certificate": folder / f"{name}.crt", "key": folder / f"{name}.key"}


def _broker(folder: Path, name: str = "broker") -> BrokerTls:
    return BrokerTls(folder / "ca.crt", folder / f"{name}.crt", folder / f"{name}.key")


def test_a_station_with_its_certificate(mosquitto: Brokers, plant: Path, wait_until: Wait) -> None:
    broker = mosquitto(tls=_broker(plant), anonymous=False, extra="use_identity_as_username true")
    outbox = Outbox()
    with rig(broker.port, outbox=outbox, tls=_tls(plant)):
        outbox.add(50)
        wait_until(lambda: outbox.acks.get("broker") == 50)


@pytest.mark.parametrize(
    ("hosts", "days", "told"),
    [(["other.example"], 30, "not valid for|doesn't match|mismatch"), (["127.0.0.1"], 0, "expired")],
    ids=["for another host", "expired"],
)
def test_a_brokers_certificate_that_does_not_hold(  # noqa: PLR0917 - fixtures and parameters
    mosquitto: Brokers, tmp_path: Path, wait_until: Wait, hosts: list[str], days: int, told: str
) -> None:
    issue(tmp_path / "pki", hosts, ["station"], days)
    broker = mosquitto(tls=_broker(tmp_path / "pki"))
    with rig(broker.port, tls=_tls(tmp_path / "pki")) as station:
        text = wait_until(lambda: station.trouble("mqtt.connection"))
        assert any(word in text for word in told.split("|")), text
        assert not station.output.health().connected
        assert "clock" in station.output.health().cure


def test_a_client_from_another_authority_is_refused(
    mosquitto: Brokers, plant: Path, tmp_path: Path, wait_until: Wait
) -> None:
    issue(tmp_path / "other", ["127.0.0.1"], ["station"], 30)
    broker = mosquitto(tls=_broker(plant))
    stranger = {**_tls(tmp_path / "other"), "ca": plant / "ca.crt"}
    with rig(broker.port, tls=stranger) as station:
        wait_until(lambda: len(station.troubles) >= 2)
        assert station.output.health().connections == 0


def test_no_tls_where_the_broker_wants_it(mosquitto: Brokers, plant: Path, wait_until: Wait) -> None:
    broker = mosquitto(tls=_broker(plant))
    with rig(broker.port) as station:
        wait_until(lambda: station.trouble("mqtt.connection"))
        assert station.output.health().connections == 0


def test_keys_are_private_and_nothing_is_overwritten(plant: Path) -> None:
    for key in plant.glob("*.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = {f.name: f.read_bytes() for f in plant.iterdir()}
    with pytest.raises(ConfigError, match=r"station\.crt.*is there already"):
        issue(plant, ["localhost"], ["station"], 30)
    assert {f.name: f.read_bytes() for f in plant.iterdir()} == before
    issue(plant, ["localhost"], ["second"], 30)  # the authority that is there signs it
    made = x509.load_pem_x509_certificate((plant / "second.crt").read_bytes())
    made.verify_directly_issued_by(x509.load_pem_x509_certificate((plant / "ca.crt").read_bytes()))


@pytest.mark.parametrize("name", ["../up", "a b", "", "ca", "broker", "a/b"])
def test_names_of_certificates_are_plain(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        issue(tmp_path / "pki", ["localhost"], [name], 30)
    assert not (tmp_path / "pki").exists()


def test_secrets_that_others_can_read_are_refused(tmp_path: Path, plant: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    secret.chmod(0o640)
    found = settings(1883, username="station", password_file=secret)
    with pytest.raises(ConfigError, match="chmod 600"):
        found.password()
    secret.chmod(0o600)
    assert found.password() == "hunter2"
    key = plant / "plc.key"
    key.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        settings(1883, tls=_tls(plant, "plc")).tls.context("mqtt")  # type: ignore[union-attr]
    key.chmod(0o600)


def test_a_password_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(1883, username="station", password_env="PARTSIGHT_TEST_PASSWORD")
    with pytest.raises(ConfigError, match="not set"):
        found.password()
    monkeypatch.setitem(os.environ, "PARTSIGHT_TEST_PASSWORD", "hunter2")
    assert found.password() == "hunter2"


@pytest.mark.parametrize(
    "wrong",
    [
        {"prefix": "a//b"},
        {"prefix": "a/b#"},
        {"prefix": "/a"},
        {"password": "hunter2"},
        {"delivery": "consumer"},
        {"consumers": ("a", "a")},
        {"commands": ("bypass",)},
        {"client_id": "a b"},
        {"protocol": "3.1"},
        {"password_file": "x"},
        {"backoff_min_s": 9},
        {"tls": {"ca": "x", "key": "y"}},
    ],
)
def test_a_wrong_configuration_is_a_mistake(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(1883, **wrong)
