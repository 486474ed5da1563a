"""OpenCV's own lines on stderr, which say what our errors say."""

from __future__ import annotations

import os
from typing import Any

import cv2

SILENT = 0


def silence_opencv() -> None:
    """No line of OpenCV's from now on, unless the environment asks for them (OPENCV_LOG_LEVEL)."""
    if "OPENCV_LOG_LEVEL" in os.environ:
        return
    # JetPack 6's OpenCV 4.8 has the call elsewhere than today's.
    home: Any = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging
    home.setLogLevel(SILENT)
