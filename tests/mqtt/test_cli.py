"""`partsight mqtt`, as a process, against real brokers; and the configuration that deploy/ ships."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.mqtt.rig import CLOCK, PREFIX, Client, Outbox, inspection, rig, settings

from partsight.cli.mqtt_certificates import issue
from partsight.cli.mqtt_listen import Listener
from partsight.cli.mqtt_probes import Probe
from partsight.outputs.mqtt import MqttSettings, Topics
from partsight.outputs.mqtt.session import Received
from partsight.outputs.mqtt.topics import RIGHTS, Rights
from partsight.testing.broker import BrokerTls, IotcoreBroker, MosquittoBroker, free_port
from partsight.wire.records import event_record

Wait = Callable[..., Any]
Clients = Callable[..., Client]
Brokers = Callable[..., MosquittoBroker]

DEPLOY = Path(__file__).parents[2] / "deploy" / "mosquitto"
COMMAND = "from partsight.cli.mqtt import app; app()"


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "inspect"), "COLUMNS": "200"}


def _mqtt(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=_environment(), timeout=60, check=False)


def _findings(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, str]]:
    return {f["what"]: f for f in json.loads(done.stdout)["findings"]}


def test_check_is_content_with_a_good_broker(mosquitto: Brokers, tmp_path: Path) -> None:
    file = tmp_path / "station.toml"
    file.write_text(f'[mqtt]\nport = {mosquitto().port}\nprefix = "{PREFIX}"\nclient_id = "station"\nprotocol = "5"\n')
    done = _mqtt("check", "--config", file, "--json", "--burst", 500)
    assert done.returncode == 0, done.stderr
    found = _findings(done)
    assert {f["mark"] for f in found.values()} <= {"ok", "warn"}, found
    assert found["NODELAY"]["mark"] == found["queues"]["mark"] == found["client id"]["mark"] == "ok"
    assert re.search(r"p50 [\d.]+ ms, p99 [\d.]+ ms", found["round trip QoS 1"]["found"])


def test_check_finds_what_is_wrong_with_a_broker_and_says_the_cure(mosquitto: Brokers, wait_until: Wait) -> None:
    broker = mosquitto(nodelay=False, max_queued=1000)
    with rig(broker.port) as station:
        wait_until(lambda: station.output.health().connected)
        arguments = ("--port", broker.port, "--prefix", PREFIX, "--protocol", "5", "--json", "--burst", 1500)
        done = _mqtt("check", *arguments)
        assert station.output.health().connections == 1, "a check must not throw the station out"
    assert done.returncode == 1
    found = _findings(done)
    assert (found["NODELAY"]["mark"], found["queues"]["mark"]) == ("bad", "bad")
    assert "set_tcp_nodelay" in found["NODELAY"]["cure"]
    assert "max_queued_messages" in found["queues"]["cure"]
    assert found["client id"]["mark"] == "unknown"


def test_check_without_a_broker(tmp_path: Path) -> None:
    done = _mqtt("check", "--port", free_port(), "--prefix", PREFIX)
    assert done.returncode == 3
    assert "nothing listens" in done.stdout


def test_check_finds_a_second_client_with_the_stations_name(mosquitto: Brokers, wait_until: Wait) -> None:
    broker = mosquitto()
    with rig(broker.port, client_id="partsight", prefix="acme/plant1/packing/line4/vi") as other:
        wait_until(lambda: other.output.health().connected)
        done = _mqtt("check", "--port", broker.port, "--prefix", PREFIX, "--json", "--burst", 100)
    assert _findings(done)["client id"]["mark"] == "bad"
    assert done.returncode == 1


def test_listen_prints_lines_for_scripts(iotcore: IotcoreBroker, client: Clients, wait_until: Wait) -> None:
    outbox = Outbox()
    command = [sys.executable, "-c", COMMAND, "listen", "--port", iotcore.port, "--prefix", PREFIX, "--json"]
    with (
        rig(iotcore.port, outbox=outbox) as station,
        subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True, env=_environment()) as listener,
    ):
        assert listener.stdout is not None
        first = json.loads(listener.stdout.readline())  # the retained picture: it is listening
        assert first["retained"]
        station.output.publish(inspection(3))
        for line in listener.stdout:
            told = json.loads(line)
            if told["topic"].endswith("/verdict"):
                break
        listener.terminate()
        assert told["payload"]["id"] == 3


def test_listen_marks_gaps_and_takes_what_fills_them() -> None:
    listener = Listener(Topics(PREFIX))

    def record(seq: int) -> dict[str, Any]:
        payload = event_record("fault", {}, station="s", epoch=1, seq=seq, at=CLOCK.utc()).to_bytes()
        return listener.take(Received(f"{PREFIX}/event", payload, 1, retained=False))

    assert [record(seq)["gap"] for seq in (5, 6, 9)] == [0, 0, 2]
    assert listener.missing == {7, 8}
    assert record(6)["repeated"]
    assert not record(7)["repeated"]
    assert listener.missing == {8}
    broken = listener.take(Received(f"{PREFIX}/verdict", b"\xff", 0, retained=False))
    assert "problem" in broken


# --- deploy/mosquitto -----------------------------------------------------------------------------


def test_the_access_list_is_the_table_of_rights() -> None:
    lines = (DEPLOY / "acl").read_text().splitlines()
    found: dict[str, tuple[set[str], set[str]]] = {}
    for line in lines:
        words = line.split()
        if words[:1] == ["user"]:
            role = found.setdefault(words[1], (set(), set()))
        elif words[:1] == ["topic"]:
            name = words[2].removeprefix("P/")
            for access, topics in zip(("write", "read"), role, strict=True):
                if words[1] in (access, "readwrite"):
                    topics.add(name)
    assert found == {role: (set(r.writes), set(r.reads)) for role, r in RIGHTS.items()}


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(folder of the certificates, the shipped configuration made to fit this machine)."""
    folder = tmp_path_factory.mktemp("deploy")
    issue(folder, ["127.0.0.1"], list(RIGHTS), 30)
    (folder / "acl").write_text((DEPLOY / "acl").read_text().replace(" P/", f" {PREFIX}/"))
    text = (DEPLOY / "mosquitto.conf").read_text()
    text = text.replace("/etc/mosquitto/partsight", str(folder)).replace("/var/lib/mosquitto/", f"{folder}/")
    file = folder / "shipped.conf"
    file.write_text(text)
    return folder, file


class _Shipped(MosquittoBroker):
    """The shipped file as it is, on a free port."""

    def __init__(self, folder: Path, file: Path) -> None:
        super().__init__(folder, tls=BrokerTls(folder / "ca.crt", folder / "broker.crt", folder / "broker.key"))
        text = file.read_text().replace("listener 8883 127.0.0.1", f"listener {self.port} 127.0.0.1")
        user = next(line for line in self._lines if line.startswith("user "))
        self._lines = [*text.splitlines(), user, "log_dest stderr"]

    def settings(self, user: str) -> MqttSettings:
        folder = self.folder
        tls = {"ca": folder / "ca.crt", "certificate": folder / f"{user}.crt", "key": folder / f"{user}.key"}
        return settings(self.port, protocol="5", tls=tls)


def test_the_shipped_broker_gives_each_role_its_rights_and_no_more(shipped: tuple[Path, Path]) -> None:
    with _Shipped(*shipped) as broker:
        for role, rights in RIGHTS.items():
            with Probe(broker.settings(role), "t") as probe:
                assert [f.mark for f in probe.rights(rights)] == ["ok", "ok"], role
            others = {topic for r in RIGHTS.values() for topic in r.writes} - set(rights.writes)
            with Probe(broker.settings(role), "t") as probe:
                told = list(probe.rights(Rights(tuple(sorted(others)), ())))[-1]
            assert (told.mark, told.found) == ("bad", f"not {', '.join(sorted(others))}"), role


def test_the_shipped_broker_is_fast_and_drops_nothing(shipped: tuple[Path, Path]) -> None:
    with _Shipped(*shipped) as broker, Probe(broker.settings("station"), "t") as probe:
        found = {f.what: f for f in probe.all(RIGHTS["station"], 2000)}
    assert {f.mark for f in found.values()} <= {"ok", "warn"}, found
