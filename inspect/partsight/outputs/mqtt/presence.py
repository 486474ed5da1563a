"""The retained picture of a station: what is due to be published, the newest of each topic only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from partsight.domain.ports import Clock
from partsight.domain.status import StationStatus
from partsight.wire.station import (
    InfoModel,
    InfoRecipe,
    conn_message,
    count_message,
    info_message,
    recipe_message,
    state_message,
)


@dataclass(frozen=True, slots=True)
class About:
    """What the birth message says beside the station's status."""

    software: str
    configuration_sha256: str = ""
    model: InfoModel | None = None
    recipes: Sequence[InfoRecipe] = ()


class Presence:
    """Keeps the last payload of each retained topic and which of them must go out. For one thread."""

    def __init__(self, about: About, epoch: int, clock: Clock, *, acknowledged: bool) -> None:
        self._about = about
        self._epoch = epoch
        self._clock = clock
        self._acknowledged = acknowledged
        self._said: dict[str, bytes] = {}
        self._due: dict[str, None] = {}
        self._count_at_ns = 0
        self.conn = b""

    def will(self) -> bytes:
        """What the broker publishes once it has lost us."""
        return conn_message(self._epoch, online=False, time=self._clock.utc()).to_bytes()

    def offline(self) -> bytes:
        """What we publish ourselves when we leave."""
        return self.will()

    def announce(self, status: StationStatus | None) -> None:
        """Everything is due: after connecting, and for `cmd/sync`."""
        self.conn = conn_message(self._epoch, online=True, time=self._clock.utc()).to_bytes()
        self._said = {"conn": self.conn}
        self._due = {"conn": None}
        if status is not None:
            self._say("info", self._info(status))
            self.update(status, count=True)

    def again(self, leaf: str) -> None:
        """This one is due although nothing has changed."""
        self._due[leaf] = None

    def update(self, status: StationStatus, *, count: bool = False) -> None:
        """What has changed since is due; the counters once a second."""
        if "info" not in self._said:
            self._say("info", self._info(status))
        if self._say("recipe", recipe_message(status).to_bytes()) and "state" in self._said:
            self._say("info", self._info(status))
        self._say("state", state_message(status).to_bytes())
        now = self._clock.monotonic_ns()
        if count or now - self._count_at_ns >= 1_000_000_000:
            self._count_at_ns = now
            self._said["count"] = count_message(status).to_bytes()
            self._due["count"] = None

    def take(self) -> tuple[str, bytes] | None:
        """The next message that is due, `conn` first."""
        for leaf in self._due:
            del self._due[leaf]
            return leaf, self._said[leaf]
        return None

    def _say(self, leaf: str, payload: bytes) -> bool:
        if self._said.get(leaf) == payload:
            return False
        self._said[leaf] = payload
        self._due[leaf] = None
        return True

    def _info(self, status: StationStatus) -> bytes:
        about = self._about
        message = info_message(
            status,
            software=about.software,
            configuration_sha256=about.configuration_sha256,
            acknowledged=self._acknowledged,
            time=self._clock.utc(),
            model=about.model,
            recipes=about.recipes,
        )
        return message.to_bytes()
