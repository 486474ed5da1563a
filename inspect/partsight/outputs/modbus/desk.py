"""What the PLC asks for by its registers: edges become commands, each answered in registers and audited."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from partsight.domain.inspection import Inspection
from partsight.domain.messages import (
    Acknowledge,
    Challenge,
    Command,
    PlcHeartbeat,
    RejectReport,
    Reply,
    Reset,
    SelectRecipe,
    Start,
    Stop,
    TriggerPart,
)
from partsight.domain.ports import CommandSink
from partsight.domain.status import Mode
from partsight.domain.verdict import Action
from partsight.outputs.modbus.clerk import Clerk, ClerksCommand, Errand
from partsight.outputs.modbus.control import Change, ControlWords
from partsight.outputs.modbus.image import Image
from partsight.outputs.modbus.registers import Control, Write
from partsight.outputs.modbus.settings import CommandName, ModbusSettings
from partsight.outputs.modbus.sparing import Sparing

REJECTS_WAITING = 256
"""Rejects whose confirmation may be outstanding; older ones are forgotten, never confirmed."""


class Desk:
    """Takes writes in the event loop; `note` comes from the station's threads.

    done, refused: commands by edges that the station carried out or did not.
    """

    def __init__(
        self, settings: ModbusSettings, image: Image, clerk: Clerk, sparing: Sparing, *, acknowledge: bool
    ) -> None:
        self._settings = settings
        self._image = image
        self._clerk = clerk
        self._required = acknowledge
        self._sparing = sparing
        self._sink: CommandSink | None = None
        self._control = ControlWords()
        self._rejects: deque[int] = deque(maxlen=REJECTS_WAITING)
        self._lock = threading.Lock()
        self.done = 0
        self.refused = 0

    def attach(self, sink: CommandSink) -> None:
        """Who carries the commands out."""
        self._sink = sink

    def note(self, inspection: Inspection) -> None:
        """Remember a reject, for the confirmations that come as a count."""
        if inspection.verdict.action is not Action.PASS and inspection.mode is not Mode.BYPASS:
            with self._lock:
                self._rejects.append(inspection.trigger.id)

    @property
    def line_speed_mm_s(self) -> int:
        """Register 109."""
        return self._control.word(Write.LINE_SPEED)

    def words(self, address: int, count: int) -> list[int] | None:
        """What was written."""
        return self._control.words(address, count)

    def write(self, address: int, values: Sequence[int], source: str) -> bool:
        """Take the words, then act on their edges. False: not registers that a PLC writes."""
        change = self._control.write(address, values)
        if change is None:
            return False
        if change.beat:
            self._send(PlcHeartbeat(source))
        if change.confirmed:
            self._confirm(change.confirmed, source)
        self._act(change, source)
        return True

    def _act(self, change: Change, source: str) -> None:
        """Acknowledgements first: they may free the slot that a trigger in the same write needs."""
        if Control.RESULT_ACK in change.rising:
            self._acknowledge(source)
        if Control.CLEAR_ERROR in change.rising:
            self._ask("reset", Reset(source), then=self._image.end_overrun)
        if Control.RESET in change.rising:
            self._ask("reset", Reset(source), then=lambda: self._start_anew(source))
        if Control.RECIPE_STROBE in change.rising:
            self._select_recipe(source)
        if Control.RUN in change.rising:
            self._ask("run", Start(source))
        elif Control.RUN in change.falling:
            self._ask("run", Stop(source))
        if Control.CHALLENGE in change.rising:
            self._challenge(source)
        if Control.TRIGGER in change.rising:
            self._trigger(source)
        elif Control.TRIGGER in change.falling:
            self._image.end_trigger()

    def _trigger(self, source: str) -> None:
        """The id is the station's, in register 4 before this write is answered; 0 where none was given."""
        enabled = Control.TRIGGER_ENABLE in Control(self._control.word(Write.CONTROL) & 0xFF)
        if not enabled or "trigger" not in self._settings.commands:
            self._refuse(source, "trigger", "TrigEnable is 0" if not enabled else "not in modbus.commands")
            self._image.answer_trigger(0, accepted=False)
            return
        number = self._control.number(Write.PART)
        part = str(number) if number else ""
        reply = self._send(TriggerPart(source, part_id=part, encoder=self._control.number(Write.ENCODER)))
        self._count(reply)
        given = reply.data.get("id", 0) if reply is not None else 0
        accepted = reply is not None and reply.ok
        self._image.answer_trigger(int(given), accepted=accepted)

    def _acknowledge(self, source: str) -> None:
        """0 is no id, and an id that does not wait acknowledges nothing, so that a repeat is harmless."""
        id_ = self._control.word(Write.ACKNOWLEDGED)
        if "acknowledge" not in self._settings.commands:
            self._refuse(source, "acknowledge", "not in modbus.commands")
        elif not self._required:
            if id_:
                self._send(Acknowledge(source, id_))
        elif id_ and self._image.acknowledge(id_):
            self._send(Acknowledge(source, id_))
            self._image.ask_again()

    def _start_anew(self, source: str) -> None:
        """For a PLC that has restarted: latched faults acknowledged, and no result waits any more."""
        newest = self._image.start_anew()
        if newest:
            self._send(Acknowledge(source, newest))

    def _select_recipe(self, source: str) -> None:
        id_ = self._control.word(Write.RECIPE)
        if not id_:
            self._refuse(source, "recipe", "recipe id is 0: none")
            return
        self._image.want_recipe(id_)
        self._ask("recipe", SelectRecipe(source, id=id_), what=f"recipe {id_}")

    def _challenge(self, source: str) -> None:
        kit = self._settings.challenge
        if not kit:
            self._refuse(source, "challenge", "modbus.challenge does not say which parts of the kit are bad")
            return
        self._ask("challenge", Challenge(source, kit))

    def _confirm(self, count: int, source: str) -> None:
        """The count says how many, not which: confirmations belong to the oldest rejects, in order."""
        if "reject" not in self._settings.commands:
            self._refuse(source, "reject", "not in modbus.commands")
            return
        with self._lock:
            ids = [self._rejects.popleft() for _ in range(min(count, len(self._rejects)))]
        for id_ in ids:
            self._send(RejectReport(source, id_, commanded=True, confirmed=True))

    def _ask(
        self, name: CommandName, command: ClerksCommand, *, what: str = "", then: Callable[[], None] | None = None
    ) -> None:
        """Hand a command over; its answer shows in the registers and in the audit."""
        what = what or type(command).__name__.lower()
        if name not in self._settings.commands:
            self._refuse(command.source, what, "not in modbus.commands")
            return
        if not self._clerk.give(Errand(command, what, (then, self._image.ask_again))):
            self._refuse(command.source, what, "too many commands wait")

    def _send(self, command: Command) -> Reply | None:
        return None if self._sink is None else self._sink.command(command)

    def _count(self, reply: Reply | None) -> None:
        if reply is not None and reply.ok:
            self.done += 1
        else:
            self.refused += 1

    def _refuse(self, source: str, what: str, why: str) -> None:
        self.refused += 1
        self._sparing(source, f"{what}: refused: {why}")
