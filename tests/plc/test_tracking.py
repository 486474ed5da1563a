"""The shift register and the gate: a part passes by its own verdict in time, and by nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partsight.testing.plc import Answered, Passage, Policy, ShiftRegister
from partsight.testing.plc.tracking import Taken, distance

GATE = 1000


def register(policy: Policy = Policy.PASS_ONLY, epoch: int = 5) -> ShiftRegister:
    made = ShiftRegister(GATE, policy)
    made.see_epoch(epoch)
    return made


def enter(line: ShiftRegister, number: int, encoder: int = 0, *, id_: int | None = None, epoch: int = 5) -> None:
    cell = line.enter(number, encoder)
    cell.id, cell.epoch = number if id_ is None else id_, epoch


def gate(line: ShiftRegister, encoder: int = GATE, *, trusted: bool = True) -> list[Passage]:
    return line.at_gate(encoder, trusted=trusted)


def test_a_pass_for_the_part_in_time_passes_it() -> None:
    line = register()
    enter(line, 1)
    assert line.take(Answered(5, 1, 0), GATE - 1) is Taken.TAKEN
    assert gate(line, GATE - 1) == []
    assert [(p.number, p.passed) for p in gate(line)] == [(1, True)]


@pytest.mark.parametrize(
    ("verdict", "at", "taken"),
    [
        (Answered(5, 1, 1), 10, Taken.TAKEN),
        (Answered(5, 1, 2), 10, Taken.TAKEN),  # hold is no pass
        (Answered(5, 2, 0), 10, Taken.UNKNOWN),
        (Answered(5, 0, 0), 10, Taken.UNKNOWN),
        (Answered(4, 1, 0), 10, Taken.STALE),
        (Answered(6, 1, 0), 10, Taken.OTHER_EPOCH),
        (Answered(5, 1, 0), GATE, Taken.LATE),
    ],
)
def test_nothing_else_passes_it(verdict: Answered, at: int, taken: Taken) -> None:
    line = register()
    enter(line, 1)
    assert line.take(verdict, at) is taken
    assert [p.passed for p in gate(line)] == [False]


def test_what_is_not_trusted_not_triggered_or_not_answered_is_rejected_and_says_why() -> None:
    line = register()
    enter(line, 1)
    line.take(Answered(5, 1, 0), 10)
    enter(line, 2, id_=0)
    enter(line, 3)
    assert [(p.number, p.passed, p.why) for p in gate(line, trusted=False)] == [
        (n, False, "station is not heard") for n in (1, 2, 3)
    ]
    enter(line, 4, id_=0)
    enter(line, 5)
    assert [(p.number, p.passed, p.why) for p in gate(line)] == [
        (4, False, "not triggered"),
        (5, False, "no verdict in time"),
    ]


@pytest.mark.parametrize("second", [0, 1])
def test_a_reject_stands_whatever_comes_before_or_after_it(second: int) -> None:
    line = register()
    enter(line, 1)
    line.take(Answered(5, 1, 1 - second), 10)
    line.take(Answered(5, 1, second), 20)
    assert [p.passed for p in gate(line)] == [False]


def test_the_encoder_turns_round() -> None:
    line = register()
    enter(line, 1, encoder=(1 << 32) - 10)
    assert gate(line, GATE - 11) == []
    assert line.take(Answered(5, 1, 0), GATE - 11) is Taken.TAKEN
    assert [p.passed for p in gate(line, GATE - 10)] == [True]
    assert distance(5, (1 << 32) - 5) == 10
    assert distance((1 << 32) - 5, 5) == -10


def test_ids_are_acknowledged_up_to_the_first_gap() -> None:
    line = register()
    for number in (1, 2, 3):
        enter(line, number)
    assert line.acknowledgeable() == 0
    line.take(Answered(5, 2, 0), 1)
    assert line.acknowledgeable() == 0
    line.take(Answered(5, 1, 1), 1)
    assert line.acknowledgeable() == 2
    line.take(Answered(5, 3, 0), 1)
    assert line.acknowledgeable() == 3


def test_the_wrong_policies_let_out_what_the_right_one_holds() -> None:
    """The verdict for a bad part is lost: only one of three rejects it."""
    passed = {}
    for policy in Policy:
        line = register(policy)
        enter(line, 1, 0)
        line.take(Answered(5, 1, 0), 10)
        enter(line, 2, 100)
        passed[policy] = [p.passed for p in gate(line, GATE + 100)]
    assert passed == {
        Policy.PASS_ONLY: [True, False],
        Policy.REJECT_ON_FAIL: [True, True],
        Policy.LAST_VALUE: [True, True],
    }


STEP = st.one_of(
    st.tuples(st.just("enter"), st.integers(0, 6), st.integers(3, 6)),
    st.tuples(st.just("verdict"), st.integers(3, 7), st.integers(0, 6), st.integers(0, 2)),
    st.tuples(st.just("move"), st.integers(0, 700)),
    st.tuples(st.just("trust"), st.booleans()),
    st.tuples(st.just("epoch"), st.integers(3, 7)),
)


@given(st.lists(STEP, max_size=60), st.integers(0, (1 << 32) - 1))
def test_no_part_passes_without_its_own_pass_in_time(steps: list[tuple[object, ...]], start: int) -> None:
    """Rule_3, at the receiver: whatever is lost, late, repeated, reordered, foreign, or of another life.

    The ids are few, so that they come back often; the judge of this test keeps its own book of what was heard.
    """
    line = ShiftRegister(GATE)
    moved, trusted, number = 0, True, 0
    entered: dict[int, tuple[int, int, int, int]] = {}  # number: epoch, id, moved, moment
    heard: list[tuple[int, int, int, int, int]] = []  # epoch, id, action, moved, moment
    for moment, step in enumerate([*steps, ("move", 2 * GATE)]):
        match step:
            case ("enter", int(id_), int(epoch)):
                number += 1
                cell = line.enter(number, start + moved)
                cell.id, cell.epoch = id_, epoch
                entered[number] = (epoch, id_, moved, moment)
            case ("verdict", int(epoch), int(id_), int(action)):
                line.take(Answered(epoch, id_, action), (start + moved) % (1 << 32))
                heard.append((epoch, id_, action, moved, moment))
            case ("move", int(counts)):
                moved += counts
            case ("trust", bool(now)):
                trusted = now
            case ("epoch", int(epoch)):
                line.see_epoch(epoch)
        for passage in line.at_gate((start + moved) % (1 << 32), trusted=trusted):
            if not passage.passed:
                continue
            epoch, id_, at, since = entered[passage.number]
            assert trusted
            assert id_ != 0
            own = [h for h in heard if h[:2] == (epoch, id_) and h[4] > since and h[3] - at < GATE]
            assert [h for h in own if h[2] == 0], f"part {passage.number} passed without its pass: {heard}"
    assert len(line) == 0, "every part came to the gate"
