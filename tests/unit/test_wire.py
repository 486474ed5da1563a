"""What goes over the wire: verdicts fit, records come back whole, commands are read strictly, documents are fresh."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partsight import wire
from partsight.cli.schema import documents
from partsight.domain import messages as domain
from partsight.domain.detections import Detections, ModelRef
from partsight.domain.inspection import Inspection, Timings
from partsight.domain.messages import Answer, Reply
from partsight.domain.reasons import Reason, defect_code
from partsight.domain.status import Counters, Mode, StationState, StationStatus
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.verdict import Action, Finding, RecipeRef, Result, Verdict
from partsight.domain.views import View
from partsight.wire.documents import asyncapi, json_schemas
from partsight.wire.examples import examples

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 11, 24, 2, 0, 0, 123_456, tzinfo=timezone.utc)
MODEL = ModelRef("pcb", "a" * 64, "onnx", "float32")
RECIPE = RecipeRef("pcb", 14, "b" * 64)
HEAD: dict[str, Any] = {"v": 1, "rid": "r-1", "client": "mes"}

# Lone surrogates too: a broken reader of part ids may hand them in.
anything = st.text(max_size=300)
int64 = st.integers(-(2**63), 2**63 - 1)


def make_inspection(result: Result = Result.OK, code: int = 0, **changes: Any) -> Inspection:
    trigger = Trigger(7, 48213, 173, TriggerKind.CALL, AT, 1_000_000, 301_900_000, "SN123", 1203344)
    findings = () if result is Result.OK else (Finding(code, "why", "top", 0.91234, (1, 2, 3.456, 4), "class"),)
    action = Action.PASS if result is Result.OK else Action.REJECT
    plain = Inspection(
        uid=UUID(int=5),
        trigger=replace(trigger, **{k: changes.pop(k) for k in list(changes) if k in Trigger.__dataclass_fields__}),
        verdict=Verdict(result, action, findings, RECIPE),
        views=(View("top", Detections.none(("open", "short"), MODEL)),),
        timings=Timings(frame_ms=8.12345, verdict_ms=52.6),
        model=MODEL,
    )
    return replace(plain, **changes)


def make_status(**changes: Any) -> StationStatus:
    plain = StationStatus(
        name="press2",
        epoch=173,
        state=StationState.RUNNING,
        ready=True,
        mode=Mode.PRODUCTION,
        since=AT,
        last_id=48213,
        counters=Counters(triggers=3, ok=2, ng=1, by_reason={1001: 1}),
        faults=(),
        cameras=(),
        recipe="pcb@14",
        recipe_id=14,
        model="pcb aaaaaaaaaaaa",
        backend="onnx",
        deadline_ms=300.0,
    )
    return replace(plain, **changes)


# --- verdicts ---------------------------------------------------------------------------------------


def test_a_verdict_is_as_the_contract_writes_it() -> None:
    sent = wire.verdict_message(make_inspection(Result.NG, 12)).to_bytes()
    assert sent == (
        b'{"v":1,"e":173,"id":48213,"p":"SN123","r":2,"a":1,"c":12,"enc":1203344,"t":1795485600123,"dl":1795485600423}'
    )


@pytest.mark.parametrize(
    ("result", "r", "a"), [(Result.OK, 1, 0), (Result.NG, 2, 1), (Result.REVIEW, 3, 1), (Result.INVALID, 3, 1)]
)
@pytest.mark.parametrize("mode", list(Mode))
def test_rule_2_only_ok_passes_but_in_bypass_all_do(result: Result, r: int, a: int, mode: Mode) -> None:
    """The result that is sent stays the true one."""
    sent = wire.verdict_message(make_inspection(result, 12, mode=mode))
    assert (sent.r, sent.a) == (r, 0 if mode is Mode.BYPASS else a)


def test_hold_is_sent_as_hold() -> None:
    verdict = Verdict(Result.REVIEW, Action.HOLD, (Finding(Reason.DOUBT, "doubt"),), RECIPE)
    assert wire.verdict_message(make_inspection(verdict=verdict)).a == 2


def test_a_trigger_without_encoder_sends_0() -> None:
    assert wire.verdict_message(make_inspection(encoder=None)).enc == 0


@given(
    part=anything,
    id_=st.integers(1, 65535),
    epoch=st.integers(0, 2**63 - 1),
    encoder=st.none() | int64,
    code=st.integers(1, 2**31),
    deadline=st.integers(0, 2**63 - 1),
    at=st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(timezone.utc)),  # noqa: DTZ001
)
def test_a_verdict_of_any_part_has_at_most_200_bytes(
    *, part: str, id_: int, epoch: int, encoder: int | None, code: int, deadline: int, at: datetime
) -> None:
    inspection = make_inspection(
        Result.NG, code, part_id=part, id=id_, epoch=epoch, encoder=encoder, at=at, at_ns=0, deadline_ns=deadline
    )
    message = wire.verdict_message(inspection)
    sent = message.to_bytes()
    assert len(sent) <= wire.MAX_VERDICT_BYTES
    assert wire.VerdictMessage.parse(sent) == message
    assert list(json.loads(sent)) == ["v", "e", "id", "p", "r", "a", "c", "enc", "t", "dl"]
    whole = part.encode("utf-8", "replace").decode()
    assert whole.startswith(message.p)
    # Cut only where the next character would not fit.
    if message.p != whole:
        longer = json.dumps(whole[len(message.p)], ensure_ascii=False)
        assert len(sent) + max(6, len(longer.encode())) > wire.MAX_VERDICT_BYTES


def test_a_reject_leaves_even_with_a_number_out_of_its_range() -> None:
    sent = json.loads(wire.verdict_message(make_inspection(Result.INVALID, 200, id=0, epoch=-1)).to_bytes())
    assert (sent["id"], sent["a"]) == (0, 1)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"v": 2}, "v"),
        ({"v": True}, "v"),
        ({"a": 0.0}, "a"),
        ({"a": 3}, "a"),
        ({"a": "0"}, "a"),
        ({"a": False}, "a"),
        ({"a": None}, "a"),
        ({"id": 0}, "id"),
        ({"id": 65536}, "id"),
    ],
)
def test_a_receiver_refuses_a_verdict_that_is_none(change: dict[str, Any], named: str) -> None:
    good = json.loads(wire.verdict_message(make_inspection()).to_bytes())
    with pytest.raises(wire.WireError, match=rf"^{named}\b"):
        wire.VerdictMessage.parse(json.dumps(good | change).encode())
    del good["a"]
    with pytest.raises(wire.WireError, match="a: Field required"):
        wire.VerdictMessage.parse(json.dumps(good).encode())


@given(st.binary(max_size=300))
def test_garbage_raises_wire_error_and_nothing_else(payload: bytes) -> None:
    for read in (wire.VerdictMessage.parse, wire.PlcTrigger.parse, wire.PlcAck.parse, wire.record_of):
        with pytest.raises(wire.WireError):
            read(payload)


def test_readers_ignore_what_they_do_not_know() -> None:
    sent = json.loads(wire.verdict_message(make_inspection()).to_bytes()) | {"new": [1]}
    assert wire.VerdictMessage.parse(json.dumps(sent).encode()).id == 48213


# --- state ------------------------------------------------------------------------------------------


def test_state_count_recipe_and_heartbeat_say_what_the_status_says() -> None:
    status = make_status(ready=False, state=StationState.ERROR, error=100, error_text="camera", line_stop=True)
    state = json.loads(wire.state_message(status).to_bytes())
    assert state == {
        "v": 1,
        "e": 173,
        "st": "ERROR",
        "packml": 9,
        "packml_name": "ABORTED",
        "ready": 0,
        "err": 100,
        "err_txt": "camera",
        "recipe": "pcb@14",
        "model": "pcb aaaaaaaaaaaa",
        "mode": "PRODUCTION",
        "since": "2026-11-24T02:00:00.123Z",
        "line_stop_req": 1,
    }
    count = wire.count_message(status)
    assert (count.triggers, count.ok, count.ng, count.by_reason) == (3, 2, 1, {1001: 1})
    assert wire.Count.parse(count.to_bytes()) == count
    assert wire.heartbeat(status, 9, AT).to_bytes() == (
        b'{"e":173,"n":9,"rdy":0,"packml":9,"id":48213,"t":1795485600123}'
    )
    assert wire.recipe_message(status).recipe_id == 14
    assert wire.conn_message(173, online=False, time=AT).to_bytes() == (
        b'{"v":1,"online":false,"e":173,"t":1795485600123}'
    )


@pytest.mark.parametrize("event", [domain.Latched, domain.Exposed, lambda t: domain.Missed(t, "not ready")])
def test_trigger_acknowledgements(event: Any) -> None:
    told = event(make_inspection().trigger)
    sent = wire.trigger_ack(told)
    assert (sent.e, sent.id, sent.st) == (173, 48213, type(told).__name__.lower())
    assert wire.TriggerAck.parse(sent.to_bytes()) == sent


# --- records ----------------------------------------------------------------------------------------


def test_a_result_has_every_key_of_the_contract() -> None:
    inspection = make_inspection(Result.NG, defect_code(1), images=("images/7.png",), mode=Mode.CHALLENGE)
    context = wire.LineContext("B77", "4711", "ntp")
    sent = json.loads(wire.result_record(inspection, station="press2", seq=9, context=context).to_bytes())
    expected = "schema station epoch seq id uid part batch order recipe model verdict action reasons defects times"
    assert {*expected.split(), "images", "plc", "simulated", "challenge", "clock"} <= set(sent)
    assert sent["schema"] == "vi.result/1"
    assert (sent["batch"], sent["order"], sent["clock"], sent["challenge"]) == ("B77", "4711", "ntp", True)
    assert sent["recipe"] == {"name": "pcb", "rev": 14, "sha256": "b" * 64}
    assert sent["reasons"] == [{"code": 1001, "text": "why"}]
    assert sent["defects"] == [
        {"class": "short", "code": 1001, "camera": "top", "score": 0.9123, "box_px": [1, 2, 3.46, 4], "rule": "class"}
    ]
    assert sent["times"]["trigger"] == "2026-11-24T02:00:00.123Z"
    assert sent["times"]["deadline_ms"] == 300.9
    assert sent["images"] == [{"sha256": None, "uri": "images/7.png"}]
    assert sent["plc"] == {"acked": None, "reject_confirmed": None}


@given(
    part=anything,
    text=anything,
    numbers=st.tuples(int64, int64, int64),
    real=st.none() | st.floats(),
    late=st.none() | st.sampled_from(Result),
    mode=st.sampled_from(Mode),
)
def test_a_result_comes_back_whole(
    *, part: str, text: str, numbers: tuple[int, int, int], real: float | None, late: Result | None, mode: Mode
) -> None:
    """Whatever the records can hold, the stream can; a NaN is no number and goes out as null."""
    box = None if real is None else (real, 0.0, 1.0, 2.0)
    inspection = make_inspection(
        part_id=part,
        epoch=numbers[0],
        id=numbers[1],
        verdict=Verdict(Result.NG, Action.REJECT, (Finding(1001, text, text, real, box, text),), RECIPE),
        timings=Timings(real, real, real, real, real, real),
        late=late,
        mode=mode,
    )
    record = wire.result_record(inspection, station="s", seq=3, supersedes=2)
    assert wire.ResultRecord.parse(record.to_bytes()) == record
    assert wire.record_of(record.to_bytes()) == record
    assert record.supersedes == 2


def test_bypass_is_recorded_as_the_line_was_told() -> None:
    record = wire.result_record(make_inspection(Result.NG, 1001, mode=Mode.BYPASS), station="s", seq=1)
    assert (record.verdict, record.action, record.mode) == (Result.NG, "PASS", Mode.BYPASS)


def test_events_come_back_and_refuse_what_is_no_json() -> None:
    record = wire.event_record("fault.raised", {"key": "disk", "n": [1, None]}, station="s", epoch=1, seq=4, at=AT)
    assert wire.record_of(record.to_bytes()) == record
    with pytest.raises(wire.WireError, match=r"fault\.raised"):
        wire.event_record("fault.raised", {"key": object()}, station="s", epoch=1, seq=4, at=AT)


# --- commands ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "more", "expected"),
    [
        ("start", {}, domain.Start("me")),
        ("stop", {}, domain.Stop("me")),
        ("hold", {}, domain.Hold("me")),
        ("reset", {}, domain.Reset("me")),
        ("recipe", {"name": "pcb@14"}, domain.SelectRecipe("me", "pcb@14")),
        ("recipe", {"id": 14}, domain.SelectRecipe("me", id=14)),
        ("trigger", {"p": "SN1", "id": 5, "enc": -3}, domain.TriggerPart("me", "SN1", 5, -3)),
        ("challenge", {"bad": [True, False]}, domain.Challenge("me", (True, False))),
        ("replay", {"from": 3, "to": 9}, None),
        ("sync", {}, None),
        ("time", {"t": 1}, None),
    ],
)
def test_commands_become_the_stations(name: str, more: dict[str, Any], expected: Any) -> None:
    parsed = wire.parse_command(name, json.dumps(HEAD | more).encode())
    assert not isinstance(parsed, wire.CommandError)
    assert (parsed.rid, parsed.client, parsed.NAME) == ("r-1", "mes", name)
    assert wire.domain_command(parsed, "me") == expected


@pytest.mark.parametrize(
    ("name", "payload", "said", "answered"),
    [
        ("bypass", HEAD, "no command 'bypass'", True),
        ("start", HEAD | {"v": 2}, "v: ", True),
        ("start", HEAD | {"v": True}, "v: ", True),
        ("start", {"v": 1, "client": "mes"}, "rid: Field required", True),
        ("start", HEAD | {"rid": "r" * 65}, "rid: ", True),
        ("start", HEAD | {"client": "a/b"}, "client: ", False),
        ("start", HEAD | {"client": "#"}, "client: ", False),
        ("start", HEAD | {"now": True}, "now: Extra inputs", True),
        ("recipe", HEAD, "either name or id", True),
        ("recipe", HEAD | {"name": "a", "id": 1}, "either name or id", True),
        ("recipe", HEAD | {"id": "1"}, "id: ", True),
        ("trigger", HEAD | {"id": 65536}, "id: ", True),
        ("trigger", HEAD | {"p": "x" * 129}, "p: ", True),
        ("trigger", HEAD | {"enc": 1.5}, "enc: ", True),
        ("challenge", HEAD | {"bad": []}, "bad: ", True),
        ("challenge", HEAD | {"bad": [1]}, "bad.0: ", True),
        ("replay", HEAD | {"from": 9, "to": 3}, "to must be", True),
        ("replay", HEAD | {"from": 1, "to": 5_000_000}, "to must be", True),
        ("start", [1, 2], "payload: ", False),
        ("start", HEAD | {"p": "x" * 5000}, "at most", False),
    ],
)
def test_a_bad_command_is_refused_with_its_reason(name: str, payload: Any, said: str, answered: bool) -> None:
    error = wire.parse_command(name, json.dumps(payload).encode())
    assert isinstance(error, wire.CommandError)
    assert error.code is (Answer.UNKNOWN if name == "bypass" else Answer.INVALID)
    assert said in error.text
    assert (error.client is not None) is answered
    if answered:
        told = error.response()
        assert (told.rid, told.ok, told.msg) == ("" if "rid: " in said else "r-1", False, error.text)


def test_a_key_that_stands_twice_has_no_meaning() -> None:
    error = wire.parse_command("trigger", b'{"v":1,"rid":"r-1","client":"mes","id":1,"id":2}')
    assert isinstance(error, wire.CommandError)
    assert "id: stands more than once" in error.text


@pytest.mark.parametrize("payload", [b"", b"null", b"\xff\xfe", b"[" * 4000, b'{"v":' * 600, b"9" * 4000, b"{} {}"])
def test_garbage_is_no_command(payload: bytes) -> None:
    error = wire.parse_command("start", payload)
    assert isinstance(error, wire.CommandError)
    assert error.code is Answer.INVALID
    assert 0 < len(error.text) <= 300


@given(st.sampled_from(sorted(wire.COMMANDS)), st.binary(max_size=200))
def test_parse_command_never_raises(name: str, payload: bytes) -> None:
    assert isinstance(wire.parse_command(name, payload), wire.CommandError)


def test_a_reply_becomes_the_response() -> None:
    sent = json.loads(wire.response("r-1", Reply(Answer.NOT_NOW, "held", {"id": 3})).to_bytes())
    assert sent == {"rid": "r-1", "ok": False, "code": 1, "msg": "held", "data": {"id": 3}}
    with pytest.raises(wire.WireError, match="r-1"):
        wire.response("r-1", Reply(Answer.DONE, data={"at": AT}))


# --- the line ---------------------------------------------------------------------------------------


def test_what_the_plc_says() -> None:
    assert wire.PlcTrigger.parse(b'{"id":48213,"p":"SN123","enc":5,"t":1,"more":2}').p == "SN123"
    assert wire.PlcReject.parse(b'{"id":1,"cmd":1,"conf":0}').conf == 0
    assert wire.PlcState.parse(b'{"speed_mm_s":250,"batch":"B77"}').speed_mm_s == 250
    for read, payload in (
        (wire.PlcTrigger.parse, b'{"id":0}'),
        (wire.PlcTrigger.parse, b'{"id":"5"}'),
        (wire.PlcAck.parse, b"5"),
        (wire.PlcReject.parse, b'{"id":1,"cmd":2,"conf":0}'),
        (wire.PlcState.parse, b'{"speed_mm_s":-1}'),
    ):
        with pytest.raises(wire.WireError):
            read(payload)


@pytest.mark.parametrize(("payload", "seq"), [(b"0", 0), (b" 912334\n", 912334), (b"9223372036854775807", 2**63 - 1)])
def test_acknowledgements(payload: bytes, seq: int) -> None:
    assert wire.parse_consumer_ack(payload) == seq


@pytest.mark.parametrize("payload", [b"", b"-1", b"1.0", b"1e3", b"9223372036854775808", b"1" * 5000, "٣".encode()])
def test_no_acknowledgements(payload: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.parse_consumer_ack(payload)


# --- documents --------------------------------------------------------------------------------------


def test_no_topic_is_the_parent_of_another() -> None:
    leaves = [t.leaf for t in wire.TOPICS]
    assert len(set(leaves)) == len(leaves)
    assert not [(a, b) for a in leaves for b in leaves if b.startswith(a + "/")]
    wire.check_prefix("site/area/line/station/vi")
    for bad in ("", "a//b", "a/+/b", "a b", "/a", "ä", "x" * 65):
        with pytest.raises(wire.WireError):
            wire.check_prefix(bad)


def test_every_payload_has_a_schema_and_an_example_that_the_types_read() -> None:
    schemas, shown = json_schemas(), examples()
    assert set(schemas) == set(shown)
    for topic in wire.TOPICS:
        if topic.payload is not None:
            name = re.sub(r"/\{\w+\}", "", topic.leaf).replace("/", "-")
            assert topic.payload.parse(json.dumps(shown[name]).encode())
            assert set(shown[name]) <= set(schemas[name]["properties"])
    for name in wire.COMMANDS:
        parsed = wire.parse_command(name, json.dumps(shown[f"cmd-{name}"]).encode())
        assert not isinstance(parsed, wire.CommandError), parsed


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi("a/b/vi")
    assert document["channels"]["verdict"]["address"] == "a/b/vi/verdict"
    assert len(document["operations"]) == len(wire.TOPICS)
    references = re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document))
    assert len(references) > 40
    for reference in references:
        found: Any = document
        for step in reference.split("/"):
            found = found[step]


def test_the_published_documents_are_up_to_date() -> None:
    """`partsight mqtt schema --out docs/mqtt` writes them."""
    wanted = documents()
    folder = ROOT / "docs" / "mqtt"
    there = {p.relative_to(folder).as_posix(): p.read_text("utf-8") for p in folder.rglob("*.json")}
    assert there == wanted


def test_times_are_rounded_down_to_the_millisecond() -> None:
    assert wire.epoch_ms(AT) == 1795485600123
    east = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert wire.rfc3339(east) == "2026-11-24T02:00:00.123Z"
