"""The WebSocket as its clients see it: events with numbers, pictures at their own pace, and what bad ones get."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api.conftest import CALLED, Served, Staffed, Stream
from tests.api.rig import RUN, Rig, open_rig
from websockets.exceptions import ConnectionClosed

from partsight.api.people import Author, People
from partsight.domain.frame import Grab, PixelFormat
from partsight.wire.screen.people import Role

MANY = 200
KEPT = 5000


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """An API whose daemon is the test."""
    with open_rig(tmp_path_factory.mktemp("rig")) as opened:
        yield opened


def closed(stream: Stream, limit_s: float = 10.0) -> tuple[int, list[dict[str, Any]]]:
    """The code with which the server closes, and the problems that it named before."""
    problems = []
    while True:
        try:
            told = stream.text(limit_s=limit_s)
        except ConnectionClosed as ended:
            return (ended.rcvd.code if ended.rcvd is not None else 1006), problems
        if told["type"] == "problem":
            problems.append(told)


def grab(value: int = 0, width: int = 640, height: int = 480) -> Grab:
    return Grab(np.full((height, width), value, np.uint8), PixelFormat.MONO8)


# --- events -----------------------------------------------------------------------------------------


def test_each_part_is_told_with_the_verdict_of_its_record(station: Staffed) -> None:
    with station.stream(Role.VIEWER) as stream:
        first = stream.event("finished")
        second = stream.event("finished")
    assert second["n"] > first["n"]
    with station.http(Role.VIEWER) as client:
        record = client.get(f"/api/v1/records/{first['data']['sequence']}").json()
    assert record["result"] == first["data"]["result"]
    assert record["uid"] == first["data"]["uid"]


def test_who_comes_back_gets_what_was_missed(rig: Rig) -> None:
    with rig.door.stream() as stream:
        rig.event(what=1)
        had = stream.event()
    rig.event(what=2)
    rig.event(what=3)
    with rig.door.stream(after=had["n"], run=stream.welcome["run"]) as stream:
        missed = [stream.event() for _ in range(2)]
        assert [event["data"]["what"] for event in missed] == [2, 3]
        assert [event["n"] for event in missed] == [had["n"] + 1, had["n"] + 2]
        stream.say({"type": "events", "after": had["n"]})
        assert [stream.event()["data"]["what"] for _ in range(2)] == [2, 3]


def test_what_is_gone_is_a_gap(tmp_path: Path) -> None:
    """rule_6: events that are no longer kept, or that the daemon could not send, are named by their numbers."""
    with open_rig(tmp_path) as rig:
        for n in range(KEPT + 100):
            rig.event(what=n + 1)
        rig.event("dropped", count=7)
        rig.event(what="last")
        rig.status(why="all told")
        with rig.door.http() as client:
            while client.get("/api/v1/status").json()["why"] != "all told":
                pass
        with rig.door.stream(after=10, run=RUN) as stream:
            gap = stream.text("gap")
            first = stream.event()
            assert (gap["first"], gap["last"]) == (11, first["n"] - 1)
            assert first["n"] == first["data"]["what"]
            numbers = [first["n"], *(stream.event()["n"] for _ in range(KEPT - 3))]
            assert numbers == list(range(first["n"], KEPT + 101))
            gap = stream.text("gap")
            assert (gap["first"], gap["last"]) == (KEPT + 101, KEPT + 107)
            last = stream.event()
            assert (last["n"], last["data"]) == (KEPT + 108, {"what": "last"})


def test_events_of_another_run_are_a_gap(rig: Rig) -> None:
    """After a restart of the API numbers begin anew; nobody may take one for another."""
    with rig.door.stream(after=3, run="an older run") as stream:
        gap = stream.text()
        assert gap["type"] == "gap"
        assert gap["last"] == stream.welcome["last"]
        rig.event(what="now")
        assert stream.event()["data"] == {"what": "now"}


def test_a_status_is_told_at_once(rig: Rig) -> None:
    with rig.door.stream() as stream:
        rig.status(why="because")
        assert stream.text("status", 1.0)["status"]["why"] == "because"


# --- pictures ---------------------------------------------------------------------------------------


def test_a_picture_has_the_size_that_was_asked_for_and_its_parts_boxes(rig: Rig) -> None:
    with rig.door.stream() as stream:
        stream.say({"type": "previews", "cameras": ["top"], "width": 320, "rate": 30, "quality": 90})
        rig.wished({"top": 30.0})
        rig.show("top", grab(200), sequence=7, result="NG")
        header, jpeg = stream.picture()
        assert (header.camera, header.sequence, header.result.value) == ("top", 7, "NG")
        assert (header.width, header.height) == (640, 480)
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (240, 320, 3)
        assert np.abs(image.astype(int) - 200).max() <= 2
    rig.wished({})  # the daemon copies no frame that nobody watches


@pytest.mark.parametrize("form", list(PixelFormat))
def test_every_pixel_format_is_shown(rig: Rig, form: PixelFormat) -> None:
    """Of a colour that each of them can show: grey of 12 bit where there are 16."""
    depth = 12 if form is PixelFormat.MONO16 else 8
    shape = (48, 64, 3) if form.channels == 3 else (48, 64)
    pixels = np.full(shape, 100 << (depth - 8), form.dtype)
    with rig.door.stream() as stream:
        stream.say({"type": "previews", "cameras": ["*"], "rate": 30})
        rig.wished({"top": 30.0, "side": 30.0})
        rig.show("side", Grab(pixels, form, depth))
        while (picture := stream.picture())[0].camera != "side":
            pass
        image = cv2.imdecode(np.frombuffer(picture[1], np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (48, 64, 3), "it is never made larger"
        assert np.abs(image.astype(int) - 100).max() <= 3


def test_each_client_has_its_own_rate(rig: Rig) -> None:
    """And the daemon is asked for the fastest; who is slow is shown the newest when his time comes."""
    with rig.door.stream() as slow, rig.door.stream() as fast:
        slow.say({"type": "previews", "cameras": ["top"], "rate": 1, "width": 64})
        rig.wished({"top": 1.0})
        fast.say({"type": "previews", "cameras": ["top"], "rate": 30, "width": 64})
        rig.wished({"top": 30.0})
        for number in range(100, 110):
            rig.show("top", grab(0), sequence=number)
            while fast.picture()[0].sequence != number:
                pass
        while (header := slow.picture()[0]).sequence != 109:
            assert header.sequence is None or header.sequence < 102, "pictures within one period"
        assert header.dropped == 0, "what a client did not ask for is not dropped"


def test_pictures_of_a_real_camera(station: Staffed) -> None:
    with station.stream(Role.VIEWER) as stream:
        stream.say({"type": "previews", "cameras": ["*"], "width": 160, "rate": 10})
        header, jpeg = stream.picture()
        assert (header.camera, header.width, header.height) == ("top", 320, 240)
        assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (120, 160, 3)
        part = stream.picture()[0]
        assert part.sequence is not None
        assert part.result is not None


# --- bad and slow clients ---------------------------------------------------------------------------


def never_reads(door: Any, watch: str) -> socket.socket:
    """A client that is let in, asks for large pictures, and reads no more. Its buffers are small."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", door.port))
    raw.sendall(
        f"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += raw.recv(1)
    for text in ('{"type":"hello"}', watch):
        mask, body = b"abcd", text.encode()
        length = bytes([0x80 | len(body)]) if len(body) < 126 else bytes([0xFE]) + len(body).to_bytes(2, "big")
        raw.sendall(b"\x81" + length + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(body)))
    return raw


def test_who_does_not_read_gets_no_pictures_and_delays_nobody(tmp_path: Path, wait_until: Callable[..., Any]) -> None:
    """He is cut off in the end, and the memory does not grow meanwhile. rule_6: what he did not get is counted."""
    noise = np.random.default_rng(1).integers(0, 255, (720, 1280, 3), np.uint8)
    watch = json.dumps({"type": "previews", "cameras": ["top"], "width": 1280, "rate": 30, "quality": 95})
    with open_rig(tmp_path) as rig, rig.door.stream() as reads, ExitStack() as stack:
        memory = psutil.Process(rig.process.pid).memory_info
        deaf = [stack.enter_context(never_reads(rig.door, watch)) for _ in range(10)]
        reads.say({"type": "previews", "cameras": ["top"], "width": 320, "rate": 30})
        full = 0

        def show(number: int) -> None:
            rig.show("top", Grab(noise, PixelFormat.BGR8), sequence=number)
            while reads.picture(5.0)[0].sequence != number:
                pass

        for number in range(60):
            show(number)
            full = max(full, memory().rss)
        for number in range(60, 110):  # 54 MB, were they kept
            show(number)
        assert memory().rss < full + (32 << 20)
        with rig.door.http() as client:

            def clients() -> int:
                text = client.get("/metrics").text
                return int(float(text.split("\npartsight_api_stream_clients ")[1].split()[0]))

            assert client.get("/api/v1/status").json()["counters"]["previews_dropped"] > 0
            wait_until(lambda: clients() == 1, 45, "those who do not read are cut off")
        assert len(deaf) == 10


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ({"type": "previews", "cameras": ["*"]}, 4400),
        ("no object", 4400),
        ({"type": "hello", "token": 1}, 4400),
        ({"type": "hello", "extra": 1}, 4400),
        ({"type": "hello", "token": "x" * 3000}, 4400),
        ({"type": "hello", "token": "no.such.token"}, 4401),
    ],
)
def test_who_does_not_say_hello_properly_is_not_let_in(rig: Rig, first: Any, code: int) -> None:
    with rig.door.socket() as opened:
        stream = Stream(opened)
        stream.say(first)
        assert closed(stream)[0] == code


def test_who_says_nothing_is_not_let_in(rig: Rig) -> None:
    with rig.door.socket() as opened:
        assert closed(Stream(opened))[0] == 4408


BAD = [
    '{"type":"hello"}',
    "{",
    "[]",
    "",
    '{"type":"unheard of"}',
    '{"type":"previews","cameras":["nowhere"]}',
    '{"type":"previews","cameras":["*"],"rate":0}',
    '{"type":"previews","cameras":["*"],"rate":1e999}',
    '{"type":"previews","cameras":["*"],"width":100000}',
    '{"type":"events","after":999999999}',
    '{"type":"events","after":-1}',
    b"\x00\x01",
    '{"type":"events","after":"' + "9" * 5000 + '"}',
    "[" * 4000,
]


@pytest.mark.parametrize("bad", BAD)
def test_the_third_bad_message_ends_a_connection(rig: Rig, bad: str | bytes) -> None:
    with rig.door.stream() as stream:
        for _ in range(2):
            stream.socket.send(bad)
            problem = stream.text("problem")
            assert problem["status"] == 400
            assert len(problem["text"]) < 500
        stream.say({"type": "events", "after": 0})
        stream.socket.send(bad)
        code, problems = closed(stream)
        assert (code, len(problems)) == (4400, 1)


def test_a_flood_of_messages_ends_a_connection(rig: Rig) -> None:
    with rig.door.stream() as stream:
        with suppress(ConnectionClosed):
            for _ in range(1000):
                stream.say({"type": "events", "after": 0})
        assert closed(stream)[0] == 4400


def test_a_message_that_is_far_too_long_is_not_even_read(rig: Rig) -> None:
    with rig.door.stream() as stream:
        with suppress(ConnectionClosed):
            stream.socket.send("x" * (1 << 20))
        assert closed(stream)[0] in (1006, 1009)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
messages = st.one_of(
    json_values.map(json.dumps),
    st.text(max_size=100),
    st.binary(max_size=100),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["hello", "previews", "events"])},
        optional={
            "cameras": st.lists(st.sampled_from(["top", "side", "*", "x", ""]), max_size=20) | json_values,
            "width": st.integers(-(2**70), 2**70),
            "rate": st.floats(),
            "quality": st.integers(),
            "after": st.integers() | json_values,
            "token": st.text(max_size=50),
            "run": st.text(max_size=80),
        },
    ).map(json.dumps),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(said=st.lists(messages, min_size=1, max_size=6), hello=st.booleans())
def test_no_messages_break_it(rig: Rig, said: list[str | bytes], hello: bool) -> None:
    """Each is obeyed, or answered with a problem, or ends this connection; never an error of the server (1011)."""
    with rig.door.socket() as opened:
        stream = Stream(opened)
        try:
            if hello:
                stream.say({"type": "hello"})
            for message in said:
                opened.send(message)
            opened.close()
        except ConnectionClosed:
            pass
        ended = opened.protocol.close_rcvd
        assert ended is None or ended.code in (1000, 4400, 4401), ended
    assert rig.process.poll() is None
    with rig.door.stream() as stream:
        assert stream.welcome["run"] == RUN


def test_two_hundred_clients_at_once(rig: Rig) -> None:
    """Each hears of an event, and sees a picture that was encoded once."""
    with ExitStack() as stack:
        streams = [stack.enter_context(rig.door.stream()) for _ in range(MANY)]
        for stream in streams:
            stream.say({"type": "previews", "cameras": ["top"], "rate": 30, "width": 320})
        with rig.door.http() as client:
            before = _encoded(client)
            rig.event(what="for all")
            for stream in streams:
                assert stream.event()["data"] == {"what": "for all"}
            rig.show("top", grab(10), sequence=4711)
            for stream in streams:
                while stream.picture()[0].sequence != 4711:
                    pass
            # One for this picture, and one for the picture that lay there when they came.
            assert _encoded(client) - before <= 2


def _encoded(client: Any) -> float:
    return float(client.get("/metrics").text.split("\npartsight_api_pictures_encoded_total ")[1].split()[0])


# --- rights -----------------------------------------------------------------------------------------


def test_without_a_login_nobody_sees_where_there_are_users(station: Staffed) -> None:
    with station.served.socket() as opened:
        stream = Stream(opened)
        stream.say({"type": "hello"})
        code, problems = closed(stream)
        assert (code, problems[0]["status"]) == (4401, 401)


def test_a_token_that_expires_ends_the_stream(tmp_path: Path, serving: Callable[..., Any]) -> None:
    with serving(tmp_path, api="idle_minutes = 0.05", trigger=CALLED) as served:
        served.add_user("root", Role.ADMINISTRATOR)
        token = served.add_user("eve", Role.VIEWER)
        with served.stream(token) as stream:
            assert stream.welcome["user"] == "eve"
            code, problems = closed(stream, 15)
        assert (code, problems[0]["status"]) == (4401, 401)


def test_a_user_who_is_removed_sees_nothing_more(station: Staffed) -> None:
    served: Served = station.served
    token = served.add_user("leaver", Role.VIEWER)
    with served.stream(token) as stream:
        People(served.data).remove("leaver", Author("test", "test"))
        assert closed(stream, 15)[0] == 4401


def test_a_page_of_another_site_is_not_let_in(rig: Rig) -> None:
    """Browsers let any page open WebSockets to this machine, and say in Origin whose page it is."""
    from websockets.exceptions import InvalidStatus

    with pytest.raises(InvalidStatus) as refused, rig.door.socket(origin="https://elsewhere.example"):
        pass
    assert refused.value.response.status_code == 403


# --- the daemon -------------------------------------------------------------------------------------


@pytest.mark.timed
def test_rule_5_screens_that_hang_leave_the_line_alone(tmp_path: Path, serving: Callable[..., Any]) -> None:
    """Ten clients that watch and never read, and a stopped API: every part is still judged in its time."""
    watch = json.dumps({"type": "previews", "cameras": ["*"], "rate": 30, "width": 320})
    with serving(tmp_path, trigger='kind = "timer"\nperiod_ms = 20') as served, ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(never_reads(served, watch))
        children = psutil.Process(served.run.process.pid).children()
        api = next(child for child in children if "partsight.api" in child.cmdline())
        api.send_signal(signal.SIGSTOP)
        came = len(served.run.verdicts)
        assert served.run.wait_for_verdicts(came + 100)
        api.send_signal(signal.SIGCONT)
        assert served.run.terminate() == 0, served.run.told
    summary = served.run.summary
    assert summary["triggers"] == sum(summary["verdicts"].values())
    assert {line["verdict"] for line in served.run.verdicts[came:]} & {"OK"}
    assert not [line for line in served.run.verdicts if line["verdict_ms"] > 1000]


def test_the_stream_ends_with_the_daemon(tmp_path: Path, serving: Callable[..., Any]) -> None:
    """A screen knows at once that nobody judges."""
    with serving(tmp_path, trigger=CALLED) as served, served.stream() as stream:
        served.run.process.kill()
        before = datetime.now(timezone.utc)
        closed(stream)
        assert datetime.now(timezone.utc) - before < timedelta(seconds=2)
