"""Which tags the station shows, and their values from a status snapshot and the newest inspection."""

from __future__ import annotations

from collections.abc import Mapping

from partsight.domain.inspection import Inspection
from partsight.domain.status import StationStatus
from partsight.domain.verdict import Result
from partsight.outputs.sparkplug.payload import DataType, Value

TAGS: Mapping[str, DataType] = {
    "state/packml": DataType.INT32,
    "state/ready": DataType.BOOLEAN,
    "result/eval": DataType.INT32,
    "result/id": DataType.INT32,
    "result/defect_code": DataType.INT32,
    "count/total": DataType.INT64,
    "count/ok": DataType.INT64,
    "count/nok": DataType.INT64,
    "count/undecided": DataType.INT64,
    "kpi/ppm_nok": DataType.INT64,
    "recipe/name": DataType.STRING,
    "model/version": DataType.STRING,
}
"""Every metric of the device with its type; all of them stand in each DBIRTH."""

EVALUATION = {Result.OK: 1, Result.NG: 2, Result.REVIEW: 3, Result.INVALID: 3}
"""As OPC 40001-101 numbers it: 1 OK, 2 not OK, 3 not decidable."""


def tag_values(status: StationStatus, inspection: Inspection | None) -> dict[str, Value]:
    """A value for each of `TAGS`; the result's are null until the first part.

    count/total: parts with a verdict. kpi/ppm_nok: NG parts in a million of them.
    """
    counters = status.counters
    undecided = counters.review + counters.invalid
    total = counters.ok + counters.ng + undecided
    return {
        "state/packml": status.state.packml,
        "state/ready": status.ready,
        "result/eval": None if inspection is None else EVALUATION[inspection.verdict.result],
        "result/id": None if inspection is None else inspection.trigger.id,
        "result/defect_code": None if inspection is None else inspection.verdict.code,
        "count/total": total,
        "count/ok": counters.ok,
        "count/nok": counters.ng,
        "count/undecided": undecided,
        "kpi/ppm_nok": round(1_000_000 * counters.ng / total) if total else 0,
        "recipe/name": status.recipe,
        "model/version": status.model,
    }
