"""`bench --peers` where ultralytics is: both sides run the same model with the same threads and find the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ultralytics", reason="needs the training environment")

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("threads", [0, 1])
def test_peers_run_the_same_model_with_the_same_threads(threads: int) -> None:
    command = [sys.executable, "-m", "partsight", "bench", "--peers", "--parts", "3", "--imgsz", "320", "--json"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "inspect")}
    done = subprocess.run(
        [*command, "--threads", str(threads)], capture_output=True, text=True, timeout=110, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert list(told["peers"]) == ["onnx", "openvino"]
    for run in told["peer_runs"]:
        assert run["backend"] == run["peer"]
        assert run["peer_threads"] == told["threads"]
        assert run["agreed"] == run["boxes"] > 0
        assert told["peers"][run["peer"]] == run["ratio"] > 0
        low, high = run["ratio_quartiles"]
        assert low <= run["ratio"] <= high
