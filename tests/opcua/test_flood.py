"""Clients that ask without end: the line does not feel them."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, ua

from partsight.outputs.opcua import OpcUaOutput, OpcUaSettings
from partsight.outputs.opcua.guard import CONNECTIONS_PER_S
from partsight.outputs.opcua.output import QUEUE

FLOOD = """
import asyncio, sys
from asyncua import Client, ua

async def one(url):
    async with Client(url) as client:
        node = client.get_node(ua.NodeId(ua.ObjectIds.Server_ServerStatus))
        print("in", flush=True)
        while True:
            await asyncio.gather(*(node.read_value() for _ in range(20)))

async def main():
    await asyncio.gather(*(one(sys.argv[1]) for _ in range(4)))

asyncio.run(main())
"""


GARBAGE = (b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 64, b"HELF\x08\x00\x00\x00", b"MSGF\xff\xff\xff\x7f")


@pytest.mark.timed
def test_a_flood_of_requests_delays_no_publish_and_loses_no_event(
    observed: Any, wait_until: Any, make_part: Callable[..., Any]
) -> None:
    served = observed
    before = served.output.health().sent
    flood = subprocess.Popen(
        [sys.executable, "-c", FLOOD, served.url], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert flood.stdout is not None
        for _ in range(4):
            assert flood.stdout.readline() == b"in\n"
        took = []
        for number in range(1, 201):
            part = make_part(number)
            began = time.perf_counter_ns()
            served.output.publish(part)
            took.append(time.perf_counter_ns() - began)
            wait_until(lambda n=number: served.output.health().sent - before > n - 20)  # a line's pace, not a burst
        wait_until(lambda: served.output.health().sent - before == 200)
        took.sort()
        assert took[100] < 100_000, f"median {took[100]} ns"
        assert took[190] < 5_000_000, f"95 in 100 under {took[190]} ns"
        assert served.output.health().dropped == 0
        assert flood.poll() is None
    finally:
        flood.kill()
        flood.communicate()


@pytest.mark.timed
def test_connections_without_end_and_garbage_keep_nobody_out_for_long(observed: Any, play: Any, until: Any) -> None:
    served = observed
    address = "127.0.0.1", int(served.url.split(":")[2].split("/")[0])
    held = []
    for number in range(5 * CONNECTIONS_PER_S):
        stranger = socket.create_connection(address, timeout=5)
        stranger.sendall(GARBAGE[number % 4])
        held.append(stranger)
    for stranger in held:
        stranger.close()

    async def comes_in() -> bool:
        try:
            async with Client(served.url, timeout=1) as client:
                return bool(await client.get_namespace_array())
        except (OSError, asyncio.TimeoutError):
            return False

    play(until(comes_in, 20.0))
    assert served.output.health().listening
    assert served.faults == []


@pytest.mark.timed
def test_local_clients_observe_unless_told_otherwise(observed: Any, play: Any, find: Any) -> None:
    async def scenario() -> None:
        async with Client(observed.url, timeout=20) as client:  # the strangers before it may still be waited out
            node = await find(client, "VisionStateMachine")
            with pytest.raises(ua.UaStatusCodeError, match="BadUserAccessDenied"):
                await node.call_method(f"{node.nodeid.NamespaceIndex}:Halt", ua.Variant(0, ua.VariantType.Int32), "")
        assert observed.station.commands == []

    play(scenario())


@pytest.mark.timed
def test_an_address_that_is_taken_is_said_and_stops_nothing(observed: Any, tmp_path: Path, wait_until: Any) -> None:
    port = int(observed.url.split(":")[2].split("/")[0])
    second = OpcUaOutput(OpcUaSettings(port=port), tmp_path, "other")
    second.attach(observed.station)
    second.start()
    wait_until(lambda: "cannot listen" in second.health().problem)
    assert second.stop(5)
    assert observed.output.health().listening


@pytest.mark.timed
def test_a_queue_that_nobody_empties_drops_the_oldest_and_counts(
    tmp_path: Path, station: Any, make_part: Callable[..., Any]
) -> None:
    output = OpcUaOutput(OpcUaSettings(), tmp_path, "s")
    output.attach(station)
    for number in range(1, QUEUE + 101):
        output.publish(make_part(number))
    assert output.health().dropped == 100
    first = output._take()
    assert first is not None
    assert first.trigger.id == 101
