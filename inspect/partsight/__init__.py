"""partsight: every part on a production line, judged by camera."""

__version__ = "0.1.0"
