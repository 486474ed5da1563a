"""`import tensorrt` in processes that a test starts: the version that PRETEND_TENSORRT names takes its place."""

import os
import sys

from tests.gpu.pretend.tensorrt.module import load

sys.modules[__name__] = load(os.environ["PRETEND_TENSORRT"])
