"""What happens to whom and when: made of a seed alone, so that a run can be had again."""

from __future__ import annotations

import random
from dataclasses import dataclass

BROKER, STATION, CONSUMER = "broker", "station", "consumer"
ALL = (BROKER, STATION, CONSUMER)
KILL, STOP, PAUSE = "kill", "stop", "pause"
"""SIGKILL; SIGTERM; SIGSTOP, and SIGCONT after a while."""


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
    """hits: who, and how, in this order. back: who comes back first. down_s, up_s: seconds.

    heals: the next fault waits until records flow again; without it the next comes somewhere in the recovery.
    """

    hits: tuple[tuple[str, str], ...]
    back: tuple[str, ...]
    down_s: float
    up_s: float
    heals: bool


def schedule(seed: int, case: Case, faults: int, longest_s: float) -> list[Fault]:
    """Each of the three alone is ended once, then any of them together are ended or paused."""
    chance = random.Random(f"{seed} {case.name}")
    alone = list(ALL)
    chance.shuffle(alone)
    return [_fault(chance, case, [alone[n]] if n < len(alone) else [], longest_s) for n in range(faults)]


def _fault(chance: random.Random, case: Case, victims: list[str], longest_s: float) -> Fault:
    together = not victims
    victims = victims or chance.sample(ALL, chance.choice((2, 2, 3)))
    return Fault(
        hits=tuple((who, _how(chance, case, who, pauses=together)) for who in victims),
        back=tuple(chance.sample(victims, len(victims))),
        down_s=chance.uniform(0.1, longest_s),
        up_s=chance.uniform(0.0, 0.5),
        heals=not together or chance.random() < 0.5,
    )


def _how(chance: random.Random, case: Case, who: str, *, pauses: bool) -> str:
    ends = (STOP,) if who == BROKER and not case.broker_dies else (KILL, KILL, KILL, STOP)
    return PAUSE if pauses and chance.random() < 0.25 else chance.choice(ends)
