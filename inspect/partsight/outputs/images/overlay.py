"""The picture a person looks at: the frame with its boxes, under a banner that says the verdict.

Readable at a glance and without colour: the verdict is a word and a shape (circle OK, octagon NG, triangle
REVIEW, diamond INVALID), on colours that colour-blind people can tell apart (Okabe and Ito, 2008). The
banner lies above the image and covers nothing of it; boxes are coloured by severity, with the class and
score on a plate; what the model saw but the recipe let pass is a thin grey box.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from partsight.domain.detections import Detections
from partsight.domain.frame import Frame, PixelFormat
from partsight.domain.inspection import Inspection
from partsight.domain.verdict import Finding, Result

Bgr = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

MAX_SIDE = 1600
MIN_SIDE = 640

_WHITE, _BLACK, _GREY, _INK = (255, 255, 255), (0, 0, 0), (150, 150, 150), (34, 30, 28)
RESULT_COLOURS: dict[Result, Colour] = {
    Result.OK: (115, 158, 0),
    Result.NG: (20, 50, 205),
    Result.REVIEW: (0, 159, 230),
    Result.INVALID: (150, 80, 130),
}
_SEVERITY_COLOURS: dict[str, Colour] = {"critical": (20, 20, 190), "major": (0, 94, 213), "minor": (0, 159, 230)}
_SHAPE_SIDES = {Result.OK: 0, Result.NG: 8, Result.REVIEW: 3, Result.INVALID: 4}
_SIGNS = {Result.OK: "", Result.NG: "X", Result.REVIEW: "?", Result.INVALID: "!"}
_BAYER = {
    PixelFormat.BAYER_RG8: cv2.COLOR_BayerRGGB2BGR,
    PixelFormat.BAYER_GB8: cv2.COLOR_BayerGBRG2BGR,
    PixelFormat.BAYER_GR8: cv2.COLOR_BayerGRBG2BGR,
    PixelFormat.BAYER_BG8: cv2.COLOR_BayerBGGR2BGR,
}
_FONT = cv2.FONT_HERSHEY_DUPLEX


def draw_overlay(inspection: Inspection, frame: Frame) -> Bgr:
    """(h, w, 3) uint8 BGR: the banner above the frame, which is scaled to 640 to 1600 pixels on its long side."""
    image = to_bgr8(frame)
    long_side = max(image.shape[:2])
    scale = min(1.0, MAX_SIDE / long_side) if long_side > MIN_SIDE else MIN_SIDE / long_side
    if scale != 1.0:
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        # Few pixels stay squares that can be counted; many are averaged.
        image = _bgr(cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST))
    # A very slim frame gets margins, so that the banner has room for its words.
    if image.shape[1] < MIN_SIDE:
        side = (MIN_SIDE - image.shape[1]) // 2
        image = _bgr(cv2.copyMakeBorder(image, 0, 0, side, side, cv2.BORDER_CONSTANT, value=_INK))
    else:
        side = 0
    findings = [f for f in inspection.verdict.findings if f.box is not None and f.camera in ("", frame.camera)]
    view = next((v for v in inspection.views if v.camera == frame.camera), None)
    if view is not None and view.detections is not None:
        _draw_passed(image, view.detections, findings, scale, side)
    # All boxes first, so that none crosses a plate; the heaviest finding comes last and lies on top.
    for draw in (_draw_box, _draw_plate):
        for finding in reversed(findings):
            draw(image, finding, inspection.verdict.result, scale, side)
    return _bgr(np.vstack([_banner(inspection, frame, image.shape[1]), image]))


def encode_overlay(image: Bgr, quality: int) -> bytes:
    """JPEG at a quality of 1 to 100."""
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()


def to_bgr8(frame: Frame) -> Bgr:
    """A copy of the frame's pixels for eyes: (h, w, 3) uint8."""
    form, pixels = frame.grab.format, frame.pixels
    if form is PixelFormat.BGR8:
        return _bgr(pixels.copy())
    if form in _BAYER:
        return _bgr(cv2.cvtColor(pixels, _BAYER[form]))
    if form is PixelFormat.MONO16:
        pixels = (pixels >> max(0, frame.grab.bit_depth - 8)).clip(0, 255).astype(np.uint8)
    return _bgr(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR))


def _bgr(image: npt.NDArray[Any]) -> Bgr:
    # cv2's stubs say only that it is an array; every call here gives uint8.
    return np.ascontiguousarray(image, dtype=np.uint8)


def _ascii(text: str) -> str:
    """cv2's fonts know ASCII only: letters lose their accents, the rest becomes '?'."""
    text = text.replace("\N{LATIN SMALL LETTER SHARP S}", "ss").replace("…", "...").replace("–", "-")
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in plain)


def _place(box: tuple[float, float, float, float], scale: float, side: int) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = (round(v * scale) for v in box)
    return x1 + side, y1, x2 + side, y2


def _draw_passed(image: Bgr, found: Detections, findings: list[Finding], scale: float, side: int) -> None:
    taken = {tuple(round(v) for v in f.box) for f in findings if f.box is not None}
    for box in found.boxes.tolist():
        if tuple(round(v) for v in box) not in taken:
            x1, y1, x2, y2 = _place(box, scale, side)
            cv2.rectangle(image, (x1, y1), (x2, y2), _GREY, 1)


def _colour(finding: Finding, result: Result) -> Colour:
    return _SEVERITY_COLOURS.get(finding.severity, RESULT_COLOURS[result])


def _draw_box(image: Bgr, finding: Finding, result: Result, scale: float, side: int) -> None:
    assert finding.box is not None
    x1, y1, x2, y2 = _place(finding.box, scale, side)
    # A little outside, so that the defect itself stays in sight; white around it for any ground.
    corners = (x1 - 4, y1 - 4), (x2 + 4, y2 + 4)
    cv2.rectangle(image, *corners, _WHITE, 4, cv2.LINE_AA)
    cv2.rectangle(image, *corners, _colour(finding, result), 2, cv2.LINE_AA)


def _draw_plate(image: Bgr, finding: Finding, result: Result, scale: float, side: int) -> None:
    assert finding.box is not None
    x1, y1, _, y2 = _place(finding.box, scale, side)
    text = _ascii(finding.text)
    score = f"{finding.score:.2f}" if finding.score is not None else ""
    _plate(image, text if score in text else f"{text} {score}", (x1 - 5, y1 - 6), y2 + 5, _colour(finding, result))


def _plate(image: Bgr, text: str, corner: tuple[int, int], below: int, colour: Colour) -> None:
    """Text on a plate above the corner; under the box, at `below`, where there is no room above."""
    size = 0.5
    (width, height), under = cv2.getTextSize(text, _FONT, size, 1)
    height += under + 5
    x = max(0, min(corner[0], image.shape[1] - width - 8))
    top = corner[1] - height if corner[1] >= height else min(below, image.shape[0] - height)
    cv2.rectangle(image, (x, top), (x + width + 8, top + height), colour, cv2.FILLED)
    ink = _WHITE if _luminance(colour) < 128 else _BLACK
    cv2.putText(image, text, (x + 4, top + height - under), _FONT, size, ink, 1, cv2.LINE_AA)


def _luminance(colour: Colour) -> float:
    blue, green, red = colour
    return 0.114 * blue + 0.587 * green + 0.299 * red


def _banner(inspection: Inspection, frame: Frame, width: int) -> Bgr:
    """The verdict as shape and word, its reason, and which part this is."""
    height = max(72, min(110, width // 10))
    verdict, trigger = inspection.verdict, inspection.trigger
    colour = RESULT_COLOURS[verdict.result]
    ink = _WHITE if _luminance(colour) < 140 else _BLACK
    banner = np.full((height, width, 3), _INK, np.uint8)
    word_size = height / 50
    (word_width, word_height), _ = cv2.getTextSize(verdict.result.value, _FONT, word_size, 2)
    if word_width > width / 5:
        word_size *= width / 5 / word_width
        (word_width, word_height), _ = cv2.getTextSize(verdict.result.value, _FONT, word_size, 2)
    field_width = height + word_width + height // 4
    cv2.rectangle(banner, (0, 0), (field_width, height), colour, cv2.FILLED)
    _shape(banner, verdict.result, (height // 2, height // 2), height * 0.34, ink)
    base = (height + word_height) // 2
    cv2.putText(banner, verdict.result.value, (height, base), _FONT, word_size, ink, 2, cv2.LINE_AA)
    left, room = field_width + height // 5, width - field_width - height // 5 - 8
    _line(banner, _reasons(inspection), (left, round(height * 0.42)), room, height / 105)
    ours = f"part {trigger.part_id}  #{trigger.sequence}" if trigger.part_id else f"part #{trigger.sequence}"
    when = f"{trigger.at:%Y-%m-%d %H:%M:%S} UTC"
    note = "  SIMULATED" if inspection.simulated else ""
    _line(
        banner,
        f"{ours}{note}  {frame.camera}  {when}",
        (left, round(height * 0.78)),
        room,
        height / 150,
        colour=(205,) * 3,
    )
    return banner


def _reasons(inspection: Inspection) -> str:
    """What spoke against the part, the heaviest first, each text once with its number."""
    counts = Counter(f.text for f in inspection.verdict.findings)
    if not counts:
        return "nothing found against it"
    return ", ".join(f"{text} x{count}" if count > 1 else text for text, count in counts.items())


def _line(
    banner: Bgr, text: str, at: tuple[int, int], room: int, size: float, *, colour: tuple[int, ...] = _WHITE
) -> None:
    """One line of text, smaller where it is long, and cut where it would be too small to read."""
    text = _ascii(text)
    width = cv2.getTextSize(text, _FONT, size, 1)[0][0]
    size *= max(0.6, min(1.0, room / max(1, width)))
    while len(text) > 4 and cv2.getTextSize(text, _FONT, size, 1)[0][0] > room:
        text = text[:-4] + "..."
    cv2.putText(banner, text, at, _FONT, size, colour, 1, cv2.LINE_AA)


def _shape(banner: Bgr, result: Result, centre: tuple[int, int], radius: float, ink: Colour) -> None:
    """Circle with a tick, octagon with a cross, triangle with a question mark, diamond with an exclamation mark."""
    ground = RESULT_COLOURS[result]
    sides = _SHAPE_SIDES[result]
    x, y = centre
    if not sides:
        cv2.circle(banner, centre, round(radius), ink, cv2.FILLED, cv2.LINE_AA)
        tick = np.array(
            [[x - radius * 0.5, y], [x - radius * 0.1, y + radius * 0.4], [x + radius * 0.5, y - radius * 0.4]]
        )
        cv2.polylines(banner, [tick.round().astype(np.int32)], False, ground, max(2, round(radius / 6)), cv2.LINE_AA)
        return
    turn = np.pi / 8 if sides == 8 else -np.pi / 2
    radius *= 1.2 if sides < 8 else 1.08
    angles = turn + np.arange(sides) * 2 * np.pi / sides
    corners = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], 1)
    cv2.fillPoly(banner, [corners.round().astype(np.int32)], ink, cv2.LINE_AA)
    size, sign = radius / 22, _SIGNS[result]
    (width, height), _ = cv2.getTextSize(sign, _FONT, size, 2)
    base = y + height // 2 + (round(radius * 0.12) if sides == 3 else 0)
    cv2.putText(banner, sign, (x - width // 2, base), _FONT, size, ground, 2, cv2.LINE_AA)
