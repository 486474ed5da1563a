"""What the MQTT output needs of the records: the outbox, the consumers' numbers and the audit table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from partsight.wire.records import LineContext


class Row(Protocol):
    """One outgoing record. `kind`: "result" or "event"; `payload`: as it is sent."""

    @property
    def seq(self) -> int: ...

    @property
    def kind(self) -> str: ...

    @property
    def payload(self) -> bytes: ...


class Head(Protocol):
    """The newest row of the audit trail: a digest of all before it."""

    @property
    def n(self) -> int: ...

    @property
    def hash(self) -> str: ...


class OutboxRecords(Protocol):
    """`SqliteRecords`, as far as it is used here. Its calls may wait for a disk: never from the connection's thread."""

    epoch: int
    on_outbox: Callable[[], None] | None
    context: Callable[[], LineContext]

    def read_outbox(self, after_seq: int, limit: int) -> Sequence[Row]: ...

    def outbox_bounds(self) -> tuple[int, int]: ...

    def ack(self, consumer: str, seq: int) -> None: ...

    def acked(self, consumer: str) -> int: ...

    def set_consumers(self, names: Iterable[str]) -> None: ...

    def append_event(self, kind: str, data: Mapping[str, Any], at: datetime) -> int: ...

    def audit(self, who: str, source: str, what: str, before: Any = None, after: Any = None) -> Any: ...

    def audit_head(self) -> Head: ...
