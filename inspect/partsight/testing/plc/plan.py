"""What a line is like."""

from __future__ import annotations

from dataclasses import dataclass

from partsight.testing.plc.tracking import Policy


@dataclass(frozen=True, slots=True)
class LinePlan:
    """A belt at constant speed, a part sensor at the camera, a gate and a reject sensor behind it.

    parts: the line ends after so many. rate_hz: parts a second. speed: encoder counts a second.
    gate_ms: time from camera to gate, less the actuator's lead. confirm_ms: from gate to reject sensor.
    scan_ms: the controller's cycle. beat_timeout_ms: silence after which nothing passes and the infeed stops.
    infeed_stops: False lets parts come while the station is not heard; they are rejected.
    acknowledges, beats: the controller's side of the hand-shake. lose_confirmation: the n-th reject is not seen.
    operator_s: a person acknowledges and starts again so long after a stop; 0: nobody comes.
    first_number, first_id, first_encoder: where the counters stand at the start.
    keep: newest passages to remember, for a line without end; 0: all.
    """

    parts: int = 100
    rate_hz: float = 5.0
    speed: int = 100_000
    gate_ms: float = 500.0
    confirm_ms: float = 100.0
    scan_ms: float = 5.0
    beat_timeout_ms: float = 500.0
    policy: Policy = Policy.PASS_ONLY
    infeed_stops: bool = True
    acknowledges: bool = True
    beats: bool = True
    lose_confirmation: int = 0
    operator_s: float = 2.0
    first_number: int = 1
    first_id: int = 1
    first_encoder: int = 0
    keep: int = 0

    def counts(self, milliseconds: float) -> int:
        """Encoder counts that the belt makes in so long."""
        return int(self.speed * milliseconds / 1000)
