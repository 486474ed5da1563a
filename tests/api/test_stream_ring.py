"""The ring of events and the pace of pictures, as pure code."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from partsight.api.ring import EventRing
from partsight.api.stream import Watched
from partsight.wire.screen.message import now
from partsight.wire.screen.stream import EventNote

steps = st.lists(st.integers(0, 5), max_size=60)


def covers(told: list[dict[str, Any]]) -> list[int]:
    """Every number that was told of, as an event or as gone."""
    numbers: list[int] = []
    for one in told:
        numbers += [one["n"]] if one["type"] == "event" else list(range(one["first"], one["last"] + 1))
    return numbers


@given(steps=steps, keep=st.integers(1, 20), after=st.integers(0, 400), limit=st.integers(1, 30))
def test_rule_6_no_number_is_passed_over(steps: list[int], keep: int, after: int, limit: int) -> None:
    """0: an event; n: so many are lost. Read on in any portions, each number after `after` is told once, in order."""
    ring = EventRing(max_events=keep)
    for lost in steps:
        if lost:
            ring.skip(lost)
        else:
            ring.add(EventNote(n=0, at=now(), kind="state", data={}))
    seen, told = min(after, ring.last), []
    while items := ring.after(seen, limit):
        assert len(items) <= limit
        told += [json.loads(item.text) for item in items]
        seen = items[-1].last
    assert covers(told) == list(range(min(after, ring.last) + 1, ring.last + 1))
    assert ring.first <= ring.last + 1


def test_large_events_are_kept_up_to_a_number_of_bytes() -> None:
    ring = EventRing(max_bytes=10_000)
    for _ in range(100):
        ring.add(EventNote(n=0, at=now(), kind="state", data={"text": "x" * 1000}))
    kept = ring.after(0, 1000)
    assert json.loads(kept[0].text)["type"] == "gap"
    assert 5 < len(kept) < 12
    assert kept[-1].last == 100


@given(
    rate=st.floats(0.2, 30),
    gaps=st.lists(st.floats(0.001, 2.0), min_size=2, max_size=200),
)
def test_a_client_gets_its_rate_and_no_more(rate: float, gaps: list[float]) -> None:
    """However pictures come: over any time at most rate × time + 2 of them, and the newest is never withheld."""
    watched, at, taken = Watched(rate), 100.0, []
    picture: Any = object()
    for gap in gaps:
        at += gap
        watched.offer(picture, at)
        if watched.take(at) is not None:
            taken.append(at)
        else:
            due = watched.due_in(at)
            assert due is not None
            assert 0 < due <= 1 / rate + 1e-9
    for first, one in enumerate(taken):
        for count, other in enumerate(taken[first:], 1):
            assert count <= (other - one) * rate + 2 + 1e-6


def test_a_little_jitter_halves_no_rate() -> None:
    """Pictures at 25 a second, each up to 10 ms early or late, for a client that asked for 25."""
    watched, taken = Watched(25.0), 0
    picture: Any = object()
    for number in range(250):
        at = 100 + number / 25 + (0.01 if number % 2 else -0.01)
        watched.offer(picture, at)
        taken += watched.take(at) is not None
    assert taken >= 240
