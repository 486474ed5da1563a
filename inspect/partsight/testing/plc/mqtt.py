"""A controller's side of the line over MQTT, as a PLC's library has it: 3.1.1, clean session, QoS 0 to the station.

Reads the JSON by itself, and knows nothing of the station's own message types: what a PLC must get by with.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from partsight.testing.plc.link import Beat, Heard, Latch, LinkUnavailable, StationWord
from partsight.testing.plc.tracking import Answered

LIVE = ("verdict", "hb", "trigack")
HEARD_WAITING = 4096
CLIENT = "plc-simulator"


@dataclass(frozen=True, slots=True)
class Login:
    """How the controller shows who it is; nothing for a broker that lets anybody in."""

    user: str = ""
    password: str = ""
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class MqttLink:
    """Connects, and connects again by itself. paho's thread only puts messages into a queue."""

    def __init__(
        self,
        host: str,
        port: int,
        prefix: str,
        login: Login | None = None,
        *,
        protocol: Literal["3.1.1", "5"] = "3.1.1",
    ) -> None:
        self._host = host
        self._port = port
        self._prefix = prefix
        self._heard: deque[Heard] = deque(maxlen=HEARD_WAITING)
        self._up = threading.Event()
        self._refused = ""
        self._beats = 0
        login = login or Login()
        version = paho.MQTTv5 if protocol == "5" else paho.MQTTv311
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"{CLIENT}-{uuid4().hex[:8]}", protocol=version)
        client.reconnect_delay_set(1, 1)  # whole seconds are all that paho takes
        client.on_socket_open = _no_delay
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        if login.user:
            client.username_pw_set(login.user, login.password or None)
        if login.ca is not None:
            client.tls_set(
                str(login.ca),
                str(login.certificate) if login.certificate else None,
                str(login.key) if login.key else None,
                tls_version=ssl.PROTOCOL_TLS_CLIENT,
            )
        self._client = client

    def open(self, timeout_s: float) -> None:
        """Connect and subscribe. Raises LinkUnavailable."""
        end = time.monotonic() + timeout_s
        while True:
            try:
                self._client.connect(self._host, self._port, keepalive=5)
                break
            except OSError as error:
                if time.monotonic() > end:
                    raise LinkUnavailable(f"no broker at {self._host}:{self._port}: {error}; start it first") from error
                time.sleep(0.1)
        self._client.loop_start()
        if not self._up.wait(max(end - time.monotonic(), 0.1)):
            self.close()
            why = self._refused or "it did not answer"
            raise LinkUnavailable(f"the broker at {self._host}:{self._port} does not let the controller in: {why}")

    def poll(self) -> list[Heard]:
        """Messages since the last call."""
        heard = []
        while self._heard:
            heard.append(self._heard.popleft())
        return heard

    def trigger(self, number: int, id_: int, encoder: int) -> int:
        """QoS 0: a trigger that comes late is worth nothing."""
        sent = self._send("plc/trig", {"id": id_, "p": str(number), "enc": encoder, "t": _now_ms()})
        return id_ if sent else 0

    def acknowledge(self, id_: int) -> None:
        """`P/plc/ack`."""
        self._send("plc/ack", {"id": id_})

    def beat(self) -> None:
        """`P/plc/hb`."""
        self._beats += 1
        self._send("plc/hb", {"n": self._beats, "t": _now_ms()})

    def confirm_reject(self, id_: int, *, confirmed: bool) -> None:
        """`P/plc/reject`."""
        self._send("plc/reject", {"id": id_, "cmd": 1, "conf": int(confirmed), "t": _now_ms()}, qos=1)

    def operator(self, *, error: bool) -> None:
        """The commands that a person's buttons send."""
        for name in ("reset", "start") if error else ("start",):
            self._send(f"cmd/{name}", {"v": 1, "rid": uuid4().hex, "client": CLIENT}, qos=1)

    def close(self) -> None:
        """Say good-bye."""
        self._client.disconnect()
        self._client.loop_stop()

    def _send(self, leaf: str, payload: dict[str, Any], qos: int = 0) -> bool:
        if not self._up.is_set():
            return False
        told = self._client.publish(f"{self._prefix}/{leaf}", json.dumps(payload, separators=(",", ":")), qos=qos)
        return told.rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            self._refused = str(reason)
            return
        client.subscribe([*((f"{self._prefix}/{leaf}", 0) for leaf in LIVE), (f"{self._prefix}/state", 1)])
        self._up.set()

    def _on_disconnect(self, *_: Any) -> None:
        self._up.clear()

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        leaf = message.topic.removeprefix(f"{self._prefix}/")
        if message.retain and leaf in LIVE:
            return  # a retained verdict belongs to a part that is long gone
        heard = read_message(leaf, bytes(message.payload))
        if heard is not None:
            self._heard.append(heard)


def read_message(leaf: str, payload: bytes) -> Heard | None:
    """A message as a PLC reads it: whole numbers in their places, or it is dropped. Never raises."""
    try:
        body = json.loads(payload)
        if not isinstance(body, dict):
            return None
        if leaf == "verdict":
            return Answered(
                _whole(body, "e"), _whole(body, "id"), _whole(body, "a"), _whole(body, "r"), _whole(body, "c")
            )
        if leaf == "hb":
            ready, newest = _whole(body, "rdy") == 1, _whole(body, "id")
            return Beat(_whole(body, "e"), _whole(body, "n"), ready, _whole(body, "packml"), newest)
        if leaf == "trigack" and body.get("st") in ("latched", "missed"):
            return Latch(_whole(body, "id"), body["st"] == "latched")
        if leaf == "state":
            text = str(body.get("err_txt", ""))
            return StationWord(body.get("st") == "ERROR", _whole(body, "line_stop_req") == 1, text)
    except (ValueError, KeyError, RecursionError):
        return None
    return None


def _whole(body: dict[str, Any], key: str) -> int:
    value = body[key]
    # True would else be 1, and 0.0 a pass.
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError(f"{key} is {value!r}")
    return value


def _no_delay(_client: paho.Client, _data: Any, connected: Any) -> None:
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
