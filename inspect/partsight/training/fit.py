"""Training: ultralytics' model and loss in a loop of our own, on crops drawn without end.

ultralytics' trainer was made for images on disk and uses one CPU core as it comes; here crops are drawn
anew each step, all cores work, and a budget of minutes (not of epochs) ends the run with the rate at zero.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset
from ultralytics import YOLO
from ultralytics.cfg import get_cfg
from ultralytics.utils.torch_utils import ModelEMA

from partsight.training.crops import GREY, Crop, Source


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How to train. `minutes` and `steps`: whichever ends first."""

    minutes: float = 90.0
    steps: int = 100_000
    epoch_steps: int = 150
    side: int = 320
    batch: int = 16
    rate: float = 1e-3
    last_rate: float = 1e-5
    warm_up_steps: int = 80
    decay: float = 5e-4
    threads: int = 2
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Mix:
    """A source of crops and its share of each batch."""

    source: Source
    share: float


class CropStream(IterableDataset[dict[str, torch.Tensor]]):
    """Batches in ultralytics' form, without end. Each worker draws crops of its own."""

    def __init__(self, mixes: Sequence[Mix], settings: FitSettings) -> None:
        self._mixes = mixes
        self._settings = settings

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        info = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self._settings.seed, info.id if info else 0])
        shares = np.array([mix.share for mix in self._mixes])
        while True:
            chosen = rng.choice(len(self._mixes), self._settings.batch, p=shares / shares.sum())
            yield collate([self._mixes[int(i)].source(rng, self._settings.side) for i in chosen])


def collate(crops: Sequence[Crop]) -> dict[str, torch.Tensor]:
    """Crops as one batch: images uint8 RGB NCHW, boxes normalised centre and size."""
    side = crops[0].image.shape[0]
    images = np.stack([crop.image if crop.image.ndim == 3 else np.repeat(crop.image[..., None], 3, 2) for crop in crops])
    boxes = np.concatenate([crop.boxes for crop in crops]) / side
    centres = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)
    counts = [len(crop.boxes) for crop in crops]
    return {
        "img": torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))),
        "bboxes": torch.from_numpy(centres.astype(np.float32)),
        "cls": torch.from_numpy(np.concatenate([crop.class_ids for crop in crops]).astype(np.float32)),
        "batch_idx": torch.from_numpy(np.repeat(np.arange(len(crops)), counts).astype(np.float32)),
    }


def fit(
    start: Path | str,
    mixes: Sequence[Mix],
    settings: FitSettings,
    out: Path,
    resume: Path | None = None,
    log: Callable[[str], None] = print,
) -> Path:
    """Train from the checkpoint (or model yaml) `start`; one checkpoint an epoch in `out`, the last is returned."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    out.mkdir(parents=True, exist_ok=True)
    (out / "settings.json").write_text(json.dumps(asdict(settings), indent=1))
    holder, model = load_for_training(start)
    optimiser = _optimiser(model, settings)
    averaged = ModelEMA(model, decay=0.999, tau=200)
    done = _restore(resume, model, averaged, optimiser) if resume else 0
    stream = DataLoader(CropStream(mixes, settings), batch_size=None, num_workers=1, prefetch_factor=4)
    began, losses, last = time.monotonic(), [], out / "none.pt"
    for step, batch in enumerate(stream):
        progress = max((time.monotonic() - began) / (60 * settings.minutes), step / settings.steps)
        _set_rate(optimiser, settings, progress, step)
        losses.append(_step(model, optimiser, batch))
        averaged.update(model)
        if (step + 1) % settings.epoch_steps == 0 or progress >= 1:
            last = out / f"step{done + step + 1:06d}.pt"
            save(holder, averaged.ema, last)
            state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "steps": done + step + 1}
            torch.save(state, out / "state.pt")
            seconds = time.monotonic() - began
            log(f"step {done + step + 1} loss {np.mean(losses[-settings.epoch_steps:], axis=0).round(3)} "
                f"rate {optimiser.param_groups[0]['lr']:.2e} {seconds / 60:.1f} min {seconds / (step + 1):.2f} s/step")
        if progress >= 1 or step + 1 >= settings.steps:
            break
    return last


def load_for_training(start: Path | str) -> tuple[Any, Any]:
    """ultralytics' YOLO and its torch model, unfused, with its loss ready."""
    holder = YOLO(str(start))
    model: Any = holder.model
    model.float().train()
    model.args = get_cfg(overrides={"box": 7.5, "cls": 0.5, "dfl": 1.5})
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    model.criterion = model.init_criterion()
    for name in ("o2m", "o2o"):  # a rate of its own for each weight (Adam) makes this balance matter little
        if hasattr(model.criterion, name):
            setattr(model.criterion, name, 0.5)
    return holder, model


def _optimiser(model: Any, settings: FitSettings) -> torch.optim.AdamW:
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    plain = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": settings.decay}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.999))


def _set_rate(optimiser: torch.optim.Optimizer, settings: FitSettings, progress: float, step: int) -> None:
    cosine = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    rate = settings.last_rate + (settings.rate - settings.last_rate) * cosine
    for group in optimiser.param_groups:
        group["lr"] = rate * min(1.0, (step + 1) / max(settings.warm_up_steps, 1))


def _step(model: Any, optimiser: torch.optim.Optimizer, batch: dict[str, torch.Tensor]) -> list[float]:
    images = batch["img"].float() / 255
    loss, items = model.loss({**batch, "img": images}, model(images))
    optimiser.zero_grad(set_to_none=True)
    loss.sum().backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0 * len(images))
    optimiser.step()
    return [float(value) for value in items.values()]


def save(holder: Any, model: Any, path: Path) -> None:
    """A checkpoint that `YOLO(path)` opens."""
    import copy

    kept = copy.deepcopy(model).eval()
    kept.criterion = None
    torch.save({**(holder.ckpt or {}), "model": kept, "ema": None, "train_args": {"task": "detect"}, "optimizer": None}, path)


def _restore(resume: Path, model: Any, averaged: ModelEMA, optimiser: torch.optim.Optimizer) -> int:
    state = torch.load(resume / "state.pt", weights_only=False)
    model.load_state_dict(state["model"])
    averaged.ema.load_state_dict(state["model"])
    averaged.updates = 2000
    optimiser.load_state_dict(state["optimiser"])
    return int(state["steps"])


__all__ = ["GREY", "CropStream", "FitSettings", "Mix", "collate", "fit", "load_for_training", "save"]
