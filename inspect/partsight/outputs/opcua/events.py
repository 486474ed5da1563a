"""A result in the fields of ResultReadyEventType."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from asyncua import ua

from partsight.domain.inspection import Inspection
from partsight.domain.reasons import reason_text
from partsight.outputs.opcua.desk import Job
from partsight.outputs.opcua.states import EVALUATION, result_state

MAX_FINDINGS = 32


def kind(name: str) -> Any:
    """The class of one of our data types; asyncua makes it when the types are loaded."""
    return getattr(ua, name)


def result_fields(inspection: Inspection, job: Job, configuration: Any) -> dict[str, Any]:
    """A value for each property of the event. configuration: a ConfigurationIdDataType."""
    trigger, verdict, times = inspection.trigger, inspection.verdict, inspection.timings
    recipe = verdict.recipe
    binary = {
        "Version": str(recipe.revision),
        "Hash": bytes.fromhex(recipe.sha256),
        "HashAlgorithm": "SHA-256",
    }
    done = trigger.at + timedelta(milliseconds=times.verdict_ms or 0.0)
    return {
        "ResultId": kind("ResultIdDataType")(Id=str(inspection.uid)),
        "IsPartial": False,
        "IsSimulated": inspection.simulated,
        "ResultState": result_state(verdict.result),
        "MeasId": kind("MeasIdDataType")(Id=job.meas_id),
        "PartId": kind("PartIdDataType")(Id=trigger.part_id),
        "ExternalRecipeId": kind("RecipeIdExternalDataType")(Id=recipe.name, **binary),
        "InternalRecipeId": kind("RecipeIdInternalDataType")(Id=f"{recipe.name}@{recipe.revision}", **binary),
        "ProductId": kind("ProductIdDataType")(Id=job.product_id),
        "InternalConfigurationId": configuration,
        "JobId": kind("JobIdDataType")(Id=job.id),
        "CreationTime": done,
        "ProcessingTimes": kind("ProcessingTimesDataType")(
            StartTime=trigger.at,
            EndTime=done,
            AcquisitionDuration=times.frame_ms,
            ProcessingDuration=None
            if times.detect_ms is None and times.decide_ms is None
            else (times.detect_ms or 0.0) + (times.decide_ms or 0.0),
        ),
        "ResultContent": [content(inspection)],
        "ResultEvaluation": EVALUATION[verdict.result],
        "Action": int(verdict.action),
        "ReasonCode": verdict.code,
        "TriggerId": trigger.id,
        "Epoch": trigger.epoch,
    }


def content(inspection: Inspection) -> str:
    """The verdict with its findings as JSON, the heaviest first, at most 32 of them."""
    verdict = inspection.verdict
    findings = [
        {
            "code": f.code,
            "text": f.text or reason_text(f.code),
            "camera": f.camera,
            "score": None if f.score is None else round(f.score, 4),
            "box_px": None if f.box is None else [round(v, 1) for v in f.box],
            "rule": f.rule,
        }
        for f in verdict.findings[:MAX_FINDINGS]
    ]
    return json.dumps(
        {
            "verdict": verdict.result.value,
            "action": int(verdict.action),
            "mode": inspection.mode.value,
            "findings": findings,
            "findings_total": len(verdict.findings),
        },
        separators=(",", ":"),
    )
