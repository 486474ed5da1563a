"""Live traffic with the line's controller: its messages in, verdicts and trigger acknowledgements out."""

from __future__ import annotations

from collections.abc import Callable

from partsight.domain.messages import Acknowledge, Answer, Command, PlcHeartbeat, RejectReport, TriggerPart
from partsight.domain.ports import CommandSink
from partsight.wire.message import WireError
from partsight.wire.plc import PlcAck, PlcReject, PlcState, PlcTrigger
from partsight.wire.records import LineContext

MAX_BYTES = 1024
"""No message of a PLC is longer."""
SOURCE = "mqtt:plc"


class PlcDesk:
    """Turns `plc/*` into the station's commands. What is not understood is noted, counted and changes nothing."""

    def __init__(self, note: Callable[[str, str, str], None]) -> None:
        """`note(subject, what, why)` audits, with a bound on how often."""
        self._note = note
        self._sink: CommandSink | None = None
        self.state = PlcState()
        self.garbage = 0

    def attach(self, sink: CommandSink) -> None:
        """Whom the commands go to."""
        self._sink = sink

    def context(self) -> LineContext:
        """Batch and order for the records."""
        return LineContext(batch=self.state.batch, order=self.state.order)

    def take(self, leaf: str, payload: bytes, *, retained: bool) -> None:
        """One message of `plc/...`; only `plc/state` may be retained."""
        if retained and leaf != "plc/state":
            self.garbage += 1
            self._note(leaf, f"{leaf} dropped", "it was retained at the broker")
            return
        if len(payload) > MAX_BYTES:
            self.garbage += 1
            self._note(leaf, f"{leaf} dropped", f"{len(payload)} bytes; at most {MAX_BYTES} are taken")
            return
        try:
            command = self._command(leaf, payload)
        except WireError as problem:
            self.garbage += 1
            self._note(leaf, f"{leaf} dropped", str(problem)[:200])
            return
        if command is None or self._sink is None:
            return
        reply = self._sink.command(command)
        if reply.code is not Answer.DONE and not isinstance(command, PlcHeartbeat):
            self._note(leaf, f"{leaf} refused", f"{reply.code.name}: {reply.text}"[:200])

    def _command(self, leaf: str, payload: bytes) -> Command | None:
        if leaf == "plc/hb":
            return PlcHeartbeat(SOURCE)
        if leaf == "plc/trig":
            trigger = PlcTrigger.parse(payload)
            return TriggerPart(SOURCE, part_id=trigger.p, id=trigger.id, encoder=trigger.enc)
        if leaf == "plc/ack":
            return Acknowledge(SOURCE, PlcAck.parse(payload).id)
        if leaf == "plc/reject":
            seen = PlcReject.parse(payload)
            return RejectReport(SOURCE, seen.id, commanded=bool(seen.cmd), confirmed=bool(seen.conf))
        if leaf == "plc/state":
            self.state = PlcState.parse(payload) if payload else PlcState()
        return None
