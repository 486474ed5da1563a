"""The MQTT output: verdicts, state and records out, commands in."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from partsight.domain.errors import ConfigError
from partsight.domain.inspection import Inspection
from partsight.domain.messages import Answer, Event, Exposed, Finished, Latched, Missed, Reply, StateChanged
from partsight.domain.ports import Clock, CommandSink
from partsight.outputs.mqtt.delivery import Delivery
from partsight.outputs.mqtt.desk import Answered, CommandDesk
from partsight.outputs.mqtt.events import record_of_event
from partsight.outputs.mqtt.exchange import Desk, Exchange
from partsight.outputs.mqtt.feeder import Feeder, Note
from partsight.outputs.mqtt.health import MqttHealth
from partsight.outputs.mqtt.line import PlcDesk
from partsight.outputs.mqtt.port import OutboxRecords
from partsight.outputs.mqtt.presence import About, Presence
from partsight.outputs.mqtt.session import ConnectionEnded, Session, Will
from partsight.outputs.mqtt.settings import MqttSettings
from partsight.outputs.mqtt.topics import Topics
from partsight.outputs.mqtt.verdicts import VerdictQueue
from partsight.wire.commands import ParsedCommand, ReplayCommand, SyncCommand
from partsight.wire.message import epoch_ms
from partsight.wire.records import LineContext

VERDICTS = 1024
HEALTHY_S = 5.0
"""A connection that lasted this long ends the back-off."""
CLEAR_S = 1.0
"""A connection that stands this long ends the trouble that people see."""
GOODBYE_S = 1.0

Report = Callable[[str, str, str], None]


def _silent(*_: str) -> None:
    """Whoever gives no callback is told nothing."""


class MqttOutput:
    """Implements `Output` with `tell`. Three threads: the connection's, the records' feeder, the command desk.

    acknowledge: the PLC acknowledges each verdict (`[line] acknowledge`); said in `info`.
    on_fault(key, text, cure): a thread failed for a reason that nobody foresaw; the station must become ERROR.
    on_trouble(key, text, cure), on_clear(key): the connection or a right is missing, and is back.
    All three are called from these threads and must return at once.
    """

    def __init__(
        self,
        settings: MqttSettings,
        station_name: str,
        records: OutboxRecords,
        clock: Clock,
        *,
        about: About | None = None,
        acknowledge: bool = False,
        on_fault: Report = _silent,
        on_trouble: Report = _silent,
        on_clear: Callable[[str], None] = _silent,
    ) -> None:
        """Reads from `records` where the outgoing records stand. Raises RecordsError."""
        self._settings = settings
        self._name = station_name
        self._records = records
        self._clock = clock
        self._on_fault = on_fault
        self._on_trouble = on_trouble
        self._on_clear = on_clear
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._session: Session | None = None
        self._health = MqttHealth(broker=f"{settings.host}:{settings.port}")
        self._clock_offset_ms: int | None = None
        self._stop_timeout_s = GOODBYE_S
        names = settings.consumers if settings.delivery == "consumer" else ()
        records.set_consumers(names or ("broker",))
        delivery = Delivery(
            {name: records.acked(name) for name in names or ("broker",)}, names, stall_s=settings.stall_s
        )
        feeder = Feeder(records, delivery.acked, wake=self._wake, trouble=on_trouble, clear=on_clear)
        commands = CommandDesk(settings, records, clock, own=self._own, send=self._answer, trouble=on_trouble)
        about = about or About(software="partsight")
        self._desk = Desk(
            settings=settings,
            clock=clock,
            topics=Topics(settings.prefix),
            verdicts=VerdictQueue(VERDICTS, clock.monotonic_ns),
            delivery=delivery,
            feeder=feeder,
            commands=commands,
            plc=PlcDesk(lambda subject, what, why: feeder.note(subject, Note("plc", what, {"why": why}))),
            presence=Presence(about, records.epoch, clock, acknowledged=acknowledge),
            trouble=on_trouble,
            clear=on_clear,
        )

    # the port

    def publish(self, inspection: Inspection) -> None:
        """Hand a verdict over; microseconds, never raises. Without room or in time it is not sent, and counted."""
        self._desk.verdicts.put(inspection)
        self._wake()

    def tell(self, event: Event) -> None:
        """From any thread; returns at once."""
        if isinstance(event, Finished):
            return
        if isinstance(event, (Latched, Exposed, Missed)):
            if self._health.connected:
                self._desk.acks.append(event)
                self._wake()
            return
        recorded = record_of_event(event, self._clock)
        if recorded is not None:
            self._desk.feeder.event(*recorded)
        if isinstance(event, StateChanged):
            self._desk.changed.set()
            self._wake()

    def attach(self, sink: CommandSink) -> None:
        """The station: before `start`."""
        self._desk.sink = sink
        self._desk.commands.attach(sink)
        self._desk.plc.attach(sink)

    def start(self) -> None:
        """Begin to connect; returns at once. From here on records name the PLC's batch and order.

        Raises ConfigError for a password or certificate that cannot be used.
        """
        self._settings.password()
        if self._settings.tls is not None:
            self._settings.tls.context(self._settings.table)
        self._records.on_outbox = self._desk.feeder.poke
        self._records.context = self.context
        work = (("mqtt", self._connection), ("mqtt-records", self._desk.feeder.run), ("mqtt-commands", self._serve))
        self._threads = [
            threading.Thread(target=self._guarded, args=(name, run), name=name, daemon=True) for name, run in work
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Send what may be sent, say that we are offline, end. False where a thread did not end in time."""
        end = time.monotonic() + timeout_s
        self._stop_timeout_s = min(GOODBYE_S, timeout_s / 2)
        self._desk.commands.stop()
        self._stopping.set()
        self._wake()
        if self._threads:
            self._threads[0].join(timeout_s / 2)  # its last acknowledgements are stored by the feeder
        self._desk.feeder.stop()
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def health(self) -> MqttHealth:
        """A snapshot; never waits."""
        desk, delivery = self._desk, self._desk.delivery
        last = max(desk.feeder.last, delivery.cursor)
        return replace(
            self._health,
            verdicts_sent=desk.counts.verdicts,
            verdicts_expired=desk.verdicts.expired,
            verdicts_refused=desk.verdicts.refused,
            acked=delivery.acked,
            last=last,
            backlog=max(0, last - delivery.acked),
            by_consumer=delivery.by_consumer(),
            sent=desk.counts.rows,
            resent=delivery.resent,
            replayed=desk.feeder.replayed,
            records_skipped=desk.feeder.skipped,
            no_subscribers=desk.counts.no_subscribers,
            refused_by_broker=desk.counts.refused,
            commands_done=desk.commands.done,
            commands_refused=desk.commands.refused,
            commands_retained=desk.commands.retained,
            commands_overflowed=desk.commands.overflowed,
            garbage=desk.counts.garbage + desk.plc.garbage,
            future_acks=desk.feeder.future_acks,
            events_dropped=desk.feeder.events_dropped,
            notes_dropped=desk.feeder.notes_dropped,
            clock_offset_ms=self._clock_offset_ms,
            plc_state=desk.plc.state.model_dump(exclude_none=True),
        )

    def context(self) -> LineContext:
        """Batch and order that the PLC stated, for the records."""
        return self._desk.plc.context()

    # threads

    def _guarded(self, name: str, run: Callable[[], None]) -> None:
        """The top of each thread: what nobody foresaw becomes a fault, and the work begins anew."""
        delay, why = self._settings.backoff_min_s, "ended"
        try:
            while True:
                try:
                    run()
                except Exception as problem:  # noqa: BLE001 - the thread's top: people must see it, then it begins anew
                    self._report(name, f"failed: {type(problem).__name__}: {problem}")
                else:
                    break
                if self._stopping.wait(delay):
                    break
                delay = min(2 * delay, self._settings.backoff_max_s)
        except BaseException as problem:
            why = f"ended: {type(problem).__name__}: {problem}"
            raise
        finally:
            if not self._stopping.is_set():
                self._report(name, why)

    def _report(self, name: str, what: str) -> None:
        self._health = replace(self._health, last_error=f"the thread {name} {what}")
        self._on_fault(f"{name}.thread", f"the thread {name} {what}", "acknowledge it; report it with the log")

    def _serve(self) -> None:
        self._desk.commands.run()

    def _connection(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._one_connection()
            except ConnectionEnded as ended:
                lasted = time.monotonic() - began if self._health.connected else 0.0
                failures = 1 if lasted > HEALTHY_S else failures + 1
                self._lost(ended.why, ended.cure, failures, lasted)
            except ConfigError as mistake:
                failures += 1
                self._lost(str(mistake), "", failures, 0.0)
            delay = min(self._settings.backoff_max_s, self._settings.backoff_min_s * 2 ** min(failures, 16) / 2)
            # Jitter, so that a hall full of stations does not come back in the same instant.
            self._stopping.wait(delay * random.uniform(0.5, 1.0))  # noqa: S311 - not for secrets
            self._desk.verdicts.purge()

    def _lost(self, why: str, cure: str, failures: int, lasted: float) -> None:
        if lasted and failures >= 3 and not cure:
            why += f"; {failures} connections in a row were lost within {HEALTHY_S:g} s"
            cure = f"does another client use the client id {self._settings.client_id!r}? see the broker's log"
        self._health = replace(self._health, connected=False, last_error=why, cure=cure)
        self._on_trouble("mqtt.connection", why, cure)

    def _one_connection(self) -> None:
        """Connect and serve until `stop`. Raises ConnectionEnded, ConfigError."""
        desk = self._desk
        will = Will(desk.topics.of("conn"), desk.presence.will())
        session = Session(self._settings, will)
        self._session = session
        politely = False
        try:
            session.connect()
            exchange = Exchange(session, desk)
            exchange.begin()
            self._health = replace(self._health, connected=True, connections=self._health.connections + 1)
            self._turns(exchange)
            exchange.leave(self._stop_timeout_s)
            politely = True
            self._health = replace(self._health, connected=False)
        finally:
            self._session = None
            session.close(politely=politely)

    def _turns(self, exchange: Exchange) -> None:
        began, cleared = time.monotonic(), False
        while not self._stopping.is_set():
            exchange.turn()
            if not cleared and time.monotonic() - began > CLEAR_S:
                cleared = True
                self._health = replace(self._health, last_error="", cure="")
                self._on_clear("mqtt.connection")

    def _wake(self) -> None:
        session = self._session
        if session is not None:
            session.wake()

    # commands of our own, in the command desk's thread

    def _answer(self, answer: Answered) -> None:
        self._desk.answers.append(answer)
        self._wake()

    def _own(self, parsed: ParsedCommand) -> Reply:
        if isinstance(parsed, ReplayCommand):
            return self._replay(parsed)
        if isinstance(parsed, SyncCommand):
            return self._sync()
        now = epoch_ms(self._clock.utc())
        if parsed.t is None:
            return Reply(Answer.DONE, "", {"t": now})
        self._clock_offset_ms = now - parsed.t
        return Reply(
            Answer.DONE, f"the station's clock is {now - parsed.t:+d} ms", {"t": now, "offset_ms": now - parsed.t}
        )

    def _replay(self, parsed: ReplayCommand) -> Reply:
        first, last = self._records.outbox_bounds()
        begin, end = max(parsed.first, first), min(parsed.to, last)
        data = {"from": begin, "to": end, "first": first, "last": last}
        if begin > end:
            return Reply(Answer.INVALID, f"there are records {first} to {last} only", data)
        if not self._desk.feeder.replay(begin, end):
            return Reply(Answer.NOT_NOW, "another replay is running; ask again when it has ended", data)
        return Reply(Answer.DONE, f"{end - begin + 1} records are on their way", data)

    def _sync(self) -> Reply:
        self._desk.resync.set()
        self._wake()
        first, last = self._records.outbox_bounds()
        data = {"epoch": self._records.epoch, "first": first, "last": last, "acked": self._desk.delivery.acked}
        if self._desk.sink is not None:
            status = self._desk.sink.status()
            data |= {"id": status.last_id, "ready": int(status.ready), "packml": status.state.packml}
        return Reply(Answer.DONE, "", data)
