"""HTTP requests of the screen: asked in a few worker threads, answered in the window's thread."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError
from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QImage

from partsight.gui.pictures import decoded
from partsight.wire.screen.message import Problem

ROOT = "/api/v1"
THREADS = 4
CONNECT_S = 2.0
Body = BaseModel | Mapping[str, Any] | None
Params = Mapping[str, str | int | float | bool | None] | None


class Refusal(Exception):
    """Why a request brought nothing. status: of HTTP, 0 where no answer came at all. text: for a person."""

    def __init__(self, status: int, text: str, mistakes: tuple[str, ...] = ()) -> None:
        super().__init__(status, text, mistakes)
        self.status, self.text, self.mistakes = status, text, mistakes

    def __str__(self) -> str:
        return "\n".join((self.text, *self.mistakes))


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: what is asked, and the type of the answer (None: nothing is read; bytes: as it comes)."""

    method: str
    path: str
    answer: Any = None
    body: Body = None
    params: Params = None
    timeout_s: float = 5.0


@dataclass(slots=True, eq=False)
class Call:
    """A request under way. `cancel()`: neither `then` nor `failed` is called any more."""

    future: Future[Any] | None = None
    cancelled: bool = field(default=False)

    def cancel(self) -> None:
        """At any time, from the window's thread."""
        self.cancelled = True
        if self.future is not None:
            self.future.cancel()


def trust(ca: Path | None) -> ssl.SSLContext:
    """Whom to believe: the system's authorities and, where given, the plant's own. Raises OSError, ssl.SSLError."""
    context = ssl.create_default_context()
    if ca is not None:
        context.load_verify_locations(cafile=str(ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Http:
    """The connection to the API; every method may be called from any thread."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        # No proxy of the environment: a station is in the plant's own network.
        self._client = httpx.Client(
            base_url=url, verify=context, trust_env=False, timeout=httpx.Timeout(5.0, connect=CONNECT_S)
        )
        self._pool = ThreadPoolExecutor(THREADS, "screen-call")
        self.token = ""

    def ask(self, asked: Asked) -> Any:
        """The answer, checked by its type. Raises Refusal. Blocks: not for the window's thread."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        content = _encoded(asked.body)
        if content is not None:
            headers["Content-Type"] = "application/json"
        params = {k: v for k, v in (asked.params or {}).items() if v is not None}
        try:
            answer = self._client.request(
                asked.method, _url(asked.path), content=content, params=params, headers=headers, timeout=asked.timeout_s
            )
        except httpx.TimeoutException as error:
            raise Refusal(
                0, QCoreApplication.translate("calls", "The station did not answer in time. Try again.")
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, RuntimeError) as error:
            # RuntimeError: the client was closed while this request waited for its thread.
            text = QCoreApplication.translate("calls", "The station cannot be reached: {why}")
            raise Refusal(0, text.format(why=error)) from error
        return _read(answer, asked.answer)

    def submit(self, asked: Asked, call: Call, done: Callable[[Any, Refusal | None], None]) -> None:
        """Ask in a worker thread; `done` is called there with the answer, or with why there is none."""

        def run() -> None:
            if call.cancelled:
                return
            try:
                result, refusal = self.ask(asked), None
            except Refusal as error:
                result, refusal = None, error
            done(result, refusal)

        try:
            call.future = self._pool.submit(run)
        except RuntimeError:
            # Closed: the screen ends, and a timer of a page was quicker. Nobody waits for an answer any more.
            call.cancelled = True

    def close(self) -> None:
        """What still waits is dropped; what is under way ends by its time-out at the latest."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()


def _url(path: str) -> str:
    return path if path.startswith("/api/") else f"{ROOT}/{path.lstrip('/')}"


def _encoded(body: Body) -> bytes | None:
    if body is None:
        return None
    data = body.model_dump(exclude_unset=True) if isinstance(body, BaseModel) else dict(body)
    return json.dumps(data, default=_plain).encode()


def _plain(value: object) -> object:
    """Secrets are written out here and nowhere else."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_unset=True)
    raise TypeError(f"cannot be sent: {type(value).__name__}")


@lru_cache(maxsize=64)
def _adapter(answer: Any) -> TypeAdapter[Any]:
    return TypeAdapter(answer)


def _read(answer: httpx.Response, wanted: Any) -> Any:
    if answer.is_error:
        raise _refusal(answer)
    if wanted is None:
        return None
    if wanted is bytes:
        return answer.content
    if wanted is QImage:
        return _decoded(answer)
    try:
        return _adapter(wanted).validate_json(answer.content)
    except ValidationError as error:
        text = QCoreApplication.translate(
            "calls", "The station's answer is not known to this screen. Use the screen of the station's version."
        )
        raise Refusal(
            answer.status_code,
            f"{text} ({answer.request.url.path})",
            tuple(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5]),
        ) from error


def _decoded(answer: httpx.Response) -> QImage:
    image = decoded(answer.content)
    if image.isNull():
        text = QCoreApplication.translate("calls", "{path} is no picture that this screen can show.")
        raise Refusal(answer.status_code, text.format(path=answer.request.url.path))
    return image


def _refusal(answer: httpx.Response) -> Refusal:
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        text = QCoreApplication.translate("calls", "The station refused: {status}")
        return Refusal(answer.status_code, text.format(status=f"{answer.status_code} {answer.reason_phrase}"))
    text = f"{problem.title}: {problem.detail}" if answer.status_code >= 500 and problem.detail else problem.detail
    return Refusal(answer.status_code, text or problem.title, problem.mistakes)
