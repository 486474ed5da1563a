"""What happens to whom and when: made of a seed alone, so that a run can be had again."""

from __future__ import annotations

import random
from dataclasses import dataclass

BROKER, STATION, CONSUMER = "broker", "station", "consumer"
ALL = (BROKER, STATION, CONSUMER)
KILL, STOP, PAUSE, FREEZE = "kill", "stop", "pause", "freeze"
"""SIGKILL; SIGTERM; SIGSTOP, and SIGCONT after a while; SIGSTOP, and ended while it stands still.

What was sent to a process that stands still, and died there, is what a sender must not take for delivered.
"""


@dataclass(frozen=True, slots=True)
class Case:
    """Which promise is tried.

    persistence: the broker writes what it holds to its disk. broker_dies: it is killed too, else only stopped and
    paused. asks: the consumer asks for what is missing; without it everything must come by itself.
    """

    name: str
    delivery: str
    persistence: bool
    broker_dies: bool
    asks: bool = False


CASES = (
    Case("broker", "broker", persistence=True, broker_dies=False),
    Case("consumer", "consumer", persistence=True, broker_dies=True),
    Case("consumer, nothing on the broker's disk", "consumer", persistence=False, broker_dies=True),
    Case("broker, killed too, and the consumer asks", "broker", persistence=True, broker_dies=True, asks=True),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """hits: who, and how, in this order, gap_s apart. back: who comes back first. down_s, up_s, gap_s: seconds.

    heals: the next fault waits until records flow again; without it the next comes somewhere in the recovery.
    """

    hits: tuple[tuple[str, str], ...]
    back: tuple[str, ...]
    gap_s: float
    down_s: float
    up_s: float
    heals: bool


def schedule(seed: int, case: Case, faults: int, longest_s: float) -> list[Fault]:
    """Each of the three alone; then what is worst for an outbox, the broker ended while it holds records for a
    consumer that is away; then any of them together.
    """
    chance = random.Random(f"{seed} {case.name}")
    alone = list(ALL)
    chance.shuffle(alone)
    victims = [[who] for who in alone] + [[CONSUMER, BROKER]]
    victims += [chance.sample(ALL, chance.choice((2, 2, 3))) for _ in range(faults - len(victims))]
    return [_fault(chance, case, who, longest_s, worst=n == len(ALL)) for n, who in enumerate(victims)]


def _fault(chance: random.Random, case: Case, victims: list[str], longest_s: float, *, worst: bool) -> Fault:
    several = len(victims) > 1
    return Fault(
        hits=tuple((who, _how(chance, case, who, pauses=several and not worst)) for who in victims),
        back=tuple(chance.sample(victims, len(victims))),
        gap_s=chance.uniform(0.2, 0.5) if worst else chance.uniform(0.0, 0.3),
        down_s=chance.uniform(0.1, longest_s),
        up_s=chance.uniform(0.0, 0.5),
        heals=not several or chance.random() < 0.5,
    )


def _how(chance: random.Random, case: Case, who: str, *, pauses: bool) -> str:
    if pauses and chance.random() < 0.25:
        return PAUSE
    if who == BROKER:
        return chance.choice((KILL, KILL, STOP, FREEZE) if case.broker_dies else (STOP, FREEZE))
    return chance.choice((KILL, KILL, KILL, STOP))
