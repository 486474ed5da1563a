"""The accuracy gate of int8: held-out pictures with labels, the candidate beside the model that it would replace."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from partsight.detectors.auto import choose
from partsight.detectors.golden import read_picture
from partsight.detectors.tensorrt.making import Answer, HeldOut
from partsight.domain.errors import BackendUnavailable, ConfigError, Mistake
from partsight.domain.model import ModelSpec
from partsight.scoring.annotations import Sample, read_annotations
from partsight.scoring.candidate import Found, compare


def accuracy_gate(folder: Path, reference: ModelSpec) -> HeldOut:
    """Read the labels now, judge later. reference: the bundle's fp32 file, run on the CPU by ONNX Runtime.

    Raises ConfigError where the folder, or labels in it, are not there.
    """
    annotated = read_annotations(folder, None, reference.classes)
    samples = tuple(sample for sample in annotated.samples if sample.annotated)
    if annotated.mistakes:
        raise ConfigError([Mistake(str(one.file), "", one.reason, "correct the label") for one in annotated.mistakes])
    if not samples:
        told = "no picture in it has a label (YOLO, COCO or DeepPCB)"
        raise ConfigError([Mistake(str(folder), "--held-out", told, "label pictures that no training has seen")])
    images = tuple(sample.image.resolve() for sample in samples)

    def gate(answers: Sequence[Answer]) -> dict[str, Any]:
        return _judge(samples, reference, answers)

    return HeldOut(images, gate)


def _judge(samples: Sequence[Sample], reference: ModelSpec, answers: Sequence[Answer]) -> dict[str, Any]:
    """What was measured. Raises BackendUnavailable with every objection."""
    before = list(_reference(samples, reference))
    after = [_found(answer, known.size) for answer, known in zip(answers, before, strict=True)]
    comparison = compare(samples, before, after, [(name, reference.thresholds[name]) for name in reference.classes])
    objections = comparison.objections()
    if objections:
        raise BackendUnavailable(
            f"model {reference.name!r} in int8 did not pass the accuracy gate on {comparison.images} pictures: "
            f"{'; '.join(objections)}; stay with fp16, or calibrate again on more pictures of this line"
        )
    return {"images": comparison.images, "classes": [asdict(one) for one in comparison.classes]}


def _reference(samples: Sequence[Sample], spec: ModelSpec) -> list[Found]:
    """The answers of the fp32 file, to pictures read as the candidate's process reads them."""
    found = []
    with closing(choose(spec, "onnx")) as detector:
        for sample in samples:
            frame = read_picture(sample.image)
            one = detector.detect([frame])[0]
            names = tuple(one.names[int(number)] for number in one.class_ids)
            height, width = frame.grab.pixels.shape[:2]
            found.append(Found(one.boxes, one.scores, names, (width, height)))
    return found


def _found(answer: Answer, size: tuple[int, int]) -> Found:
    boxes = np.asarray(answer["boxes"], np.float32).reshape(-1, 4)
    return Found(boxes, np.asarray(answer["scores"], np.float32), tuple(answer["classes"]), size)
