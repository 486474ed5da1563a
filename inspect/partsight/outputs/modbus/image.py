"""The registers that the station fills: one list of words, made under a lock, never seen half-written."""

from __future__ import annotations

import binascii
import threading
from collections.abc import Callable

from partsight.domain.inspection import Inspection
from partsight.domain.ports import CommandSink
from partsight.domain.status import Mode, StationState, StationStatus
from partsight.outputs.modbus.registers import (
    LAST_READ,
    MAP_VERSION,
    RESULTS,
    RING,
    RING_WORDS,
    Flag,
    Read,
    Status,
    one_word,
    two_words,
)
from partsight.outputs.modbus.results import Results, shown

STATUS_AGE_NS = 5_000_000
"""The station is asked again by the first read after this long: a PLC that polls is never shown an older state."""


def crc16(text: str) -> int:
    """CRC-16 (CCITT, from 0xFFFF) of the text in UTF-8; 0 for no text."""
    return binascii.crc_hqx(text.encode(), 0xFFFF) if text else 0


class Image:
    """What can be read. Thread-safe."""

    def __init__(
        self,
        acknowledge: bool,
        configuration: str,
        clock_ok: Callable[[], bool],
        monotonic_ns: Callable[[], int],
    ) -> None:
        self._lock = threading.Lock()
        self._results = Results(acknowledge=acknowledge)
        self._configuration_crc = crc16(configuration)
        self._clock_ok = clock_ok
        self._monotonic_ns = monotonic_ns
        self._sink: CommandSink | None = None
        self._online = True
        self._status: StationStatus | None = None
        self._alive = False
        self._asked_ns = -STATUS_AGE_NS
        self._trigger_id = 0
        self._missed_id = 0
        self._trigger_ack = False
        self._exposed = False
        self._simulated = False
        self._wanted_recipe: int | None = None
        self.beats = 0
        self.late = 0

    # --- what changes it ----------------------------------------------------------------------

    def attach(self, sink: CommandSink) -> None:
        """Whose status is shown."""
        self._sink = sink

    def go_offline(self) -> None:
        """Nothing is online or ready from here on."""
        with self._lock:
            self._online = False

    def beat(self) -> None:
        """One heartbeat more."""
        with self._lock:
            self.beats += 1

    def publish(self, inspection: Inspection) -> None:
        """Take a verdict into the ring."""
        now = self._monotonic_ns()
        result = shown(inspection, now)
        with self._lock:
            self._simulated = inspection.simulated
            self.late += Flag.LATE in result.flags
            self._results.add(result)

    def latched(self, id_: int) -> None:
        """A trigger was accepted: its part stays until it is exposed."""
        with self._lock:
            self._trigger_id, self._exposed, self._missed_id = id_, False, 0

    def exposed(self, id_: int) -> None:
        """Every frame of the part is there; an older part's news changes nothing."""
        with self._lock:
            self._exposed = self._exposed or id_ == self._trigger_id

    def missed(self, id_: int) -> None:
        """A trigger could not be served."""
        with self._lock:
            self._trigger_id, self._trigger_ack, self._exposed = id_, False, False
            self._missed_id = id_

    def answer_trigger(self, id_: int, *, accepted: bool) -> None:
        """The PLC's own trigger was taken (or not): TriggerAck stands until it takes the bit back."""
        with self._lock:
            self._trigger_id = id_
            # The station answers a trigger that it had to miss too: it has an id, and a reject.
            self._trigger_ack = accepted and id_ != self._missed_id

    def end_trigger(self) -> None:
        """The PLC has taken its Trigger bit back."""
        with self._lock:
            self._trigger_ack = False

    def acknowledge(self, id_: int) -> int:
        """Results that are taken by this; 0 for an id that does not wait."""
        with self._lock:
            return self._results.acknowledge(id_, self._monotonic_ns())

    def start_anew(self) -> int:
        """Every result counts as taken, Overrun is over; the newest id, 0 for none."""
        with self._lock:
            self._results.clear()
            return self._results.newest_id

    def end_overrun(self) -> None:
        """The PLC has seen it."""
        with self._lock:
            self._results.overrun = False

    def want_recipe(self, id_: int) -> None:
        """RecipeValid says from now on whether this one is loaded; 0 until it is."""
        with self._lock:
            self._wanted_recipe = id_
            self._asked_ns = -STATUS_AGE_NS

    def ask_again(self) -> None:
        """A command may have changed the station: the next read asks it."""
        with self._lock:
            self._asked_ns = -STATUS_AGE_NS

    @property
    def overruns(self) -> int:
        """Results that found no free slot."""
        return self._results.overruns

    # --- what is read -----------------------------------------------------------------------------

    def read(self, address: int, count: int) -> list[int] | None:
        """Registers 0 to 27, or of the ring; None for any other."""
        now = self._monotonic_ns()
        if address + count - 1 <= LAST_READ:
            self._ask(now)
            with self._lock:
                return self._first_words()[address : address + count]
        if address >= RING and address + count <= RING + RESULTS * RING_WORDS:
            with self._lock:
                return self._results.words(now)[address - RING : address - RING + count]
        return None

    def _ask(self, now: int) -> None:
        """Ask the station outside our lock, which its own threads take in `publish`."""
        if self._sink is None or now - self._asked_ns < STATUS_AGE_NS:
            return
        self._asked_ns = now
        self._status, self._alive = self._sink.status(), self._sink.alive()

    def _first_words(self) -> list[int]:
        words = [0] * (LAST_READ + 1)
        words[Read.VERSION] = MAP_VERSION
        words[Read.HEARTBEAT] = self.beats & 0xFFFF
        words[Read.STATUS] = int(self._status_bits())
        words[Read.TRIGGER_ID] = self._trigger_id
        words[Read.CONFIGURATION_CRC] = self._configuration_crc
        self._add_result(words)
        words[Read.PACKML] = StationState.PREOPERATIONAL.packml
        if self._status is not None:
            self._add_status(words, self._status)
        return words

    def _add_result(self, words: list[int]) -> None:
        result = self._results.current
        if result is None:
            return
        words[Read.RESULT_ID] = result.id
        words[Read.RESULT] = result.result
        words[Read.ACTION] = result.action
        words[Read.CODE] = result.code
        words[Read.DEFECTS] = result.defects
        words[Read.PART : Read.PART + 2] = two_words(result.part)
        words[Read.ENCODER : Read.ENCODER + 2] = two_words(result.encoder)
        words[Read.VERDICT_TIME] = result.verdict_tenths

    @staticmethod
    def _add_status(words: list[int], status: StationStatus) -> None:
        counters = status.counters
        words[Read.PACKML] = status.state.packml
        words[Read.ERROR] = one_word(status.error)
        words[Read.RECIPE] = one_word(status.recipe_id)
        words[Read.MODEL_CRC] = crc16(status.model)
        words[Read.EPOCH] = status.epoch & 0xFFFF
        for register, count in (
            (Read.TOTAL, counters.triggers),
            (Read.OK, counters.ok),
            (Read.NG, counters.ng),
            (Read.UNDECIDED, counters.review + counters.invalid),
        ):
            words[register : register + 2] = two_words(count)

    def _status_bits(self) -> Status:
        results, status = self._results, self._status
        online = self._online and self._alive and status is not None
        bits = {
            Status.ONLINE: online,
            Status.TRIGGER_ACK: self._trigger_ack,
            Status.EXPOSURE_COMPLETE: self._exposed,
            Status.RESULT_VALID: results.current is not None,
            Status.RESULT_TOGGLE: results.toggle,
            Status.OVERRUN: results.overrun,
            Status.SIMULATED: self._simulated,
            Status.CLOCK_OK: self._clock_ok(),
        }
        if status is not None:
            recipe = status.recipe_id
            bits |= {
                Status.READY: online and status.ready and not results.full,
                Status.BUSY: status.counters.in_flight > 0,
                Status.OVERRUN: results.overrun or status.overrun,
                Status.ERROR: status.state is StationState.ERROR,
                Status.RECIPE_VALID: bool(status.recipe) and self._wanted_recipe in (None, recipe),
                Status.LINE_STOP: status.line_stop,
                Status.CHALLENGE_DUE: status.challenge_due,
                Status.BYPASS: status.mode is Mode.BYPASS,
                Status.SIMULATED: self._simulated or status.mode is Mode.SIMULATION,
            }
        word = Status(0)
        for bit, on in bits.items():
            if on:
                word |= bit
        return word
