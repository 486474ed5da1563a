"""Twenty thousand parts through one running station: the books balance, and nothing grows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import psutil
import pytest
from tests.station.kill_run import SIMULATED, station, write_station

from partsight.domain.verdict import Result
from partsight.outputs.records import RecordsReader

PARTS = 20_000
STEP = 400
WARM = 4000
"""Until here caches fill, the image budget is reached, and the database's own cache is full."""
SLOPE_MIB = 6.0
"""Growth over the parts after `WARM`, by a straight line through all samples."""
RESIDENT_MIB = 400


@pytest.mark.proof
@pytest.mark.timeout(1500)
def test_rule_1_twenty_thousand_parts_balance_and_nothing_grows(tmp_path: Path) -> None:
    config = write_station(
        tmp_path,
        camera=SIMULATED + "rate_hz = 0.0\n",
        trigger='kind = "timer"\nperiod_ms = 8',
        images="budget_mb = 20\nkeep_free_mb = 1\nok_share = 0.2",
    )
    data = tmp_path / "data"
    samples: list[tuple[int, float, int, int]] = []
    with station(config) as run:
        process = psutil.Process(run.process.pid)
        for count in range(STEP, PARTS + STEP, STEP):
            assert run.wait_for_verdicts(count, 120), run.told[-2000:]
            with process.oneshot():
                memory = process.memory_info().rss / 2**20
                samples.append((count, memory, process.num_fds(), process.num_threads()))
        assert run.terminate(60) == 0, run.told[-2000:]
    counts = Counter(line["verdict"] for line in run.verdicts)
    print(f"\n{len(run.verdicts)} parts {dict(counts)}", *samples[:: len(samples) // 10], sep="\n")

    # The books: what was printed, counted, recorded and latched is the same.
    assert run.summary["in_flight"] == 0
    assert run.summary["triggers"] == len(run.verdicts) == len({line["sequence"] for line in run.verdicts})
    assert run.summary["verdicts"] == {result.value: counts[result.value] for result in Result}
    assert counts["OK"] > PARTS / 3
    with RecordsReader.open(data) as reader:
        recorded = reader.summary().counts
        assert reader.open_triggers() == []
    assert {result.value: count for result, count in recorded.items()} == run.summary["verdicts"]

    # The disk: images kept to their budget, latch files not left behind.
    assert sum(path.stat().st_size for path in (data / "images").rglob("*") if path.is_file()) <= 20e6
    assert list(data.glob("latch-*.bin")) == []

    # The process: flat once it is warm.
    warm = [sample for sample in samples if sample[0] >= WARM]
    parts, memory, handles, threads = (np.array(column, np.float64) for column in zip(*warm, strict=True))
    growth = float(np.polyfit(parts, memory, 1)[0] * (parts[-1] - parts[0]))
    assert growth < SLOPE_MIB, f"resident memory grows by {growth:.1f} MiB over {parts[-1] - parts[0]:.0f} parts"
    assert memory.max() < RESIDENT_MIB
    # A few more or less at one instant (an image that is being written), but no trend.
    assert np.median(handles[-10:]) <= np.median(handles[:10])
    assert threads.max() == threads.min()
