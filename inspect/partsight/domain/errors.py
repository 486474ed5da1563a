"""Every error that partsight raises on purpose.

    PartsightError
    ├── ConfigError            a mistake in what a site wrote; carries all mistakes at once
    ├── CameraError
    │   ├── CameraUnavailable  cannot be opened (absent, busy, wrong address)
    │   ├── CameraLost         was open, is gone
    │   └── EndOfStream        a finite source has given its last frame
    ├── ImageError             pixels that cannot be judged (unreadable, wrong size); has a reason code
    ├── DetectorError
    │   ├── BackendUnavailable the library or device for this backend is not here
    │   ├── DetectorLost       its device hangs or is gone: this process will get no answer any more
    │   └── BundleError        a model bundle that may not be loaded (hash, outputs, card)
    └── RecordsError
        ├── RecordsUnavailable locked, damaged, or the disk is full
        ├── RecordsTooSlow     a question that would take too long
        ├── UnknownRecord      what was asked for was never recorded, or is gone
        ├── ReviewRefused      what a person said of a part cannot be so; carries all mistakes
        └── FolderInUse        another station works on this data folder

A message says what happened, where (file, key, device) and what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from partsight.domain.reasons import Reason


class PartsightError(Exception):
    """The root: whatever partsight raises on purpose."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a file that a site wrote: where it is and how to cure it."""

    file: str
    key: str
    problem: str
    cure: str = ""

    def __str__(self) -> str:
        place = f"{self.file}: {self.key}" if self.key else self.file
        return f"{place}: {self.problem}" + (f" ({self.cure})" if self.cure else "")


class ConfigError(PartsightError):
    """Holds every mistake that was found, never only the first."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(m) for m in self.mistakes))


class CameraError(PartsightError):
    """A camera did not do what was asked."""


class CameraUnavailable(CameraError):
    """The camera cannot be opened: absent, busy, or at another address."""


class CameraLost(CameraError):
    """The camera was open and is gone."""


class EndOfStream(CameraError):
    """A finite source (a folder, a video file) has given its last frame."""


class ImageError(PartsightError):
    """Pixels that cannot be judged; `reason` becomes the INVALID verdict's reason."""

    def __init__(self, reason: Reason, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class DetectorError(PartsightError):
    """A detector could not be made or did not answer."""


class BackendUnavailable(DetectorError):
    """The library or the device for this backend is not on this machine."""


class DetectorLost(DetectorError):
    """The detector's device hangs or is gone. This process gets no answer any more; a new one may."""


class BundleError(DetectorError):
    """A model bundle that may not be loaded."""


class RecordsError(PartsightError):
    """The records could not be read or written."""


class RecordsUnavailable(RecordsError):
    """The record database is locked, damaged, or its disk is full."""


class RecordsTooSlow(RecordsError):
    """A question to the records would take longer than whoever asks may wait."""


class UnknownRecord(RecordsError):
    """There is no such record, or nothing of it that could be changed."""


class ReviewRefused(RecordsError):
    """What a person said of a part cannot be so; holds every mistake."""

    def __init__(self, text: str, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__(text)


class FolderInUse(RecordsError):
    """Another station works on this data folder."""
