"""The durable record of every part: one SQLite database and a latch file beside it in the data folder.

With each record goes its row of the outgoing stream (`read_outbox`, `ack`, ...), and beside them lies the audit
trail (`audit`, `verify_audit`).
"""

from partsight.outputs.records.audit import AuditHead, AuditReport, AuditRow, read_audit, verify_audit
from partsight.outputs.records.database import Durability
from partsight.outputs.records.health import RecordsHealth
from partsight.outputs.records.latch import LatchedTrigger
from partsight.outputs.records.outbox import OutboxRow
from partsight.outputs.records.reader import Latency, Query, ReasonCount, RecordsReader, Summary
from partsight.outputs.records.store import SqliteRecords

__all__ = [
    "AuditHead",
    "AuditReport",
    "AuditRow",
    "Durability",
    "LatchedTrigger",
    "Latency",
    "OutboxRow",
    "Query",
    "ReasonCount",
    "RecordsHealth",
    "RecordsReader",
    "SqliteRecords",
    "Summary",
    "read_audit",
    "verify_audit",
]
