"""Log lines: JSON for a journal, readable on a terminal; always on stderr, so that stdout is for results."""

from __future__ import annotations

import atexit
import logging
import sys

import structlog

from partsight.cli.lines import LineWriter


def set_up_logs(*, verbose: bool = False, quiet: bool = False) -> None:
    """quiet: warnings and worse only. verbose: everything."""
    former = structlog.get_config()["logger_factory"]
    if isinstance(former, _Loggers):
        former.end()
    level = logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO
    terminal = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            *([] if terminal else [structlog.processors.format_exc_info]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Loggers(LineWriter(sys.stderr, "stderr", 2)),
        cache_logger_on_first_use=False,
    )


class _Loggers:
    """structlog asks it for a logger; each call of one is a line. What was said last is written before the end."""

    def __init__(self, lines: LineWriter) -> None:
        self._lines = lines
        self._logger = _LineLogger(lines)
        atexit.register(lines.flush)

    def end(self) -> None:
        """Write what waits and give the stream back."""
        atexit.unregister(self._lines.flush)
        self._lines.finish()

    def __call__(self, *_: object) -> _LineLogger:
        return self._logger


class _LineLogger:
    """All levels are lines of the same stream."""

    def __init__(self, lines: LineWriter) -> None:
        self.msg = self.debug = self.info = self.warning = self.error = self.critical = lines.put
        self.log = self.fatal = self.exception = self.warn = lines.put
