"""The durable record of every part: one SQLite database and a latch file beside it in the data folder."""

from partsight.outputs.records.health import RecordsHealth
from partsight.outputs.records.latch import LatchedTrigger
from partsight.outputs.records.reader import Latency, Query, ReasonCount, RecordsReader, Summary
from partsight.outputs.records.store import Durability, SqliteRecords

__all__ = [
    "Durability",
    "LatchedTrigger",
    "Latency",
    "Query",
    "ReasonCount",
    "RecordsHealth",
    "RecordsReader",
    "SqliteRecords",
    "Summary",
]
