"""All of README's figures, one after the other: `make bench`, or `python benchmarks [--quick] [--json FILE]`.

    --peer-weights FILE   the model's .pt, to race PyTorch too
    --model NAME          another bundle
    --quick               few parts: shows that everything runs, measures little

Ends with the bars that partsight wants to meet, each beside what was measured here.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SIDES = (640, 320)


def told(command: list[str]) -> Any:
    """The JSON that a command prints. What it says on stderr goes through."""
    print("$", *command, file=sys.stderr)
    done = subprocess.run([sys.executable, *command], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def bench(arguments: argparse.Namespace, side: int) -> Any:
    """`partsight bench` at one input size, against ultralytics where it is here."""
    command = ["-m", "partsight", "bench", "--json", "--model", arguments.model, "--imgsz", str(side)]
    command += ["--parts", "10" if arguments.quick else "200"]
    if importlib.util.find_spec("ultralytics") is not None:
        command += ["--peers"]
        if arguments.peer_weights is not None:
            command += ["--peer-weights", str(arguments.peer_weights)]
    return told(command)


def bars(found: dict[str, Any]) -> list[tuple[str, float, float]]:
    """What was measured and what it may be at most, with a name."""
    big, memory = found["bench_640"], found["memory"]
    rows = [
        ("all but inference, p95 at 640, ms", big["overhead_ms"]["p95"], 2.0),
        ("all but inference, p95 at 320, ms", found["bench_320"]["overhead_ms"]["p95"], 2.0),
        ("all but inference, share of bare inference at 640", big["overhead_ms"]["p50"] / big["bare_ms"]["p50"], 0.1),
    ]
    for side, limit in ((320, 0.85), (640, 0.92)):
        for peer, ratio in found[f"bench_{side}"]["peers"].items():
            rows.append((f"against ultralytics on {peer} at {side}", ratio, 0.35 if peer == "pytorch" else limit))
    rows.append(("resident memory, MiB", memory["demo"]["rss_mib"]["max"], 400.0))
    rows.append(
        ("memory for a thousand parts more, KiB", memory["flat"]["slope_last_half_kib_per_1000_parts"] or 0.0, 50.0)
    )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pcb", help="a bundle's name or folder")
    parser.add_argument("--peer-weights", type=Path, default=None, help="the model's .pt")
    parser.add_argument("--quick", action="store_true", help="few parts")
    parser.add_argument("--json", type=Path, default=None, help="write everything that was measured to this file")
    arguments = parser.parse_args()
    few = arguments.quick
    found: dict[str, Any] = {f"bench_{side}": bench(arguments, side) for side in SIDES}
    found["commit"] = told([str(HERE / "commit.py"), "--parts", "50" if few else "1000"])
    parts = ["--parts", "200", "--demo-parts", "20"] if few else []
    found["memory"] = told([str(HERE / "memory.py"), "--model", arguments.model, *parts])
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))
    print(f"\n{'':54s} {'measured':>10s} {'at most':>10s}")
    for name, value, limit in bars(found):
        print(f"{name:54s} {value:10.3f} {limit:10.2f}  {'met' if value <= limit else 'NOT MET'}")


if __name__ == "__main__":
    main()
