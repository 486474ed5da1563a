"""Carries out what the API asks for, in threads that the fast lane never waits for.

Quick ops run one after the other in the thread that calls `take`; slow ones in two threads with a short queue, so that
a recipe that is being proven does not hold up a stop.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog

from partsight.api.channel import Refusal, ReplyMessage, RequestMessage
from partsight.api.line import ApiLine
from partsight.api.ops import Entry, OpContext, OpRefused, Tell, challenge, commands, people, recipes, reviews
from partsight.domain.errors import ConfigError, RecordsError

log = structlog.get_logger(__name__)

OPS: Mapping[str, Entry] = {**commands.OPS, **people.OPS, **reviews.OPS, **challenge.OPS, **recipes.OPS}
"""All that the API may ask for. A topic's file in `ops/` has its own `OPS`: add it here."""

SLOW_THREADS = 2
SLOW_WAITING = 16

Answer = Callable[[ReplyMessage], None]


class Desk:
    """tell: puts an event among those for the screens. Slow threads run between `start` and `stop`."""

    def __init__(self, line: ApiLine, tell: Tell, ops: Mapping[str, Entry] = OPS) -> None:
        self._line = line
        self._tell = tell
        self._ops = ops
        self._waiting: queue.Queue[tuple[RequestMessage, Entry, Answer] | None] = queue.Queue(SLOW_WAITING)
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._serve, name=f"api-slow-{n}", daemon=True) for n in range(SLOW_THREADS)
        ]

    def start(self) -> None:
        """Begin to take slow ops."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float) -> bool:
        """End after what is being done; False where that takes longer."""
        self._stopping.set()
        for _ in self._threads:
            with suppress(queue.Full):
                self._waiting.put_nowait(None)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(timeout_s)
        return not any(thread.is_alive() for thread in self._threads)

    def take(self, request: RequestMessage, answer: Answer) -> None:
        """Carry a request out, or queue it where it is slow. `answer` is called once, from this or another thread."""
        entry = self._ops.get(request.op)
        if entry is None:
            answer(_refused(request, OpRefused(404, f"this daemon knows no {request.op!r}")))
        elif not entry.slow(request.args):
            answer(self._carried_out(request, entry))
        else:
            try:
                self._waiting.put_nowait((request, entry, answer))
            except queue.Full:
                answer(_refused(request, OpRefused(503, "too much is being done already; ask again in some seconds")))

    def _serve(self) -> None:
        while (job := self._waiting.get()) is not None:
            request, entry, answer = job
            answer(self._carried_out(request, entry))
            if self._stopping.is_set():
                return

    def _carried_out(self, request: RequestMessage, entry: Entry) -> ReplyMessage:
        context = OpContext(self._line, request.who, request.source, self._tell)
        try:
            return ReplyMessage(rid=request.rid, ok=True, data=entry.run(context, dict(request.args)))
        except OpRefused as refused:
            return _refused(request, refused)
        except ConfigError as error:
            return _refused(request, OpRefused(422, "this does not hold", tuple(map(str, error.mistakes))))
        except RecordsError as error:
            return _refused(request, OpRefused(503, f"the records cannot do this now: {error}"))
        except Exception as error:  # the top of one op: whoever asked is told, and the thread goes on
            log.error("an op of the API failed", op=request.op, exc_info=error)
            text = f"{request.op} failed: {type(error).__name__}; see the daemon's log and report it"
            return _refused(request, OpRefused(500, text))


def _refused(request: RequestMessage, refused: OpRefused) -> ReplyMessage:
    error = Refusal(status=refused.status, text=refused.text, mistakes=refused.mistakes)
    return ReplyMessage(rid=request.rid, ok=False, error=error)
