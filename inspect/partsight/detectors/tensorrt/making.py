"""The way of an engine from an ONNX file to the line: built, checked, and only then put in its place.

Where any step fails the engine that was there stays, and the draft is gone; its timing cache stays for the next try.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import structlog

from partsight.detectors.tensorrt.build_process import carry_out, order_for
from partsight.detectors.tensorrt.engines import EngineMeta, EngineStore, Identity, Latency
from partsight.detectors.tensorrt.engines.lock import build_lock
from partsight.domain.errors import BackendUnavailable
from partsight.domain.model import ModelSpec

log = structlog.get_logger(__name__)

Answer = Mapping[str, Any]
"""Of one picture: `boxes`, `scores`, `classes`."""
Gate = Callable[[Sequence[Answer]], dict[str, Any]]
"""Given the candidate's answers to the held-out pictures; what it measured, for the record. Raises DetectorError."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far it is. share: of this step, 0 to 1, None where not known. before_s: what it took the last time."""

    name: Literal["look", "wait", "build", "check", "measure", "soak"]
    text: str = ""
    share: float | None = None
    before_s: float | None = None


Show = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What int8 must pass: pictures that no training has seen, and who judges the answers to them."""

    images: tuple[Path, ...]
    gate: Gate


@dataclass(frozen=True, slots=True)
class Made:
    """An engine that the line loads. new: built by this call."""

    folder: Path
    meta: EngineMeta
    new: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """A draft that loads, answers its golden frames, and how quick it is."""

    golden: int
    boxes: int
    latency: Latency
    answers: tuple[Answer, ...]


def look_here(spec: ModelSpec, engines: Path) -> tuple[Identity, dict[str, Any]]:
    """Which engine belongs on this device, and the GPU's facts. Raises BackendUnavailable."""
    told = carry_out(order_for("look", spec, engines))
    return identity_of(told["identity"]), told["facts"]


def make_engine(
    spec: ModelSpec,
    engines: Path,
    *,
    show: Show = lambda _: None,
    again: bool = False,
    wait_s: float = 0.0,
    held_out: HeldOut | None = None,
) -> Made:
    """Build, check and activate, unless the engine is there already. again: build it even so.

    held_out: int8 needs it. Raises BackendUnavailable, BundleError, DetectorError.
    """
    if spec.precision == "int8" and held_out is None:
        raise BackendUnavailable(
            f"model {spec.name!r}: an int8 engine runs only after the accuracy gate, which needs labelled "
            "pictures that no training has seen: name their folder by --held-out, or stay with fp16"
        )
    work = _Work(spec, EngineStore(engines), show, again=again, wait_s=wait_s)
    try:
        with work.lock:
            return work.made(held_out)
    except OSError as problem:
        raise BackendUnavailable(disk_problem(engines, problem)) from problem


def disk_problem(engines: Path, problem: OSError) -> str:
    """A full disk and its like, with the cure."""
    return (
        f"{problem.filename or engines}: {problem.strerror or problem}; the engine that was there stays; free space or "
        "correct the folder's rights, then run `partsight build` again"
    )


def build_draft(store: EngineStore, spec: ModelSpec, identity: Identity, show: Show) -> Path:
    """Build into a draft, unchecked, whatever is there. Raises DetectorError, OSError."""
    draft = store.draft(identity)
    try:
        carry_out(order_for("build", spec, store.folder, draft=draft), _progress(show, _took_before(store, identity)))
    except BaseException:
        abandon(store, draft)
        raise
    return draft


def check_draft(
    store: EngineStore, draft: Path, spec: ModelSpec, images: tuple[Path, ...], show: Show = lambda _: None
) -> Checked:
    """Load it as a line would, in another process. Raises BackendUnavailable for wrong answers, DetectorError."""
    show(Step("check"))
    answers: list[Answer] = []

    def hear(message: Mapping[str, Any]) -> None:
        answers.append(message)
        show(Step("check", "held-out pictures", len(answers) / len(images)))

    told = carry_out(order_for("check", spec, store.folder, draft=draft, images=images), hear)
    return Checked(told["golden"], told["boxes"], Latency(**told["latency"]), tuple(answers))


def abandon(store: EngineStore, draft: Path) -> None:
    """Remove a draft on the way out, where that is possible; the next build removes the rest."""
    with suppress(OSError):
        store.abandon(draft)


class _Work:
    """One engine. lock: holds the store's, once it was taken, until the whole is done."""

    def __init__(self, spec: ModelSpec, store: EngineStore, show: Show, *, again: bool, wait_s: float) -> None:
        self._spec, self._store, self._show = spec, store, show
        self._again, self._wait_s = again, wait_s
        self._there: Made | None = None
        self._draft: Path | None = None
        self._identity: Identity | None = None
        self._before_s: float | None = None
        self.lock = ExitStack()

    def made(self, held_out: HeldOut | None) -> Made:
        """The one that is there, or a new one that has proved itself."""
        self._show(Step("look"))
        order = order_for("build", self._spec, self._store.folder)
        try:
            carry_out(order, self._hear, self._answer)
            if self._there is not None:
                return self._there
            assert self._draft is not None
            assert self._identity is not None
            return self._proved(self._draft, self._identity, held_out)
        except BaseException:
            if self._draft is not None:
                abandon(self._store, self._draft)
            raise

    def _answer(self, asked: Answer) -> str:
        """Where to build, "" where nothing is to be built. The child knows now which engine belongs here."""
        identity = identity_of(asked["identity"])
        store, spec = self._store, self._spec
        if not self._again and (there := _there(store, identity)) is not None:
            self._there = there
            return ""
        store.prepare(spec.path.stat().st_size)

        def waiting(who: str) -> None:
            self._show(Step("wait", who))

        what = f"{spec.name} {spec.precision}"
        self.lock.enter_context(build_lock(store.folder, what, wait_s=self._wait_s, waiting=waiting))
        # The one that was waited for may have built the same.
        if not self._again and (there := _there(store, identity)) is not None:
            self._there = there
            return ""
        self._identity, self._draft = identity, store.draft(identity)
        self._before_s = _took_before(store, identity)
        self._show(Step("build", before_s=self._before_s))
        return str(self._draft)

    def _hear(self, message: Answer) -> None:
        self._show(Step("build", str(message.get("phase", "")), message.get("share"), self._before_s))

    def _proved(self, draft: Path, identity: Identity, held_out: HeldOut | None) -> Made:
        """Checked, recorded, and in its place."""
        store = self._store
        checked = check_draft(store, draft, self._spec, held_out.images if held_out is not None else (), self._show)
        measured = held_out.gate(checked.answers) if held_out is not None else None
        meta = store.verified(draft, identity, unchecked=True).meta
        results = {"golden": checked.golden, "latency": checked.latency, "gate": measured}
        store.record(draft, meta.model_copy(update=results))
        engine = store.activate(draft, identity)
        log.info("engine built", model=self._spec.name, precision=self._spec.precision, key=identity.key)
        return Made(store.folder / identity.key, engine.meta, True)


def identity_of(table: Mapping[str, Any]) -> Identity:
    """From JSON."""
    return Identity(**{**table, "flags": tuple(table["flags"])})


def _progress(show: Show, before_s: float | None) -> Callable[[Answer], None]:
    show(Step("build", before_s=before_s))

    def hear(message: Answer) -> None:
        show(Step("build", str(message.get("phase", "")), message.get("share"), before_s))

    return hear


def _there(store: EngineStore, identity: Identity) -> Made | None:
    try:
        engine = store.ready(identity)
    except BackendUnavailable as reason:
        log.debug("an engine is to be built", reason=str(reason))
        return None
    return Made(store.folder / identity.key, engine.meta, False)


def _took_before(store: EngineStore, identity: Identity) -> float | None:
    """Seconds of the newest build of this model in this precision on such a GPU, None where there was none."""
    found = [
        kept.meta
        for kept in store.kept()
        if kept.meta is not None
        and (told := kept.meta.told_identity()) is not None
        and (told.model, told.precision, told.gpu) == (identity.model, identity.precision, identity.gpu)
    ]
    return max(found, key=lambda meta: meta.built_at).build_s if found else None
