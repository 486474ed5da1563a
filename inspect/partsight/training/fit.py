"""Training: ultralytics' model and loss in a loop of our own, on crops drawn without end.

ultralytics' trainer was made for images on disk and uses one CPU core as it comes; here crops are drawn
anew for each step, all cores work, and a budget of minutes, not of epochs, ends the run with the rate at its lowest.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset
from ultralytics import YOLO
from ultralytics.cfg import get_cfg
from ultralytics.utils.torch_utils import ModelEMA

from partsight.training.crops import Crop, Source

Batch = dict[str, torch.Tensor]
Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How to train.

    minutes, steps: whichever ends first; the rate follows a cosine over it. epoch_steps: steps between checkpoints.
    frozen: so many first layers stay as they are. settle_batches: for the statistics measured at the end.
    """

    minutes: float = 90.0
    steps: int = 100_000
    epoch_steps: int = 50
    side: int = 320
    batch: int = 16
    rate: float = 1e-3
    last_rate: float = 1e-5
    warm_up_steps: int = 80
    decay: float = 5e-4
    frozen: int = 0
    settle_batches: int = 40
    threads: int = 2
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Mix:
    """A source of crops and its share of each batch."""

    source: Source
    share: float


class CropStream(IterableDataset[Batch]):
    """Batches in ultralytics' form, without end. Each worker draws crops of its own."""

    def __init__(self, mixes: Sequence[Mix], settings: FitSettings) -> None:
        self._mixes = mixes
        self._settings = settings

    def __iter__(self) -> Iterator[Batch]:
        info = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self._settings.seed, info.id if info else 0])
        shares = np.array([mix.share for mix in self._mixes])
        while True:
            chosen = rng.choice(len(self._mixes), self._settings.batch, p=shares / shares.sum())
            yield collate([self._mixes[int(i)].source(rng, self._settings.side) for i in chosen])


def collate(crops: Sequence[Crop]) -> Batch:
    """Crops as one batch: images uint8 RGB NCHW, boxes as centre and size in parts of the side."""
    side = crops[0].image.shape[0]
    images = np.stack([_rgb(crop) for crop in crops])
    boxes = np.concatenate([crop.boxes for crop in crops]) / side
    places = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)
    counts = [len(crop.boxes) for crop in crops]
    return {
        "img": torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))),
        "bboxes": torch.from_numpy(places.astype(np.float32)),
        "cls": torch.from_numpy(np.concatenate([crop.class_ids for crop in crops]).astype(np.float32)),
        "batch_idx": torch.from_numpy(np.repeat(np.arange(len(crops)), counts).astype(np.float32)),
    }


def _rgb(crop: Crop) -> np.ndarray:
    return crop.image if crop.image.ndim == 3 else np.repeat(crop.image[..., None], 3, axis=2)


def fit(start: Path | str, mixes: Sequence[Mix], settings: FitSettings, out: Path, log: Log) -> Path:
    """Train from a checkpoint or a model's yaml; a checkpoint of the averaged weights every `epoch_steps` in `out`.

    Returns the last. The same seed gives the same crops; how many steps fit into the minutes depends on the machine.
    """
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    out.mkdir(parents=True, exist_ok=True)
    (out / "settings.json").write_text(json.dumps(asdict(settings), indent=1), encoding="utf-8")
    holder, model = load_for_training(start, settings.frozen)
    averaged, optimiser = ModelEMA(model, decay=0.999, tau=200), _optimiser(model, settings)
    began, losses, path = time.monotonic(), [], out / "none.pt"
    for step, batch in enumerate(_loader(mixes, settings), 1):
        minutes = (time.monotonic() - began) / 60
        progress = max(minutes / settings.minutes, step / settings.steps)
        _set_rate(optimiser, settings, progress, step)
        losses.append(_step(model, optimiser, batch))
        averaged.update(model)
        if step % settings.epoch_steps == 0 or progress >= 1:
            path = out / f"step{step:06d}.pt"
            save(holder, averaged.ema, path)
            mean = np.mean(losses[-settings.epoch_steps :], axis=0).round(3)
            log(f"step {step}, {minutes:.1f} min, rate {optimiser.param_groups[0]['lr']:.2e}, loss {mean}")
        if progress >= 1:
            break
    return path


def _loader(mixes: Sequence[Mix], settings: FitSettings) -> DataLoader[Batch]:
    return DataLoader(CropStream(mixes, settings), batch_size=None, num_workers=1, prefetch_factor=4)


def finish(checkpoints: Sequence[Path], mixes: Sequence[Mix], settings: FitSettings, path: Path) -> Path:
    """The mean of some checkpoints' weights, settled, as one more checkpoint."""
    torch.set_num_threads(settings.threads)
    holder, model = load_for_training(checkpoints[0], settings.frozen)
    states = [load_for_training(checkpoint)[1].state_dict() for checkpoint in checkpoints]
    model.load_state_dict({name: _mean([state[name] for state in states]) for name in states[0]})
    save(holder, settle(model, mixes, settings), path)
    return path


def _mean(values: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(values)).mean(0) if values[0].dtype.is_floating_point else values[0]


def settle(model: Any, mixes: Sequence[Mix], settings: FitSettings) -> Any:
    """A copy whose batch normalisation has the statistics of its own weights.

    The running statistics lag behind the weights by some thirty steps, which spoils a short training.
    """
    settled = copy.deepcopy(model)
    for number, layer in enumerate(settled.model):
        for norm in (part for part in layer.modules() if isinstance(part, torch.nn.BatchNorm2d)):
            norm.momentum = None if number >= settings.frozen else norm.momentum  # None: the plain mean of all batches
            if number >= settings.frozen:
                norm.reset_running_stats()
        layer.train(number >= settings.frozen)
    stream = iter(CropStream(mixes, replace(settings, seed=settings.seed + 1)))
    with torch.inference_mode():
        for _ in range(settings.settle_batches):
            settled(_pixels(next(stream)))
    for norm in settled.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.momentum = 0.03  # ultralytics' own
    return settled.eval()


def load_for_training(start: Path | str, frozen: int = 0) -> tuple[Any, Any]:
    """ultralytics' `YOLO` and its torch model with the loss ready."""
    holder = YOLO(str(start))
    model: Any = holder.model
    model.float().train().to(memory_format=torch.channels_last)  # a fifth faster on a CPU
    model.args = get_cfg(overrides={"box": 7.5, "cls": 0.5, "dfl": 1.5})
    for number, layer in enumerate(model.model):
        layer.requires_grad_(number >= frozen)
        layer.train(number >= frozen)
    model.criterion = model.init_criterion()
    for name in ("o2m", "o2o"):  # the heads' balance; with a rate for each weight (Adam) it matters little
        if hasattr(model.criterion, name):
            setattr(model.criterion, name, 0.5)
    return holder, model


def _optimiser(model: Any, settings: FitSettings) -> torch.optim.AdamW:
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in learning if p.ndim > 1], "weight_decay": settings.decay},
        {"params": [p for p in learning if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.999))


def _set_rate(optimiser: torch.optim.Optimizer, settings: FitSettings, progress: float, step: int) -> None:
    cosine = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    rate = settings.last_rate + (settings.rate - settings.last_rate) * cosine
    for group in optimiser.param_groups:
        group["lr"] = rate * min(1.0, step / max(settings.warm_up_steps, 1))


def _step(model: Any, optimiser: torch.optim.Optimizer, batch: Batch) -> list[float]:
    images = _pixels(batch)
    loss, items = model.loss({**batch, "img": images}, model(images))
    optimiser.zero_grad(set_to_none=True)
    loss.sum().backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0 * len(images))
    optimiser.step()
    return [float(value) for value in items.values()]


def _pixels(batch: Batch) -> torch.Tensor:
    return (batch["img"].float() / 255).contiguous(memory_format=torch.channels_last)


def save(holder: Any, model: Any, path: Path) -> None:
    """A checkpoint that `YOLO(path)` opens."""
    kept = copy.deepcopy(model).eval()
    kept.criterion = None
    content = {"model": kept, "ema": None, "optimizer": None, "train_args": {"task": "detect"}}
    torch.save({**(holder.ckpt or {}), **content}, path)
