"""Whether a model bundle loads here and answers its golden frames, in words."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import structlog

from partsight.detectors.auto import choose
from partsight.detectors.golden import check_golden
from partsight.models import bundle as bundles


def answer_golden(folder: Path) -> str:
    """Load the bundle with the quickest backend and compare; what was compared, in words.

    Raises BundleError, BackendUnavailable.
    """
    # structlog writes to stdout unless told otherwise, and stdout is the result's alone.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    spec = bundles.load(folder).spec()
    with closing(choose(spec)) as detector:
        compared = check_golden(detector, spec)  # no warming up: nothing is timed
        backend = detector.model.backend
    if not compared.frames:
        return f"loads with {backend}; the bundle has no golden frames to answer"
    return f"loads with {backend}; {compared.frames} golden frames with {compared.boxes} defects answered as recorded"
