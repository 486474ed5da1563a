"""An audit trail that nobody outside can fill."""

from __future__ import annotations

from collections.abc import Callable

Audit = Callable[[str, str], None]
"""Told (source, what was asked and what came of it)."""


class Sparing:
    """Passes each pair of source and text on once a minute; what is asked for each part must not fill the trail."""

    EVERY_NS = 60_000_000_000
    REMEMBERED = 256

    def __init__(self, audit: Audit, monotonic_ns: Callable[[], int]) -> None:
        self._audit = audit
        self._monotonic_ns = monotonic_ns
        self._said: dict[tuple[str, str], int] = {}

    def __call__(self, source: str, what: str) -> bool:
        """Whether it was passed on."""
        now, key = self._monotonic_ns(), (source, what)
        if now - self._said.get(key, -self.EVERY_NS) < self.EVERY_NS:
            return False
        if len(self._said) >= self.REMEMBERED:
            self._said.clear()
        self._said[key] = now
        self._audit(source, what)
        return True
