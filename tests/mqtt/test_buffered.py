"""The socket under paho: the same bytes in the same order, whatever is collected, however little the kernel takes."""

from __future__ import annotations

import select
import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partsight.outputs.mqtt.buffered import BufferedSocket

Steps = st.lists(st.one_of(st.just("hold"), st.just("release"), st.binary(min_size=1, max_size=5000)), max_size=30)


@settings(max_examples=60, deadline=None)
@given(Steps, st.integers(1, 200))
def test_what_is_written_arrives_whole_and_in_order(steps: list[str | bytes], at_once: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        wire, sent = BufferedSocket(ours), b""
        for step in steps:
            if step == "hold":
                wire.hold()
            elif step == "release":
                wire.release()
            elif isinstance(step, bytes):
                sent += step[: wire.send(step)]
        wire.release()
        assert not wire.blocked
        theirs.setblocking(True)
        back = BufferedSocket(theirs)
        came = b""
        while len(came) < len(sent):
            came += back.recv(at_once)
        assert came == sent
        assert back.pending() == 0


def test_a_kernel_that_takes_no_more_keeps_what_was_collected() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        wire = BufferedSocket(ours)
        wire.hold()
        whole = bytes(range(256)) * 8192
        assert wire.send(whole) == len(whole)
        assert not wire.blocked, "what is being collected is no reason to stop collecting"
        wire.release()
        assert wire.blocked
        with pytest.raises(BlockingIOError):
            wire.send(b"it must not overtake what waits")
        came = bytearray()

        def read() -> None:
            while len(came) < len(whole):
                came.extend(theirs.recv(65536))

        reader = threading.Thread(target=read)
        reader.start()
        while wire.blocked:
            assert select.select([], [wire], [], 5.0)[1], "the reader reads, so there must be room"
            wire.flush()
        reader.join(5)
        assert bytes(came) == whole


def test_a_peer_that_is_gone_is_said_not_swallowed() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        wire = BufferedSocket(ours)
        wire.hold()
        wire.send(b"records")
        theirs.close()
        with pytest.raises(BrokenPipeError):
            wire.release()
