"""Which record goes next: whatever is lost or repeated, every record is done once all have it, and not before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from partsight.outputs.mqtt.delivery import Delivery

COUNT = 30


@given(st.lists(st.tuples(st.booleans(), st.integers(0, COUNT)), max_size=200))
def test_broker_mode_never_passes_over_a_record(steps: list[tuple[bool, int]]) -> None:
    delivery = Delivery({})
    taken: set[int] = set()
    for lost, n in steps:
        if lost:
            delivery.rewind(0.0)
            taken = {s for s in taken if s <= delivery.acked}
        elif delivery.cursor < COUNT:
            delivery.sent(delivery.cursor + 1, 0.0)
        if 0 < n <= delivery.cursor:
            taken.add(n)
            delivery.taken_by_broker(n)
        assert set(range(1, delivery.acked + 1)) <= taken
        assert delivery.acked + 1 not in taken
        assert delivery.acked <= delivery.cursor
    while delivery.cursor < COUNT:
        delivery.sent(delivery.cursor + 1, 0.0)
    for n in reversed(range(1, COUNT + 1)):
        delivery.taken_by_broker(n)
    assert delivery.acked == COUNT


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "stranger"]), st.integers(0, COUNT)), max_size=200))
def test_consumer_mode_waits_for_the_slowest(steps: list[tuple[str, int]]) -> None:
    delivery, best = Delivery({}, ("a", "b")), {"a": 0, "b": 0}
    for n in range(1, COUNT + 1):
        delivery.sent(n, 0.0)
    for name, n in steps:
        delivery.stored_by(name, n, 0.0)
        if name in best:
            best[name] = max(best[name], n)
        assert delivery.acked == min(best.values())


def test_a_repeated_number_is_no_progress() -> None:
    delivery = Delivery({}, ("mes",), stall_s=3.0)
    for n in range(1, 11):
        delivery.sent(n, 0.0)
    assert delivery.stored_by("mes", 4, 1.0)
    for now in (1.5, 2.5, 3.5):
        assert not delivery.stored_by("mes", 4, now)
    assert not delivery.stalled(3.9)
    assert delivery.stalled(4.1)
    delivery.rewind(4.1)
    assert delivery.cursor == 4
    delivery.sent(5, 4.2)
    assert delivery.resent == 1


def test_records_that_were_deleted_by_age_hold_nothing_up() -> None:
    delivery = Delivery({"broker": 3})
    delivery.sent(101, 0.0)
    delivery.sent(102, 0.0)
    assert delivery.taken_by_broker(101)
    assert delivery.acked == 101
    delivery.sent(201, 0.0)
    delivery.taken_by_broker(201)
    assert delivery.acked == 101
    assert delivery.taken_by_broker(102)
    assert delivery.acked == 201


def test_what_the_consumers_have_not_confirmed_is_bounded() -> None:
    delivery = Delivery({}, ("mes",))
    sent = 0
    while delivery.may_send():
        sent += 1
        delivery.sent(sent, 0.0)
    assert sent == 2000
    delivery.stored_by("mes", 1, 0.0)
    assert delivery.may_send()
