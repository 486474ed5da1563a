"""The demo's line: a broker on this machine and the line controller that triggers, tracks and opens the gate."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Literal

from partsight.daemon.site import Site
from partsight.domain.trigger import TriggerKind
from partsight.outputs.mqtt.settings import MqttSettings
from partsight.testing.broker import Broker, IotcoreBroker, any_broker
from partsight.testing.plc import LineController, LinePlan, MqttLink, Score, recorded_truth

PREFIX = "demo/hall/line/station/vi"
RATE_HZ = 4.0
DEADLINE_MS = 1500.0
GATE_MS = 1800.0
Protocol = Literal["3.1.1", "5"]
UNENDING = 1_000_000_000
WAIT_S = 30.0
KEPT = 10_000


class DemoLine:
    """Between `with`: the broker runs. `start` begins the line once the station is there.

    The controller keeps the receiver's rule: a part passes only if its own verdict with `a == 0` came before the gate.
    """

    def __init__(self, data: Path, protocol: Protocol, parts: int | None) -> None:
        self._data = data
        self._protocol = protocol
        self._parts = parts or UNENDING
        self._folder = data / "broker"
        self._broker: Broker | None = None
        self._link: MqttLink | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self.controller: LineController | None = None

    def __enter__(self) -> DemoLine:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._broker = any_broker(self._folder)
        self._broker.start()
        return self

    def site(self, site: Site) -> Site:
        """The demo's station, triggered by the controller over this broker."""
        assert self._broker is not None
        settings = MqttSettings(
            host="127.0.0.1", port=self._port(), protocol=self._protocol, prefix=PREFIX, client_id="partsight-demo"
        )
        config = site.config
        config = config.model_copy(
            update={
                "trigger": config.trigger.model_copy(update={"kind": TriggerKind.CALL}),
                "station": config.station.model_copy(update={"deadline_ms": DEADLINE_MS}),
            }
        )
        return replace(site, config=config, output_settings={"mqtt": settings})

    def start(self) -> None:
        """Begin to bring parts; harmless when it was called before."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="line-controller", daemon=True)
            self._thread.start()

    @property
    def finished(self) -> bool:
        """True once the last part has gone past the gate."""
        return self._thread is not None and not self._thread.is_alive()

    def score(self) -> Score | None:
        """What the gate let out, held against what the parts really were; None before the first."""
        if self.controller is None or not self.controller.passages:
            return None
        return Score.of(list(self.controller.passages), recorded_truth(self._data))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5.0)
        if self._link is not None:
            self._link.close()
        if self._broker is not None:
            self._broker.stop()

    def _port(self) -> int:
        """iotcore has a port for each version, Mosquitto speaks both on one."""
        assert self._broker is not None
        if self._protocol == "5" and isinstance(self._broker, IotcoreBroker):
            return self._broker.port_v5
        return self._broker.port

    def _run(self) -> None:
        self._link = MqttLink("127.0.0.1", self._port(), PREFIX, protocol=self._protocol)
        self._link.open(WAIT_S)
        plan = LinePlan(parts=self._parts, rate_hz=RATE_HZ, gate_ms=GATE_MS, keep=KEPT)
        self.controller = LineController(plan, self._link)
        self.controller.run(lambda: not self._stop.is_set())
