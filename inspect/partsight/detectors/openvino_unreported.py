"""OpenVINO without its reporter.

Its package imports a conversion tool that starts a thread to report its use to its makers. What runs on a line tells
nobody; where the reporter cannot be imported, OpenVINO uses a stub of its own.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None is how an import is forbidden

import openvino as ov  # noqa: E402 - only after the reporter is forbidden
from openvino.preprocess import ColorFormat, PrePostProcessor  # noqa: E402

__all__ = ["ColorFormat", "PrePostProcessor", "ov"]
