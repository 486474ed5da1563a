"""What the MQTT output says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MqttHealth:
    """A snapshot; numbers count since the start.

    last_error, cure: of the connection, empty while it stands.
    verdicts_expired: could not leave in time (their parts are rejected by the line). verdicts_refused: no room.
    acked: every record up to this number is delivered. backlog: records that are not. resent: sent more than once.
    records_skipped: deleted by age before they were delivered.
    no_subscribers: records that the broker took although nobody listens (MQTT 5 says so).
    refused_by_broker: messages that the broker did not take (rights, quota).
    clock_offset_ms: ours minus the client's at the last `cmd/time`.
    """

    connected: bool = False
    broker: str = ""
    connections: int = 0
    last_error: str = ""
    cure: str = ""
    verdicts_sent: int = 0
    verdicts_expired: int = 0
    verdicts_refused: int = 0
    acked: int = 0
    last: int = 0
    backlog: int = 0
    by_consumer: Mapping[str, int] = field(default_factory=dict)
    sent: int = 0
    resent: int = 0
    replayed: int = 0
    records_skipped: int = 0
    no_subscribers: int = 0
    refused_by_broker: int = 0
    commands_done: int = 0
    commands_refused: int = 0
    commands_retained: int = 0
    commands_overflowed: int = 0
    garbage: int = 0
    future_acks: int = 0
    events_dropped: int = 0
    notes_dropped: int = 0
    clock_offset_ms: int | None = None
    plc_state: Mapping[str, object] = field(default_factory=dict)
