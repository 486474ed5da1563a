"""Who comes in, and what he may do: on a server with users, and on one that anybody on this machine may read."""

from __future__ import annotations

import stat
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, ua

from partsight.config.reading import validate
from partsight.domain.errors import ConfigError
from partsight.domain.messages import Hold
from partsight.domain.status import StationState
from partsight.outputs.opcua import OpcUaOutput, OpcUaSettings, hash_password
from partsight.outputs.opcua.certificates import own_certificate
from partsight.outputs.opcua.guard import FAILED_LOGINS, Users
from partsight.outputs.opcua.passwords import verify_password

AUTOMATIC = ("VisionStateMachine", "AutomaticModeStateMachine")
CAUSE = (ua.Variant(0, ua.VariantType.Int32), "")
HASH = hash_password("line three, please")


async def _stop(client: Client, find: Any) -> Any:
    node = await find(client, *AUTOMATIC)
    return await node.call_method(f"{node.nodeid.NamespaceIndex}:Stop", *CAUSE)


def test_an_operator_commands_and_is_named(secured: Any, play: Any, find: Any) -> None:
    async def scenario() -> None:
        async with secured.client("anna") as client:
            secured.station.begin(StationState.RUNNING)
            assert await _stop(client, find) == 0
        assert secured.station.commands == [Hold("opcua anna")]
        assert secured.audited[-1] == ("anna", "opcua", "Stop: DONE")

    play(scenario())


def test_a_user_with_a_certificate_comes_in_without_a_password(secured: Any, play: Any, find: Any) -> None:
    async def scenario() -> None:
        async with secured.client(certificate="gate") as client:
            secured.station.begin(StationState.RUNNING)
            assert await _stop(client, find) == 0
        assert secured.station.commands == [Hold("opcua gate")]

    play(scenario())


def test_an_observer_reads_and_commands_nothing(secured: Any, play: Any, find: Any) -> None:
    async def scenario() -> None:
        async with secured.client("otto") as client:
            secured.station.begin(StationState.RUNNING)
            assert await (await find(client, "Station", "PackMLName")).read_value()
            with pytest.raises(ua.UaStatusCodeError, match="BadUserAccessDenied"):
                await _stop(client, find)
        assert secured.station.commands == []

    play(scenario())


@pytest.mark.parametrize(
    ("user", "password"), [("anna", "wrong password"), ("anna", ""), ("nobody", "line three, please"), ("gate", "")]
)
def test_wrong_users_and_passwords_are_refused(secured: Any, play: Any, user: str, password: str) -> None:
    async def scenario() -> None:
        with pytest.raises(ua.UaStatusCodeError, match=r"BadUserAccessDenied|BadIdentityToken"):
            async with secured.client(user, password):
                pass

    play(scenario())


def test_a_stranger_with_a_certificate_is_no_user(secured: Any, play: Any) -> None:
    async def scenario() -> None:
        with pytest.raises(ua.UaStatusCodeError, match="BadUserAccessDenied"):
            async with secured.client(certificate="stranger"):
                pass

    play(scenario())


@pytest.mark.usefixtures("bold")
def test_nobody_is_anonymous(secured: Any, play: Any) -> None:
    """Neither in the open nor on an encrypted channel."""

    async def scenario() -> None:
        for nobody in (secured.client("", ""), secured.client(secure=False)):
            with pytest.raises(ua.UaStatusCodeError, match=r"BadIdentityToken|BadUserAccessDenied"):
                async with nobody:
                    pass

    play(scenario())


@pytest.mark.usefixtures("bold")
def test_a_channel_without_security_may_do_nothing_even_with_the_right_password(secured: Any, play: Any) -> None:
    async def scenario() -> None:
        secured.station.begin(StationState.RUNNING)
        async with secured.client("anna", secure=False) as client:
            for request in (client.nodes.objects.get_children(), client.uaclient.call([_any_method()])):
                with pytest.raises(ua.UaStatusCodeError, match="BadUserAccessDenied"):
                    await request

    play(scenario())
    assert secured.station.commands == []


def _any_method() -> Any:
    return ua.CallMethodRequest(ObjectId=ua.NodeId(10_000, 2), MethodId=ua.NodeId(10_001, 2))


@pytest.mark.usefixtures("bold")
def test_a_session_that_never_logged_in_may_do_nothing(secured: Any, play: Any) -> None:
    async def scenario() -> None:
        client = Client(secured.url, timeout=5)
        await client.connect_socket()
        try:
            await client.send_hello()
            await client.open_secure_channel()
            await client.create_session()
            for request in (client.nodes.objects.get_children(), client.uaclient.call([_any_method()])):
                with pytest.raises(ua.UaStatusCodeError, match=r"BadUserAccessDenied|BadSessionNotActivated"):
                    await request
        finally:
            client.disconnect_socket()

    play(scenario())


def test_only_the_encrypted_endpoint_is_offered(secured: Any, play: Any) -> None:
    async def scenario() -> None:
        endpoints = await Client(secured.url).connect_and_get_server_endpoints()
        assert [(e.SecurityMode, e.SecurityPolicyUri.rsplit("#")[1]) for e in endpoints] == [
            (ua.MessageSecurityMode.SignAndEncrypt, "Basic256Sha256")
        ]
        kinds = {t.TokenType for e in endpoints for t in e.UserIdentityTokens}
        assert ua.UserTokenType.Anonymous not in kinds

    play(scenario())


def test_only_clients_that_the_folder_names_come_in(secured: Any, play: Any) -> None:
    assert secured.output.health().certificate_days > 3000

    async def scenario() -> None:
        with pytest.raises((ua.UaError, ConnectionError)):
            async with secured.client("anna", shows="unknown"):
                pass
        async with secured.client("anna"):
            pass

    play(scenario())


# --- settings, passwords, certificates ---------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.3.7", "station3.plant", "10.0.0.1"])
def test_the_network_is_refused_without_users(host: str) -> None:
    with pytest.raises(ConfigError, match=r"opcua: host .* can be reached from the network, and there are no users"):
        validate(OpcUaSettings, {"host": host}, "station.toml", "opcua")
    users = [{"name": "anna", "password_hash": HASH, "role": "operator"}]
    assert validate(OpcUaSettings, {"host": host, "users": users}, "station.toml", "opcua").secured


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_this_machine_needs_none(host: str) -> None:
    settings = validate(OpcUaSettings, {"host": host}, "station.toml", "opcua")
    assert settings.loopback
    assert settings.local_role == "observer"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"users": [{"name": "anna", "password_hash": "secret"}]}, "is not a hash"),
        ({"users": [{"name": "anna"}]}, "one of the two"),
        ({"users": [{"name": "anna", "password_hash": HASH, "certificate": "a.der"}]}, "one of the two"),
        ({"users": [{"name": "a b", "password_hash": HASH}]}, r"users\[1\].name"),
        ({"users": [{"name": "a", "password_hash": HASH}] * 2}, "named twice"),
        ({"users": [{"name": "a", "password": "b"}]}, "not a key"),
        ({"trusted": "folder"}, "trusted certificates need users"),
        ({"port": 0}, "opcua.port"),
        ({"local_role": "admin"}, "opcua.local_role"),
    ],
)
def test_mistakes_are_named(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        validate(OpcUaSettings, change, "station.toml", "opcua")


def test_a_password_is_known_by_its_hash_alone() -> None:
    one, two = hash_password("line three, please"), hash_password("line three, please")
    assert one != two
    assert "please" not in one
    assert verify_password("line three, please", one)
    assert not verify_password("line three, pleasE", one)
    for broken in ("", "scrypt$x$y", one[:-1], "scrypt$$", one.replace("scrypt", "plain")):
        assert not verify_password("line three, please", broken)
    for bad in ("", "short", "x" * 300):
        with pytest.raises(ValueError, match="characters"):
            hash_password(bad)


def test_guessing_ends_and_does_not_lock_out_who_is_known() -> None:
    settings = OpcUaSettings.model_validate({"users": [{"name": "anna", "password_hash": HASH}]})
    users, server = Users(settings, {}), None
    assert users.get_user(server, "anna", "line three, please") is not None
    for number in range(FAILED_LOGINS):
        assert users.get_user(server, "anna", f"guess {number}") is None
    fresh = Users(settings, {})
    fresh._failures = list(users._failures)
    assert fresh.get_user(server, "anna", "line three, please") is None  # the window is shut for new tries
    assert users.get_user(server, "anna", "line three, please") is not None


def test_the_certificate_is_made_once_and_kept_private(tmp_path: Path) -> None:
    made = own_certificate(tmp_path / "opcua", "urn:partsight:x", "192.168.3.7")
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    assert made.until > datetime.now(timezone.utc)
    again = own_certificate(tmp_path / "opcua", "urn:partsight:x", "192.168.3.7")
    assert (again.until, made.certificate.read_bytes()) == (made.until, again.certificate.read_bytes())


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda c, k: k.chmod(0o644), "may be read by others"),
        (lambda c, k: c.write_bytes(b"nothing"), "cannot be used"),
        (lambda c, k: k.unlink(), "cannot be used"),
        (lambda c, k: c.unlink(), "cannot be used"),
        (
            lambda c, k: c.write_bytes(own_certificate(c.parent / "b", "urn:b", "::1").certificate.read_bytes()),
            "belong",
        ),
    ],
)
def test_a_certificate_that_cannot_serve_is_refused_at_the_start(
    tmp_path: Path, harm: Callable[[Path, Path], Any], says: str, station: Any
) -> None:
    made = own_certificate(tmp_path / "opcua", "urn:partsight:s", "127.0.0.1")
    harm(made.certificate, made.key)
    settings = OpcUaSettings.model_validate({"users": [{"name": "anna", "password_hash": HASH}]})
    output = OpcUaOutput(settings, tmp_path, "s")
    output.attach(station)
    with pytest.raises(ConfigError, match=says):
        output.start()
    assert output.stop()


def test_users_and_trust_need_certificates_that_are_there(tmp_path: Path, station: Any) -> None:
    for change in (
        {"users": [{"name": "gate", "certificate": str(tmp_path / "missing.der")}]},
        {"users": [{"name": "anna", "password_hash": HASH}], "trusted": str(tmp_path)},
    ):
        output = OpcUaOutput(OpcUaSettings.model_validate(change), tmp_path / "data", "s")
        output.attach(station)
        with pytest.raises(ConfigError, match=r"missing.der|is not a folder with .der certificates"):
            output.start()
