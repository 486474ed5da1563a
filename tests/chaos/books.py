"""What arrived, held against what was recorded; and the figures of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tests.chaos.cell import Cell, rows


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one run. Times in seconds.

    repeats: arrivals of what was there already. early: arrivals that waited for a predecessor. asked: records that
    the consumer asked for again. longest_s: from the record to its first arrival, outages included. return_s: from
    the moment at which the broker, ended alone, accepts connections again to the first record that came after it
    had gone.
    """

    recorded: int
    repeats: int
    early: int
    asked: int
    longest_s: float
    return_s: tuple[float, ...]


def balance(cell: Cell, newest: int) -> Figures:
    """Hold all against all. Fails where a record is missing, repeated, out of order or changed.

    newest: up to which it is held; the station still runs, and tells how it is.
    """
    recorded = {
        seq: (kind, payload)
        for seq, kind, payload in rows(cell.records_file, "SELECT seq, kind, payload FROM outbox ORDER BY seq")
        if seq <= newest
    }
    assert list(recorded) == list(range(1, newest + 1)), "the station's own numbers have a gap"
    silent = rows(
        cell.records_file,
        "SELECT sequence FROM inspection EXCEPT SELECT sequence FROM outbox WHERE sequence IS NOT NULL",
    )
    assert not silent, f"recorded and never sent: {silent[:10]}"

    upto_newest = f"WHERE seq <= {newest}"
    used = [seq for (seq,) in rows(cell.consumer_file, f"SELECT seq FROM ordered {upto_newest} ORDER BY position")]
    assert used == list(recorded), f"not +1 each: {_first_difference(used, list(recorded))}"
    kept = dict(rows(cell.consumer_file, f"SELECT seq, payload FROM record {upto_newest}"))
    assert kept == {seq: payload for seq, (_, payload) in recorded.items()}

    arrivals = rows(cell.consumer_file, f"SELECT at_us, leaf, seq, payload FROM arrival {upto_newest} ORDER BY n")
    first_at: dict[int, int] = {}
    early, upto = 0, 0
    for at_us, leaf, seq, payload in arrivals:
        assert (leaf, payload) == recorded[seq], f"seq {seq} arrived as something else than was recorded"
        if seq in first_at:
            continue
        first_at[seq] = at_us
        early += seq != upto + 1
        while upto + 1 in first_at:
            upto += 1
    asked = rows(cell.consumer_file, "SELECT coalesce(sum(last - first + 1), 0) FROM asked")[0][0]
    return Figures(
        recorded=newest,
        repeats=len(arrivals) - len(first_at),
        early=early,
        asked=asked,
        longest_s=max(_travelled(recorded, first_at)),
        return_s=tuple(_returns(cell, first_at)),
    )


def _travelled(recorded: dict[int, tuple[str, bytes]], first_at: dict[int, int]) -> list[float]:
    """Seconds from the record to its first arrival. An uid holds the millisecond in which its record was made."""
    found = []
    for seq, (kind, payload) in recorded.items():
        told: dict[str, Any] = json.loads(payload)
        # What supersedes a record has that one's uid.
        if kind == "result" and told["supersedes"] is None:
            found.append(round(first_at[seq] / 1e6 - (UUID(told["uid"]).int >> 80) / 1e3, 3))
    return found


def _returns(cell: Cell, first_at: dict[int, int]) -> list[float]:
    """Of each return of the broker that no other fault has disturbed."""
    found = []
    for back, newest, until in cell.returns:
        came = min((at / 1e6 for seq, at in first_at.items() if seq > newest), default=until)
        if came < until:
            found.append(round(came - back, 3))
    return found


def _first_difference(used: list[int], recorded: list[int]) -> str:
    place = next(
        (n for n, (a, b) in enumerate(zip(used, recorded, strict=False)) if a != b), min(len(used), len(recorded))
    )
    return f"at position {place}: used {used[place : place + 5]}, recorded {recorded[place : place + 5]}"
