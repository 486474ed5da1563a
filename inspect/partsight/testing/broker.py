"""A real MQTT broker on loopback, for tests, trials and the demo: iotcore where it is installed, else Mosquitto.

Both run in a child process that this process started and owns; nothing listens on another address than 127.0.0.1.
"""

from __future__ import annotations

import getpass
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from partsight.domain.errors import PartsightError

B = TypeVar("B", bound="_ChildBroker")

START_S = 10.0
STOP_S = 10.0


class BrokerUnavailable(PartsightError):
    """No broker can be started here."""


@dataclass(frozen=True, slots=True)
class BrokerTls:
    """The broker's own certificate and the authority that clients must come from."""

    ca: Path
    certificate: Path
    key: Path
    clients_too: bool = True


def mosquitto_path() -> str | None:
    """Mosquitto's program, None where it is not installed. Debian keeps it where a user's PATH does not look."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A port on 127.0.0.1 that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _ChildBroker:
    """The child process of a broker. It can be stopped, killed, paused and started again on the same port."""

    def __init__(self, folder: Path, port: int | None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def _command(self) -> list[str]:
        """The program and its arguments; writes its configuration."""
        raise NotImplementedError

    def _ports(self) -> tuple[int, ...]:
        return (self.port,)

    @property
    def pid(self) -> int:
        """Of the child process. Raises BrokerUnavailable where it does not run."""
        if self._process is None:
            raise BrokerUnavailable("the broker does not run; start() it first")
        return self._process.pid

    def start(self) -> None:
        """Until it accepts connections. Raises BrokerUnavailable."""
        if self._process is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        command = self._command()
        log = self.folder / "broker.out"
        with log.open("ab") as out:
            # Its standard input is a pipe that closes with us: a broker that watches it never outlives us.
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=out)
        end = time.monotonic() + START_S
        while not all(_accepts(port) for port in self._ports()):
            ended = self._process.poll() is not None
            if ended or time.monotonic() > end:
                self.kill()
                told = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise BrokerUnavailable(f"the broker {command[0]} did not start on port {self.port}: {told}")
            time.sleep(0.01)

    def stop(self) -> None:
        """As a service manager stops it; killed where it does not end."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As a power cut ends it: it can write nothing more."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """It stands still: connections stay open, nothing is answered (SIGSTOP)."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on (SIGCONT)."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()

    def __enter__(self: B) -> B:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


class MosquittoBroker(_ChildBroker):
    """Mosquitto, set up as partsight advises: NODELAY, queues that do not drop; `extra` are lines of its own file.

    persistence: what it held survives `stop` (and `kill` since its last snapshot).
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        tls: BrokerTls | None = None,
        persistence: bool = False,
        nodelay: bool = True,
        max_queued: int = 100_000,
        anonymous: bool = True,
        extra: str = "",
    ) -> None:
        super().__init__(folder, port)
        self._tls = tls
        self._lines = [
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {_word(anonymous)}",
            f"user {getpass.getuser()}",
            f"set_tcp_nodelay {_word(nodelay)}",
            f"max_queued_messages {max_queued}",
            "log_dest stderr",
            "log_type error",
            "log_type warning",
            "log_type notice",
        ]
        if persistence:
            self._lines += ["persistence true", f"persistence_location {folder.resolve()}/"]
        if tls is not None:
            self._lines += [f"cafile {tls.ca}", f"certfile {tls.certificate}", f"keyfile {tls.key}"]
            self._lines += [f"require_certificate {_word(tls.clients_too)}", "tls_version tlsv1.2"]
        self._lines += extra.splitlines()

    def _command(self) -> list[str]:
        program = mosquitto_path()
        if program is None:
            raise BrokerUnavailable("Mosquitto is not installed: `apt install mosquitto`, or use iotcore")
        file = self.folder / "mosquitto.conf"
        file.write_text("\n".join(self._lines) + "\n", encoding="utf-8")
        return [program, "-c", str(file)]


class IotcoreBroker(_ChildBroker):
    """iotcore (rumqttd): `port` speaks MQTT 3.1.1, `port_v5` MQTT 5; both share topics. Holds everything in memory."""

    def __init__(self, folder: Path, *, port: int | None = None, port_v5: int | None = None) -> None:
        super().__init__(folder, port)
        self.port_v5 = port_v5 or free_port()

    def _ports(self) -> tuple[int, ...]:
        return (self.port, self.port_v5)

    def _command(self) -> list[str]:
        if find_spec("iotcore") is None:
            raise BrokerUnavailable("iotcore is not installed: `pip install iotcore`, or install Mosquitto")
        file = self.folder / "iotcore.toml"
        listeners = "".join(
            f'[{kind}.1]\nname = "{kind}"\nlisten = "127.0.0.1:{port}"\nnext_connection_delay_ms = 1\n'
            f"[{kind}.1.connections]\nconnection_timeout_ms = 5000\nmax_payload_size = 1048576\n"
            "max_inflight_count = 100\ndynamic_filters = true\n"
            for kind, port in (("v4", self.port), ("v5", self.port_v5))
        )
        router = (
            "id = 0\n[router]\nid = 0\nmax_connections = 1000\nmax_outgoing_packet_count = 200\n"
            "max_segment_size = 10485760\nmax_segment_count = 10\n"
        )
        file.write_text(router + listeners, encoding="utf-8")
        # iotcore's own child ends when its standard input closes, so it cannot outlive us.
        code = (
            "import sys; sys.path[:] = [p for p in sys.path if p not in ('', '.')]; "
            "from iotcore._serve import main; main()"
        )
        return [sys.executable, "-c", code, json.dumps({"config_path": str(file)})]


Broker = MosquittoBroker | IotcoreBroker


def any_broker(folder: Path, *, port: int | None = None) -> Broker:
    """One that is here, not started yet: iotcore, else Mosquitto. Raises BrokerUnavailable where there is none."""
    if find_spec("iotcore") is not None:
        return IotcoreBroker(folder, port=port)
    if mosquitto_path() is not None:
        return MosquittoBroker(folder, port=port)
    raise BrokerUnavailable("there is no MQTT broker here: `pip install iotcore`, or `apt install mosquitto`")


def _word(value: bool) -> str:
    return "true" if value else "false"


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.2):
            return True
    except OSError:
        return False
