"""Model bundles: which are here, and whether their files are what their cards say."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from partsight.api.channel import LineFacts
from partsight.api.guard import needs
from partsight.domain.errors import BundleError
from partsight.models import bundle
from partsight.models.card import CARD
from partsight.wire.message import clean
from partsight.wire.screen.people import Me, Role
from partsight.wire.screen.recipes import ModelRow

router = APIRouter(prefix="/models", tags=["models"])
MAX_SCORES = 200


class Bundles:
    """Rows of bundles; a bundle's files are hashed again only where one of them has changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Path, tuple[object, ModelRow]] = {}

    def rows(self, facts: LineFacts) -> list[ModelRow]:
        """The active one, then the others by name. Slow: it hashes files."""
        active = Path(facts.model.folder)
        others = {path.parent.resolve() for place in bundle.places() for path in place.glob(f"*/{CARD}")}
        beside = Path(facts.configuration).parent / "models"
        others |= {path.parent.resolve() for path in beside.glob(f"*/{CARD}")}
        with self._lock:
            return [self._row(folder, active) for folder in (active, *sorted(others - {active}))]

    def _row(self, folder: Path, active: Path) -> ModelRow:
        try:
            stamp = tuple((p.name, p.stat().st_mtime_ns, p.stat().st_size) for p in sorted(folder.iterdir()))
        except OSError as error:
            return ModelRow(name=folder.name, sha256="", active=folder == active, problem=clean(str(error)))
        known = self._known.get(folder)
        if known is None or known[0] != stamp:
            known = self._known[folder] = (stamp, _checked(folder))
        return known[1].model_copy(update={"active": folder == active})


@router.get("")
async def models(request: Request, who: Annotated[Me, Depends(needs(Role.VIEWER))]) -> list[ModelRow]:
    """Bundles that are here, the active one first; problem: why one cannot be used (a file was changed)."""
    bundles: Bundles = request.app.state.bundles
    return await asyncio.to_thread(bundles.rows, request.app.state.line.facts)


def _checked(folder: Path) -> ModelRow:
    try:
        found = bundle.load(folder)
    except BundleError as error:
        return ModelRow(name=folder.name, sha256="", problem=clean(str(error))[:2000])
    card = found.card
    return ModelRow(
        name=card.name,
        sha256=next(iter(card.files.values())).sha256,
        classes=card.classes,
        architecture=clean(card.architecture),
        licence=clean(card.licence),
        input_size=f"{card.input.width} x {card.input.height}",
        scores=dict(list(_flat(card.scores).items())[:MAX_SCORES]),
    )


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, float | str]:
    """A free table as `a.b` by value."""
    flat: dict[str, float | str] = {}
    for key, value in table.items():
        name = clean(f"{prefix}{key}")
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{name}.")
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            flat[name] = float(value)
        else:
            flat[name] = clean(str(value))[:200]
    return flat
