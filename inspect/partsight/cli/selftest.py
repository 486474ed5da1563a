"""`partsight selftest --gpu`: what only the user's own device can show, as one report."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from partsight import __version__
from partsight.cli.build import show_steps
from partsight.cli.logs import set_up_logs
from partsight.cli.selftest_report import GpuReport, Precision, Sample, Soak, scrub
from partsight.cli.sensors import Sensors, power_mode
from partsight.daemon.places import find_bundle
from partsight.detectors.tensorrt.build_process import carry_out, order_for
from partsight.detectors.tensorrt.building import BuildOptions
from partsight.detectors.tensorrt.engines import EngineStore, Identity
from partsight.detectors.tensorrt.making import Show, Step, build_draft, look_here
from partsight.domain.errors import BundleError, ConfigError, DetectorError, Mistake
from partsight.domain.model import ModelSpec
from partsight.models.bundle import Bundle, load

EXIT_FAILED = 1
SOAK_S = 600.0
SAMPLE_EVERY_S = 5.0
SCORE_WITHIN, BOX_WITHIN_PX = 1e-3, 0.1
"""Graph and plain launches run the same kernels; a reduction in another order may show in the last digits."""
SLOWER = 1.2
"""A soak's last tenth over its first: more than this is throttling."""
WARM_S = 60.0
"""A shorter soak says nothing of heat."""
LIBRARIES = ("numpy", "opencv-python", "onnxruntime", "pycuda", "cuda-bindings")
PRECISIONS = ("fp16", "fp32", "int8")


@dataclass(slots=True)
class Test:
    """One run, filled in as it goes on, so that what was seen is written down whatever ends it."""

    bundle: Bundle
    identity: Identity
    facts: Mapping[str, Any]
    show: Show
    precisions: list[Precision] = field(default_factory=list)
    soak: Soak | None = None
    findings: list[str] = field(default_factory=list)

    def report(self) -> GpuReport:
        """As far as it came."""
        plain = {
            "schema": 1,
            "partsight": __version__,
            "made_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "passed": not self.findings,
            "findings": self.findings,
            "model": f"{self.bundle.card.name} {self.bundle.card.version}",
            "machine": _machine(self.identity),
            "gpu": _gpu(self.identity, self.facts),
            "versions": _versions(self.identity),
            "precisions": [one.model_dump(mode="json") for one in self.precisions],
            "soak": self.soak.model_dump(mode="json") if self.soak is not None else None,
        }
        return GpuReport.model_validate(scrub(plain))


def selftest(
    *,
    gpu: Annotated[
        bool, typer.Option("--gpu", help="Test the GPU: the only part that has a self-test of its own.")
    ] = False,
    report: Annotated[Path, typer.Option(help="The report, JSON.")] = Path("partsight-gpu-report.json"),
    model: Annotated[str, typer.Option(help="Model bundle: its name or its folder.")] = "pcb",
    soak_s: Annotated[
        float, typer.Option(min=0, max=86_400, help="Seconds of frames without a pause; 0: none.")
    ] = SOAK_S,
) -> None:
    """Build the model's engines on this device, compare, measure, and write one report that may be published.

    Stop the station first: it would be measured too. Exit status 1: something is not as it should be, the report says
    what; 2: a mistake in the call; 3: there is no GPU that could be tested.
    """
    set_up_logs(quiet=True)
    bundle, specs = _order(gpu, report, model)
    out = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="partsight-selftest-") as work, show_steps() as show:
        engines = Path(work) / "engines"
        show(Step("look"))
        identity, facts = look_here(specs[0], engines)
        test = Test(bundle, identity, facts, show)
        try:
            run(test, specs, engines, soak_s)
        except KeyboardInterrupt:
            test.findings.append("ended by the person before it was done")
        finally:
            _write(report, test.report())
    _print(out, test, report)
    raise typer.Exit(EXIT_FAILED if test.findings else 0)


def run(test: Test, specs: list[ModelSpec], engines: Path, soak_s: float) -> None:
    """Each precision, the first with the soak; what fails is a finding, and the next one is tried."""
    store = EngineStore(engines)
    for number, spec in enumerate(specs):
        told: dict[str, Any] = {"precision": spec.precision, "model_sha256": spec.sha256}
        try:
            _one(test, store, spec, soak_s if number == 0 else 0.0, told)
        except (DetectorError, OSError) as problem:
            told["error"] = str(problem)
            test.findings.append(f"{spec.precision}: {problem}")
        finally:
            test.precisions.append(Precision.model_validate(told))


def _one(test: Test, store: EngineStore, spec: ModelSpec, soak_s: float, told: dict[str, Any]) -> None:
    """Build, check, measure. `told` holds what is known when an error leaves."""
    show = test.show
    identity = test.identity.of(BuildOptions(spec))
    store.prepare(spec.path.stat().st_size)
    draft = build_draft(store, spec, identity, show)
    meta = store.verified(draft, identity, unchecked=True).meta
    told |= {"build_s": meta.build_s, "plan_bytes": meta.plan_bytes}
    samples: list[Sample] = []
    with Sensors() as sensors:

        def hear(message: Mapping[str, Any]) -> None:
            if message["event"] == "checked":
                told.update(golden_frames=message["golden"], golden_boxes=message["boxes"])
                told.update(p50_ms=message["latency"]["p50_ms"], p99_ms=message["latency"]["p99_ms"])
                return
            at_s = float(message["at_s"])
            show(Step("soak", f"{at_s:.0f} of {soak_s:.0f} s, p50 {message['p50']:.2f} ms", at_s / soak_s))
            if not samples or at_s - samples[-1].at_s >= SAMPLE_EVERY_S:
                now = sensors.read()
                samples.append(
                    Sample(
                        at_s=at_s,
                        p50_ms=float(message["p50"]),
                        temperatures=now.temperatures,
                        clocks_mhz=now.clocks_mhz,
                        power_w=now.power_w,
                        throttled=now.throttled,
                    )
                )

        show(Step("measure"))
        measured = carry_out(order_for("measure", spec, store.folder, draft=draft, soak_s=soak_s), hear)
        told |= {"graph": measured["graph"], "stages": measured["stages"]}
        if measured["soak"] is not None:
            test.soak = Soak(**measured["soak"], sensors=sensors.sources, samples=tuple(samples))
    test.findings += _objections(spec.precision, measured)


def _objections(precision: str, measured: Mapping[str, Any]) -> list[str]:
    graph, soak = measured["graph"], measured["soak"]
    found = []
    if not graph["used"]:
        found.append(f"{precision}: no CUDA graph could be captured, frames run by plain launches")
    if graph["other_count"] or graph["max_score"] > SCORE_WITHIN or graph["max_box_px"] > BOX_WITHIN_PX:
        found.append(
            f"{precision}: graph and plain launches differ: {graph['other_count']} of {graph['frames']} frames in the "
            f"number of boxes, scores by {graph['max_score']:.4f}, boxes by {graph['max_box_px']:.2f} pixels"
        )
    if not graph["boxes"]:
        found.append(f"{precision}: not one box in {graph['frames']} frames, so the comparison says nothing")
    if soak is not None and soak["changed"]:
        found.append(f"soak: {soak['changed']} of {soak['frames']} answers were not those of the first time")
    if soak is not None and soak["seconds"] >= WARM_S and soak["last_p50_ms"] > SLOWER * soak["first_p50_ms"]:
        found.append(
            f"soak: p50 went from {soak['first_p50_ms']:.2f} to {soak['last_p50_ms']:.2f} ms: look at temperatures, "
            "power mode and cooling"
        )
    return found


def _order(gpu: bool, report: Path, model: str) -> tuple[Bundle, list[ModelSpec]]:
    """Everything of the call that may be wrong. Raises ConfigError."""
    mistakes = []
    if not gpu:
        mistakes.append(Mistake("partsight selftest", "", "says not what to test", "add --gpu"))
    if not report.resolve().parent.is_dir():
        mistakes.append(Mistake("--report", "", f"there is no folder {report.parent}", "name another place"))
    bundle = None
    try:
        bundle = load(find_bundle(model, Path.cwd()))
    except BundleError as problem:
        mistakes.append(Mistake("--model", "", str(problem)))
    if mistakes or bundle is None:
        raise ConfigError(mistakes)
    specs = [bundle.spec(one) for one in PRECISIONS if one in bundle.precisions]
    if not specs:
        raise ConfigError([Mistake("--model", "", f"{model} has no file in fp16, fp32 or int8", "convert it")])
    return bundle, specs


def _machine(identity: Identity) -> dict[str, Any]:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "system": identity.system,
        "kernel": platform.release(),
        "machine": identity.machine,
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(pages / (1 << 30)),
        "board": identity.board,
        "l4t": identity.l4t,
        "power_mode": power_mode(),
    }


def _gpu(identity: Identity, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": identity.gpu,
        "compute_capability": identity.compute_capability,
        "sm_count": identity.sm_count,
        "memory_gib": identity.memory_gib,
        "integrated": bool(facts["integrated"]),
        "driver": identity.driver,
        "cuda_driver": identity.cuda_driver,
    }


def _versions(identity: Identity) -> dict[str, str]:
    found = {"python": platform.python_version(), "tensorrt": identity.tensorrt, "cuda_runtime": identity.cuda_runtime}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.machine()


def _write(path: Path, told: GpuReport) -> None:
    """Whole or not at all. Raises ConfigError where it cannot be written."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(told.model_dump_json(indent=1, by_alias=True) + "\n", "utf-8")
        draft.replace(path)
    except OSError as problem:
        draft.unlink(missing_ok=True)
        raise ConfigError(
            [Mistake(str(path), "--report", f"cannot be written: {problem}", "name another")]
        ) from problem


def _print(out: Console, test: Test, report: Path) -> None:
    for one in test.precisions:
        if one.p50_ms is not None and one.build_s is not None:
            text = f"{one.precision}: built in {one.build_s:.0f} s, p50 {one.p50_ms:.2f} ms, p99 {one.p99_ms:.2f} ms"
            out.print(text, markup=False, soft_wrap=True)
    if test.soak is not None:
        soak = test.soak
        p50 = f"p50 {soak.first_p50_ms:.2f} to {soak.last_p50_ms:.2f} ms"
        out.print(f"soak: {soak.frames} frames in {soak.seconds:.0f} s, {p50}", markup=False, soft_wrap=True)
    for finding in test.findings:
        out.print(f"not as it should be: {finding}", markup=False, soft_wrap=True)
    out.print(f"report: {report}; docs/hardware says how to send it", markup=False, soft_wrap=True)
