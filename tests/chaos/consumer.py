"""A plant's record keeper in a process of its own: it stores each record before it says that it has it.

Arguments: file of its database, broker's port, prefix, name, `asks` or `-`. It ends by SIGTERM or by force.

It keeps the receiver's rules: a durable session, a record is committed before its PUBACK and before the cumulative
number at `ack/NAME`, what it has already is dropped, and what comes too early waits for its predecessors. With `asks`
it also asks for what is missing (`cmd/sync`, `cmd/replay`) once nothing has advanced for a second.

Tables: `arrival` everything that came, in order, with repeats; `record` without them; `ordered` what may be used, in
the order in which it may be; `subscribed` and `asked` what it did.
"""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
import time
import uuid
from pathlib import Path
from types import FrameType
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

ACK_S = 0.1
TURN_S = 0.05
AGAIN_S = 0.1
PATIENCE_S = 1.0
MOST = 1000
"""Records that it asks for at once."""

TABLES = """
CREATE TABLE IF NOT EXISTS arrival (n INTEGER PRIMARY KEY, at_us INTEGER, leaf TEXT, seq INTEGER, payload BLOB);
CREATE INDEX IF NOT EXISTS arrival_seq ON arrival (seq);
CREATE TABLE IF NOT EXISTS record (seq INTEGER PRIMARY KEY, payload BLOB);
CREATE TABLE IF NOT EXISTS ordered (position INTEGER PRIMARY KEY, seq INTEGER);
CREATE TABLE IF NOT EXISTS subscribed (at_us INTEGER);
CREATE TABLE IF NOT EXISTS asked (at_us INTEGER, first INTEGER, last INTEGER);
"""


def now_us() -> int:
    return time.time_ns() // 1000


class Consumer:
    """One thread; paho calls back inside `loop`, so whatever goes wrong here ends the process and the test sees it."""

    def __init__(self, file: Path, port: int, prefix: str, name: str, *, asks: bool) -> None:
        self.prefix, self.name, self.port, self.asks = prefix, name, port, asks
        self.db = sqlite3.connect(file, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")
        self.db.executescript(TABLES)
        self.upto = int(self.db.execute("SELECT coalesce(max(seq), 0) FROM ordered").fetchone()[0])
        self.stopping = self.owes = False
        self.acked_at = self.advanced_at = self.asked_at = time.monotonic()
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=name, clean_session=False, protocol=paho.MQTTv311, manual_ack=True
        )
        self.client.connect_timeout = 1.0
        self.client.on_connect = self.connected
        self.client.on_subscribe = self.subscribed
        self.client.on_message = self.message

    def run(self) -> None:
        while not self.stopping:
            try:
                self.client.connect("127.0.0.1", self.port, keepalive=2)
            except OSError:
                time.sleep(AGAIN_S)
                continue
            while not self.stopping and self.client.loop(TURN_S) == MQTTErrorCode.MQTT_ERR_SUCCESS:
                self.tick()
            time.sleep(AGAIN_S)
        self.client.disconnect()
        self.db.close()

    def connected(self, client: paho.Client, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        if not reason.is_failure:
            leaves = ("result", "event", f"rsp/{self.name}")
            client.subscribe([(f"{self.prefix}/{leaf}", 1) for leaf in leaves])

    def subscribed(self, *_: Any) -> None:
        self.db.execute("INSERT INTO subscribed VALUES (?)", (now_us(),))
        self.owes = True  # who was away says first how far it is

    def message(self, client: paho.Client, _u: Any, message: paho.MQTTMessage) -> None:
        leaf = message.topic.removeprefix(self.prefix + "/")
        if leaf.startswith("rsp/"):
            self.answered(bytes(message.payload))
        else:
            self.store(leaf, bytes(message.payload))
            self.owes = True
        client.ack(message.mid, message.qos)

    def store(self, leaf: str, payload: bytes) -> None:
        seq = json.loads(payload)["seq"]
        before = self.upto
        self.db.execute("BEGIN IMMEDIATE")
        self.db.execute(
            "INSERT INTO arrival (at_us, leaf, seq, payload) VALUES (?, ?, ?, ?)", (now_us(), leaf, seq, payload)
        )
        self.db.execute("INSERT OR IGNORE INTO record VALUES (?, ?)", (seq, payload))
        while self.db.execute("SELECT 1 FROM record WHERE seq = ?", (self.upto + 1,)).fetchone():
            self.upto += 1
            self.db.execute("INSERT INTO ordered (seq) VALUES (?)", (self.upto,))
        self.db.execute("COMMIT")
        if self.upto > before:
            self.advanced_at = time.monotonic()

    def tick(self) -> None:
        now = time.monotonic()
        if self.owes and now - self.acked_at > ACK_S:
            self.owes, self.acked_at = False, now
            self.client.publish(f"{self.prefix}/ack/{self.name}", str(self.upto), qos=1)
        if self.asks and now - max(self.advanced_at, self.asked_at) > PATIENCE_S:
            self.asked_at = now
            self.command("sync")

    def command(self, name: str, **values: int) -> None:
        told = {"v": 1, "rid": uuid.uuid4().hex, "client": self.name, **values}
        self.client.publish(f"{self.prefix}/cmd/{name}", json.dumps(told), qos=1)

    def answered(self, payload: bytes) -> None:
        told = json.loads(payload)
        last = told["data"].get("acked", 0)
        if not told["ok"] or last <= self.upto or time.monotonic() - self.advanced_at < PATIENCE_S:
            return
        first, last = self.upto + 1, min(last, self.upto + MOST)
        self.db.execute("INSERT INTO asked VALUES (?, ?, ?)", (now_us(), first, last))
        self.command("replay", **{"from": first, "to": last})


def main() -> None:
    file, port, prefix, name, asks = sys.argv[1:]
    consumer = Consumer(Path(file), int(port), prefix, name, asks=asks == "asks")

    def stop(_number: int, _frame: FrameType | None) -> None:
        consumer.stopping = True

    signal.signal(signal.SIGTERM, stop)
    consumer.run()


if __name__ == "__main__":
    main()
