"""How models/pcb is made:

    python -m partsight.training.pcb --data "$PARTSIGHT_DEEPPCB" --from CHECKPOINT --out DIR

Trains on all groups of boards but those held out, chooses the head and the thresholds by these, trains on with all
groups, writes the bundle, and only then scores the test split, once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from partsight.detectors.golden import frame_of
from partsight.detectors.onnx import OnnxDetector
from partsight.domain.model import OutputFormat
from partsight.models.bundle import load
from partsight.models.card import write_card
from partsight.scoring.deeppcb import CLASSES
from partsight.scoring.metrics import mean_ap
from partsight.training.boards import Board, Pixels, read_boards, split_groups
from partsight.training.bundle import Making, write_bundle
from partsight.training.choose import Found, HeldOut, Predict, choose_thresholds, judge_held_out, torch_predictor
from partsight.training.crops import drawn_source, good_source, real_source
from partsight.training.fit import FitSettings, Mix, finish, fit
from partsight.training.simulated import simulated_boards, simulated_source

FROZEN = 3
AVERAGED = 4
HELD_OUT = ("group50600", "group44000")
"""Two groups of line widths of their own. Not group92000: its tiny drill holes, which no other group has, look
like pin-holes, and thresholds that a model without it needs would suit no other board."""
SCORE_SEED = 60_000
"""Simulated boards to score by; training and the demo have other seeds."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the held-out boards decided."""

    head: OutputFormat
    thresholds: tuple[float, ...]
    held_out: HeldOut


def mixes(boards: Sequence[Board]) -> list[Mix]:
    """What a batch is made of: real boards, good boards, drawn defects, simulated boards."""
    return [
        Mix(real_source(boards), 0.42),
        Mix(good_source(boards), 0.10),
        Mix(drawn_source(boards), 0.20),
        Mix(drawn_source(boards, defects=(0, 1)), 0.10),
        Mix(simulated_source(), 0.18),
    ]


def choose(checkpoint: Path, boards: Sequence[Board], threads: int, log: Callable[[str], None]) -> Choice:
    """The head with the best F-score at its own thresholds."""
    choices = []
    for head, held_out in judge_held_out(torch_predictor(checkpoint, threads), boards).items():
        choices.append(Choice(head, choose_thresholds(held_out), held_out))
        log(f"{checkpoint.name} {head.value} {scores_of(held_out, choices[-1].thresholds)}")
    return max(choices, key=lambda one: one.held_out.rates(one.thresholds).f_score or 0.0)


def scores_of(held_out: HeldOut, thresholds: Sequence[float]) -> dict[str, Any]:
    """The figures that a card shows, rounded."""
    rates = held_out.rates(thresholds)
    return {
        "iou": 0.33,
        "f_score": round(rates.f_score or 0.0, 4),
        "precision": round(rates.precision or 0.0, 4),
        "recall": round(rates.recall or 0.0, 4),
        "map": round(mean_ap(held_out.ap) or 0.0, 4),
        "ap": {name: round(value, 4) for name, value in held_out.ap.items()},
        "boards": len(held_out.bad),
        "escape": round(held_out.escape(thresholds), 4),
        "good_boards": len(held_out.good),
        "overkill": round(held_out.overkill(thresholds), 4),
    }


def score_bundle(folder: Path, boards: Sequence[Board]) -> HeldOut:
    """What a bundle finds through partsight's own detector (ONNX Runtime)."""
    spec = load(folder).spec()
    detector = OnnxDetector(spec)
    return judge_held_out(_detector_predictor(detector, spec.output), boards)[spec.output]


def _detector_predictor(detector: OnnxDetector, head: OutputFormat) -> Predict:
    def predict(image: Pixels) -> dict[OutputFormat, Found]:
        found = detector.detect([frame_of(image)])[0]
        columns = [found.boxes, found.scores[:, None], found.class_ids[:, None].astype(np.float32)]
        return {head: np.concatenate(columns, axis=1)}

    return predict


def make(options: argparse.Namespace, log: Callable[[str], None]) -> Path:
    """The whole way; returns the card's path."""
    boards = read_boards(options.data, "trainval")
    learn, held_out = split_groups(boards, options.held_out)
    common = FitSettings(frozen=FROZEN, threads=options.threads, settle_batches=options.settle_batches)
    first = replace(common, minutes=options.minutes, rate=8e-4)
    made = _train(options.start, mixes(learn), first, options.out / "first", log)
    choice = choose(made, held_out, options.threads, log)
    last = replace(common, minutes=options.last_minutes, rate=6e-4, seed=1)
    final = _train(made, mixes(boards), last, options.out / "last", log)
    making = Making(
        name="pcb",
        architecture="yolo26n",
        head=choice.head,
        thresholds=dict(zip(CLASSES, choice.thresholds, strict=True)),
        training=_training(options, choice),
    )
    return add_test_scores(write_bundle(final, making, options.out / "bundle"), options.data, log)


def _train(start: Path | str, mix: list[Mix], settings: FitSettings, out: Path, log: Callable[[str], None]) -> Path:
    """One run; the mean of its last checkpoints, settled."""
    fit(start, mix, settings, out, log)
    return finish(sorted(out.glob("step*.pt"))[-AVERAGED:], mix, settings, out / "final.pt")


def _training(options: argparse.Namespace, choice: Choice) -> dict[str, Any]:
    return {
        "data": "DeepPCB trainval (1,000 boards and their 1,000 templates), and boards of the simulated camera",
        "terms": "DeepPCB is under the MIT licence; its authors ask that the data be used for research",
        "from": Path(options.start).name,
        "how": "see README.md beside this card",
        "held_out": list(options.held_out),
        "held_out_scores": scores_of(choice.held_out, choice.thresholds),
    }


def add_test_scores(card: Path, data: Path, log: Callable[[str], None]) -> Path:
    """Score the test split and write the figures into the card. For the end: nothing is chosen by them."""
    bundle = load(card.parent)
    thresholds = [bundle.card.thresholds[name] for name in CLASSES]
    scores = scores_of(score_bundle(card.parent, read_boards(data, "test")), thresholds)
    scores["command"] = "partsight judge DEEPPCB --split test --model pcb"
    simulated = simulated_boards(("A", "B", "C"), each=100, seed=SCORE_SEED)
    scores["simulated"] = scores_of(score_bundle(card.parent, simulated), thresholds)
    log(f"test and simulated boards: {scores}")
    return write_card(card.parent, bundle.card.model_copy(update={"scores": scores}))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m partsight.training.pcb", description="Make the model models/pcb.")
    parser.add_argument("--data", type=Path, required=True, help="folder of DeepPCB, the one that holds PCBData/")
    parser.add_argument("--from", dest="start", required=True, help="checkpoint (.pt) or ultralytics model name")
    parser.add_argument("--out", type=Path, required=True, help="new folder for checkpoints and the bundle")
    parser.add_argument("--minutes", type=float, default=40, help="training without the held-out groups")
    parser.add_argument("--last-minutes", type=float, default=40, help="training on all groups")
    parser.add_argument("--held-out", nargs="+", default=list(HELD_OUT), help="groups to choose by")
    parser.add_argument("--settle-batches", type=int, default=40, help="batches for the final statistics")
    parser.add_argument("--threads", type=int, default=2, help="CPU cores")
    make(parser.parse_args(arguments), _tell)
    return 0


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
