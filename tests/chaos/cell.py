"""A station, a broker and a consumer, each in a process of its own, and somebody who ends them."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.chaos.schedule import BROKER, CONSUMER, FREEZE, PAUSE, STATION, Case, Fault
from tests.station.kill_run import environment, write_station

from partsight.testing.broker import MosquittoBroker

PREFIX = "acme/plant1/packing/line3/vi"
NAME = "mes"
LIMIT_S = 30.0
POLL_S = 0.01
# As deploy/mosquitto has it, as far as it concerns what a broker keeps.
QUEUES = "autosave_interval 5\nmax_inflight_messages 20\nmax_queued_bytes 268435456"
PARTS = 'kind = "timer"\nperiod_ms = 15'
NO_PARTS = 'kind = "call"'
MQTT = """
[mqtt]
host = "127.0.0.1"
port = {port}
protocol = "{protocol}"
prefix = "{prefix}"
client_id = "cell"
delivery = "{delivery}"
consumers = ["{name}"]
stall_s = {stall_s}
"""


class Child:
    """A process that can be ended in three ways and started again; what it says goes to one file."""

    def __init__(self, command: list[str], log: Path) -> None:
        self._command, self._log = command, log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment()
            )

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def pause(self) -> None:
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        self.send(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(LIMIT_S)
            self._process = None

    def stop(self) -> None:
        """As a service manager ends it: in order, also in the middle of its start."""
        assert self._process is not None
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)
        status = self._process.wait(LIMIT_S)
        self._process = None
        # A signal that comes before Python has set its handler ends it as any program.
        assert status in (0, -signal.SIGTERM), f"ended with {status}: {self.said}"

    def check(self) -> None:
        """It runs, unless somebody has ended it."""
        if self._process is not None:
            assert self._process.poll() is None, f"ended by itself ({self._process.returncode}): {self.said}"

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")[-4000:] if self._log.exists() else ""


class Cell:
    """All three, in one folder. `returns`: (broker accepts again, newest seq when it went, next fault) in seconds."""

    def __init__(self, folder: Path, case: Case, *, protocol: str, stall_s: float) -> None:
        self.broker = MosquittoBroker(folder / "broker", persistence=case.persistence, extra=QUEUES)
        self._folder, self._case, self._protocol, self._stall_s = folder, case, protocol, stall_s
        self.records_file = folder / "data" / "records.db"
        self.consumer_file = folder / "consumer.db"
        config = self.configure(PARTS)
        self.station = Child([sys.executable, "-m", "partsight", "run", str(config)], folder / "station.log")
        program = str(Path(__file__).with_name("consumer.py"))
        arguments = [str(self.consumer_file), str(self.broker.port), PREFIX, NAME, "asks" if case.asks else "-"]
        self.consumer = Child([sys.executable, program, *arguments], folder / "consumer.log")
        self._who: dict[str, MosquittoBroker | Child] = {
            BROKER: self.broker,
            STATION: self.station,
            CONSUMER: self.consumer,
        }
        self.returns: list[tuple[float, int, float]] = []

    def configure(self, trigger: str) -> Path:
        """Write the station's configuration."""
        config = write_station(self._folder, trigger=trigger)
        table = MQTT.format(
            port=self.broker.port,
            protocol=self._protocol,
            prefix=PREFIX,
            delivery=self._case.delivery,
            name=NAME,
            stall_s=self._stall_s,
        )
        config.write_text(config.read_text() + table)
        return config

    def __enter__(self) -> Cell:
        self.broker.start()
        self.consumer.start()
        # A broker keeps nothing for a consumer that has never been there.
        self.wait(lambda: self.of_consumer("SELECT count(*) FROM subscribed"), "the consumer has subscribed")
        self.station.start()
        self.flows()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.station.kill()
        self.consumer.kill()
        self.broker.kill()

    # what goes on

    def suffer(self, fault: Fault) -> None:
        """Carry it out."""
        began = time.time()
        self.returns = [(back, seq, min(until, began)) for back, seq, until in self.returns]
        for number, (who, how) in enumerate(fault.hits):
            if number:
                self.let_it_run(fault.gap_s)
            if how == FREEZE:
                self._who[who].pause()
                self.let_it_run(fault.gap_s)
                how = "kill" if self._case.broker_dies else "stop"  # noqa: PLW2901 - how it ends
            getattr(self._who[who], how)()
        newest = self.newest()
        self.let_it_run(fault.down_s)
        how_of = dict(fault.hits)
        for who in fault.back:
            if how_of[who] == PAUSE:
                self._who[who].resume()
            else:
                self._who[who].start()
        if list(how_of) == [BROKER]:
            self.returns.append((time.time(), newest, float("inf")))
        if fault.heals:
            self.flows()
        self.let_it_run(fault.up_s)

    def drain(self) -> int:
        """No more parts; until all that is recorded has arrived and is done. The newest seq."""
        self.flows()  # before the station starts anew, which makes up for what it had forgotten
        self.station.stop()
        self.configure(NO_PARTS)
        self.station.start()
        self.wait(self._drained, "all records have arrived and are done", lambda: self.state)
        return self.newest()

    def flows(self) -> None:
        """Until something that is recorded only now is used by the consumer."""
        newest = self.newest()
        self.wait(lambda: self.used() > newest, "records flow again", lambda: self.state)

    def _drained(self) -> bool:
        newest = self.newest()
        return self.used() == newest and self.done() == newest

    def let_it_run(self, seconds: float) -> None:
        """The schedule's own time; who ends by himself meanwhile fails the test."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._look()
            time.sleep(POLL_S)

    def wait(self, condition: Callable[[], Any], what: str, more: Callable[[], str] = str) -> None:
        end = time.monotonic() + LIMIT_S
        while not condition():
            self._look()
            assert time.monotonic() < end, f"not within {LIMIT_S} s: {what}; {more()}"
            time.sleep(POLL_S)

    def _look(self) -> None:
        self.station.check()
        self.consumer.check()

    # what the books say

    def newest(self) -> int:
        """The newest seq that the station has given out."""
        return self._number(self.records_file, "SELECT value FROM counter WHERE name = 'outbox'")

    def done(self) -> int:
        """Up to which seq the station takes its records for delivered."""
        name = NAME if self._case.delivery == "consumer" else "broker"
        return self._number(self.records_file, f"SELECT acked FROM consumer WHERE name = '{name}'")

    def used(self) -> int:
        """Up to which seq the consumer has everything."""
        return self.of_consumer("SELECT max(seq) FROM ordered")

    def of_consumer(self, query: str) -> int:
        return self._number(self.consumer_file, query)

    @property
    def state(self) -> str:
        station, consumer = self.station.said, self.consumer.said
        numbers = f"newest {self.newest()}, done {self.done()}, used {self.used()}"
        return f"{numbers}; the station said: {station}; the consumer said: {consumer}"

    def _number(self, file: Path, query: str) -> int:
        try:
            return int(rows(file, query)[0][0] or 0)
        except (sqlite3.OperationalError, IndexError):  # it is not made yet
            return 0


def rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    """Read as a program beside the one that writes. Raises sqlite3.OperationalError where there is no such table."""
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=5.0)) as db:
        return db.execute(query).fetchall()
