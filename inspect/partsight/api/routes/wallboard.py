"""The wallboard at `/`: a page for a television over the line. Its files hold nothing of the station, so no login."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Response

from partsight.api.guard import Refused

router = APIRouter(tags=["wallboard"])
FOLDER = Path(__file__).resolve().parent.parent / "wallboard"
PAGE = "index.html"
MEDIA = {
    "wallboard.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    **dict.fromkeys(
        ("wallboard.js", "board.js", "login.js", "pictures.js", "stream.js", "words.js"),
        "text/javascript; charset=utf-8",
    ),
}
"""What is served, and nothing else of the folder."""


@router.get(
    "/",
    response_class=Response,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}, "description": "The wallboard"}},
)
async def wallboard() -> Response:
    """A page that shows the station on a television."""
    return Response(_content(PAGE), media_type="text/html; charset=utf-8")


@router.get("/wallboard/{name}", include_in_schema=False)
async def wallboard_file(name: str) -> Response:
    """What the page is made of."""
    if name not in MEDIA:
        raise Refused(404, "the wallboard has no such file")
    return Response(_content(name), media_type=MEDIA[name])


@lru_cache(maxsize=16)
def _content(name: str) -> bytes:
    """They are small, and change with the program only."""
    return (FOLDER / name).read_bytes()
