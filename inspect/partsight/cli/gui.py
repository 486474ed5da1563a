"""`partsight gui [URL]`: the operator's screen, on this machine or another one than the station's."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from partsight.domain.errors import PartsightError

DEFAULT_URL = "http://127.0.0.1:8787"
NICENESS = 10


class LanguageName(str, Enum):
    """Of the screen."""

    EN = "en"
    DE = "de"
    ZH_CN = "zh_CN"


class Theme(str, Enum):
    """Of the screen."""

    LIGHT = "light"
    DARK = "dark"


def gui(
    url: Annotated[str, typer.Argument(help="The station's address.")] = DEFAULT_URL,
    *,
    kiosk: Annotated[bool, typer.Option("--kiosk", help="Full screen, closed by Ctrl+Q and an engineer only.")] = False,
    language: Annotated[LanguageName | None, typer.Option(help="As it was last time, unless given.")] = None,
    theme: Annotated[Theme | None, typer.Option(help="As it was last time, unless given.")] = None,
    ca: Annotated[
        Path | None, typer.Option(help="The plant's own authority (PEM), for https.", exists=True, dir_okay=False)
    ] = None,
    idle_minutes: Annotated[float, typer.Option(min=0, help="Log out who does nothing for so long; 0 never.")] = 10.0,
) -> None:
    """Show the line, its rejects, reviews, trends, recipe and faults; a client of the station's API."""
    stand_back()
    if find_spec("PySide6") is None:
        raise PartsightError('The screen needs PySide6, which is not installed: pip install "partsight[gui]"')
    try:
        from partsight.gui.app import Asked, run
    except ImportError as error:
        # Qt's wheels need libraries of the system (libEGL, libxkbcommon, ...): the loader names the missing one.
        raise PartsightError(
            f"PySide6 cannot be loaded: {error}. On Debian or Ubuntu: apt install libegl1 libxkbcommon0 libdbus-1-3 "
            "libxcb-cursor0"
        ) from error
    sys.exit(
        run(
            Asked(
                url,
                kiosk=kiosk,
                language=language.value if language else None,
                theme=theme.value if theme else None,
                ca=ca,
                idle_minutes=idle_minutes,
            )
        )
    )


def stand_back() -> None:
    """Where both want a core the station comes first: a screen that loads Qt beside it takes a whole one for seconds.

    Before there are threads, which inherit it. On another machine than the station's nobody sees a difference.
    """
    with suppress(OSError):
        os.nice(NICENESS)
