"""Engines on disk: found by a key of all they depend on, loaded only where this device signed for every byte.

    store = EngineStore(settings.engines)                       the state folder's `engines`
    identity = identify(options, facts, trt.__version__)    options: `BuildOptions`, as they were built with
    engine = store.ready(identity)                              BackendUnavailable says why not, and the cure

`engine.plan` are the bytes that were checked; nobody opens the file again. `store.verified(folder, identity)` reads a
candidate that is not active yet in the same way.
"""

from partsight.detectors.tensorrt.engines.files import EngineRefused
from partsight.detectors.tensorrt.engines.key import Identity, identify
from partsight.detectors.tensorrt.engines.record import EngineMeta, Latency
from partsight.detectors.tensorrt.engines.store import Engine, EngineStore

ENGINES = "engines"
"""The store's folder below a station's data folder."""

__all__ = [
    "ENGINES",
    "Engine",
    "EngineMeta",
    "EngineRefused",
    "EngineStore",
    "Identity",
    "Latency",
    "identify",
]
