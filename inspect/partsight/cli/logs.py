"""Log lines: JSON for a journal, readable on a terminal; always on stderr, so that stdout is for results."""

from __future__ import annotations

import logging
import sys

import structlog


def set_up_logs(*, verbose: bool = False, quiet: bool = False) -> None:
    """quiet: warnings and worse only. verbose: everything."""
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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
