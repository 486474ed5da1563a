"""Which frame belongs to which trigger (rule 3), against a camera that loses, ignores and delays frames at random."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timezone

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from partsight.domain.frame import Grab, PixelFormat
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.station.ledger import Part
from partsight.station.pairing import Pairing, Request

TIMEOUT = 100
PIXELS = np.zeros((1, 1), np.uint8)


def part(number: int) -> Part:
    return Part(Trigger(number, number, 1, TriggerKind.CALL, datetime.now(timezone.utc), 0, 0))


def grab(device_id: int | None) -> Grab:
    return Grab(PIXELS, PixelFormat.MONO8, device_id=device_id)


def pairing(first_id: int | None = 1, depth: int = 4, *, triggered: bool = True, period: int = 0) -> Pairing:
    return Pairing(triggered=triggered, first_id=first_id, period_ns=period, timeout_ns=TIMEOUT, depth=depth)


def test_frames_in_order_go_to_their_triggers() -> None:
    p = pairing()
    parts = [part(n) for n in range(3)]
    assert [p.request(x, 0) for x in parts] == [Request.WAITS] * 3
    assert [p.frame(grab(n), 10)[0] for n in (1, 2, 3)] == parts


def test_a_gap_in_the_numbers_fails_the_part_whose_frame_was_lost() -> None:
    p = pairing()
    a, b = part(1), part(2)
    p.request(a, 0)
    p.request(b, 0)
    assert p.frame(grab(2), 10) == (b, [a])


def test_one_more_than_the_depth_is_refused() -> None:
    p = pairing(depth=2)
    assert [p.request(part(n), 0) for n in range(3)] == [Request.WAITS, Request.WAITS, Request.FULL]


def test_a_late_frame_is_nobodys_and_an_ignored_trigger_costs_its_own_part_only() -> None:
    p = pairing()
    a, b, c = part(1), part(2), part(3)
    p.request(a, 0)
    assert p.overdue(TIMEOUT + 1) == [a]
    p.request(b, TIMEOUT + 2)
    assert p.frame(grab(1), TIMEOUT + 50) == (None, []), "the late frame of a"
    p.request(c, TIMEOUT + 60)
    assert p.frame(grab(3), TIMEOUT + 70) == (c, [b])


def test_a_refused_trigger_takes_no_number() -> None:
    p = pairing()
    a, b = part(1), part(2)
    p.request(a, 0)
    assert p.refused(a)
    assert not p.refused(a)
    p.request(b, 1)
    assert p.frame(grab(1), 2) == (b, [])


def test_a_camera_that_does_not_count_gets_one_trigger_at_a_time_and_none_while_a_late_frame_may_come() -> None:
    p = pairing(None)
    a, b, c = part(1), part(2), part(3)
    p.request(a, 0)
    assert p.request(b, 1) is Request.UNSURE
    assert p.frame(grab(None), 5)[0] is a
    assert p.request(b, 6) is Request.WAITS
    assert p.overdue(6 + TIMEOUT + 1) == [b]
    assert p.request(c, 6 + TIMEOUT + 2) is Request.UNSURE
    assert p.frame(grab(9), 6 + TIMEOUT + 50) == (None, []), "the late frame of b"
    assert p.request(c, 6 + 2 * TIMEOUT) is Request.WAITS
    assert p.frame(grab(77), 6 + 2 * TIMEOUT + 5) == (c, [])


def test_a_stream_gives_the_first_frame_that_was_exposed_after_the_trigger() -> None:
    p = pairing(None, triggered=False, period=40)
    a = part(1)
    p.request(a, 1000)
    assert p.frame(grab(1), 1030) == (None, []), "its exposure may have begun before the trigger"
    assert p.frame(grab(2), 1070) == (a, [])
    assert p.frame(grab(3), 1110) == (None, [])


@given(
    st.lists(st.tuples(st.sampled_from(["good", "lost", "ignored", "late"]), st.integers(0, 60)), max_size=40),
    st.sampled_from([None, 1]),
)
def test_rule_3_no_frame_is_ever_given_to_another_part(triggers: list[tuple[str, int]], first_id: int | None) -> None:
    """rule_3: whatever the camera does with each trigger, a part gets its own frame or none, and never waits for ever.

    The camera answers in order, 5 to 15 after the trigger, or 20 to 180 when late (never later than 2 time-outs).
    """
    p = pairing(first_id, depth=3)
    now, camera_id = 0, 0
    answered: dict[Part, bool] = {}
    failed: set[Part] = set()
    coming: deque[tuple[int, int, Part]] = deque()
    asked: list[Part] = []

    def deliver(until: int) -> None:
        nonlocal now
        while coming and coming[0][0] <= until:
            now, number, owner = coming.popleft()
            failed.update(p.overdue(now))
            got, lost = p.frame(grab(number), now)
            failed.update(lost)
            if got is not None:
                assert got is owner, "a frame was given to another part"
                answered[got] = True
        now = until
        failed.update(p.overdue(now))

    for fate, pause in triggers:
        deliver(now + pause)
        x = part(len(asked))
        asked.append(x)
        if p.request(x, now) is not Request.WAITS:
            failed.add(x)
            continue
        camera_id += fate != "ignored" or first_id is not None  # who counts triggers counts those too
        if fate in ("lost", "ignored"):
            continue
        due = now + (180 if fate == "late" else 10)
        coming.append((max(due, coming[-1][0] if coming else 0), camera_id, x))
        if coming[-1][0] - now > 2 * TIMEOUT:
            coming.pop()  # later than a frame may be: such a camera has lost it
    deliver(now + 3 * TIMEOUT)
    assert len(p) == 0
    assert {*answered, *failed} == set(asked)
