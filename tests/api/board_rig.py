"""The wallboard in a real browser: Debian's Chromium without a screen, and what a viewer sees of it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Without a sandbox, which root may not use."""
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--js-flags=--expose-gc"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@dataclass
class Board:
    """One page. errors: of its console and its program; requests: every address that it asked for."""

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def wait(self, condition: str, limit_s: float = 10.0) -> Any:
        """Until this JavaScript is true; its value. Asked from here: the page's own policy forbids `eval`."""
        end = time.monotonic() + limit_s
        while not (value := self.page.evaluate(condition)):
            assert time.monotonic() < end, f"not within {limit_s} s: {condition}"
            time.sleep(0.01)
        return value

    def link(self, state: str, limit_s: float = 10.0) -> None:
        """How the board says that things stand with the station."""
        self.wait(f"document.body.dataset.link === '{state}'", limit_s)

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def seen(self, selector: str) -> bool:
        return self.page.locator(selector).is_visible()

    @property
    def verdict(self) -> tuple[int | None, str]:
        """Sequence and result of the part whose verdict is shown, from one moment."""
        told = self.page.evaluate("({ ...document.getElementById('verdict').dataset })")
        return (int(told["sequence"]) if told["sequence"] else None), told["result"]

    def wait_for_part(self, sequence: int, limit_s: float = 10.0) -> None:
        """Until its verdict is shown."""
        self.wait(f"document.getElementById('verdict').dataset.sequence === '{sequence}'", limit_s)

    def count(self, name: str) -> int:
        """A counter, as it stands there."""
        return int(self.text(f"[data-count={name}] dd").replace(",", ""))

    def pixels(self, camera: str, points: list[tuple[float, float]]) -> list[list[int]]:
        """RGB at these places of the camera's frame (header.width by height of `size`), as they are drawn."""
        found: list[list[int]] = self.page.evaluate(
            """([camera, points]) => {
                const canvas = document.querySelector(`[data-camera=${camera}] canvas`);
                const pen = canvas.getContext("2d");
                return points.map(([x, y]) => {
                    const at = [Math.round(x * canvas.width), Math.round(y * canvas.height)];
                    return [...pen.getImageData(...at, 1, 1).data.slice(0, 3)];
                });
            }""",
            [camera, points],
        )
        return found

    def cut_off(self) -> list[str]:
        """What does not fit: texts that are wider than their place, and elements outside the window."""
        found: list[str] = self.page.evaluate(
            """() => {
                const bad = [];
                const shown = (e) => e.offsetParent !== null && e.getBoundingClientRect().height > 0;
                const watched = document.querySelectorAll(
                    "h1, .chip, #clock, .banner, #verdict, #verdict strong, .reason, .part, #history li, dt, dd," +
                    "#faults h2, #faults p, figure",
                );
                for (const e of watched) {
                    if (!shown(e)) continue;
                    const name = `${e.id || e.className || e.tagName} "${e.textContent.trim().slice(0, 40)}"`;
                    const box = e.getBoundingClientRect();
                    if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0) bad.push(`too wide: ${name}`);
                    const over = box.right > innerWidth + 1 || box.bottom > innerHeight + 1;
                    if (box.left < -1 || box.top < -1 || over) bad.push(`outside: ${name}`);
                }
                const word = document.querySelector("#verdict strong").getBoundingClientRect();
                const card = document.getElementById("verdict").getBoundingClientRect();
                if (word.right > card.right || word.left < card.left || word.bottom > card.bottom) bad.push("verdict");
                return bad;
            }"""
        )
        return found

    def word_height(self) -> float:
        """Of the verdict's word, as a share of the window's shorter side."""
        share: float = self.page.evaluate(
            "parseFloat(getComputedStyle(document.querySelector('#verdict strong')).fontSize)"
            " / Math.min(innerWidth, innerHeight)"
        )
        return share

    def memory(self) -> tuple[int, int, int]:
        """Bytes of its heap, nodes and listeners, after the garbage is gone."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("Performance.enable")
        for _ in range(3):
            session.send("HeapProfiler.collectGarbage")
        told = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        session.detach()
        return int(told["JSHeapUsedSize"]), int(told["Nodes"]), int(told["JSEventListeners"])

    def strangers(self) -> list[str]:
        """Addresses that are not the station's."""
        own = urlsplit(self.page.url).netloc
        return [url for url in self.requests if urlsplit(url).scheme != "blob" and urlsplit(url).netloc != own]


@contextmanager
def open_board(
    browser: Browser, url: str, *, lang: str = "en", size: tuple[int, int] = (1920, 1080), locale: str = "en-GB"
) -> Iterator[Board]:
    """The page of the station at this address."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale=locale)
    page = context.new_page()
    board = Board(page)
    page.on("console", lambda message: board.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: board.errors.append(str(error)))
    page.on("request", lambda request: board.requests.append(request.url))
    page.on("websocket", lambda opened: board.requests.append(opened.url))
    page.goto(f"{url}/?lang={lang}")
    try:
        yield board
    finally:
        context.close()


class Cable:
    """A way to the station that can be cut: all that goes through it breaks off at once."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._door = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self.port: int = self._door.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._door.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._door.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            with self._lock:
                self._pairs.append((near, far))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=_carry, args=(one, other), daemon=True).start()


def _carry(one: socket.socket, other: socket.socket) -> None:
    """Closes the end that it reads from; the way back closes the other."""
    with one:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
