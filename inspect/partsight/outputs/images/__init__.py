"""Images on disk: originals without loss and overlays for people, within a budget of bytes."""

from partsight.outputs.images.archive import ArchiveHealth, ArchivePolicy, ImageArchive, ImageBook
from partsight.outputs.images.files import read_original
from partsight.outputs.images.overlay import draw_overlay

__all__ = ["ArchiveHealth", "ArchivePolicy", "ImageArchive", "ImageBook", "draw_overlay", "read_original"]
