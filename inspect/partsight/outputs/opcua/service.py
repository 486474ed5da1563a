"""What the server does while it listens: events out, states up to date, methods in."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions

from partsight import __version__
from partsight.domain.errors import ConfigError, Mistake
from partsight.domain.inspection import Inspection
from partsight.domain.messages import Answer, Reply
from partsight.domain.ports import CommandSink
from partsight.domain.status import StationStatus
from partsight.outputs.opcua.certificates import OwnCertificate, own_certificate
from partsight.outputs.opcua.desk import Desk
from partsight.outputs.opcua.events import kind, result_fields
from partsight.outputs.opcua.guard import CALLER, GuardedServer, der_files
from partsight.outputs.opcua.model import Method, Model, build
from partsight.outputs.opcua.settings import OpcUaSettings
from partsight.outputs.opcua.states import vision_states

TICK_S = 0.02
STATUS_S = 0.1
_CAUSED = ("Stop", "Abort", "Halt", "Reset", "ConfirmAll", "SelectModeAutomatic")


class Service:
    """Reads every file at once, so that a mistake is found before anything listens; then `serve`."""

    def __init__(self, settings: OpcUaSettings, folder: Path, station: str, configuration: str, desk: Desk) -> None:
        """Raises ConfigError."""
        self._settings, self._station, self._configuration, self._desk = settings, station, configuration, desk
        self._uri = f"urn:partsight:{station}"
        self._own: OwnCertificate | None = None
        if settings.secured:
            self._own = own_certificate(folder, self._uri, settings.host)
        self._users = _user_certificates(settings)
        if settings.trusted is not None and not (settings.trusted.is_dir() and der_files(settings.trusted)):
            raise ConfigError(
                [Mistake(str(settings.trusted), "opcua.trusted", "is not a folder with .der certificates")]
            )
        self._shown: dict[str, Any] = {}
        self._states: tuple[str, str | None] | None = None

    @property
    def url(self) -> str:
        """Where clients find it."""
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        return f"opc.tcp://{host}:{self._settings.port}/partsight"

    @property
    def until(self) -> datetime | None:
        """When the own certificate runs out."""
        return None if self._own is None else self._own.until

    async def serve(
        self,
        sink: CommandSink,
        take: Callable[[], Inspection | None],
        note: Callable[..., None],
        stopping: threading.Event,
    ) -> None:
        """Until `stopping`. Raises OSError where the address cannot be had."""
        self._shown, self._states = {}, None
        self._try_address()
        server = await self._server()
        model = await build(server, self._methods(sink))
        configuration = kind("ConfigurationIdDataType")(
            Id=self._station,
            Hash=bytes.fromhex(self._configuration) if self._configuration else None,
            HashAlgorithm="SHA-256" if self._configuration else None,
        )
        await self._show(model, sink)
        await server.start()
        try:
            sent, next_status = 0, 0.0
            loop = asyncio.get_running_loop()
            note(listening=True, problem="")
            while not stopping.is_set():
                while (inspection := take()) is not None:
                    await self._announce(server, model, inspection, configuration)
                    sent += 1
                if loop.time() >= next_status:
                    await self._show(model, sink)
                    note(sent=sent, clients=len(server.bserver.clients) if server.bserver else 0)
                    next_status = loop.time() + STATUS_S
                await asyncio.sleep(TICK_S)
        finally:
            await server.stop()

    def _try_address(self) -> None:
        """Fail at once where the address cannot be had, not after the seconds that an address space takes."""
        family, _, _, _, address = socket.getaddrinfo(
            self._settings.host, self._settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As asyncio will do it: connections that linger from our last run are no hindrance.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()

    async def _server(self) -> GuardedServer:
        server = GuardedServer(self._settings, self._users, asyncio.sleep)
        await server.init()
        await server.set_application_uri(self._uri)
        server.set_server_name(f"partsight {self._station}")
        built = datetime.fromtimestamp(Path(__file__).stat().st_mtime, timezone.utc)
        await server.set_build_info("urn:partsight", "partsight", "partsight", __version__, "", built)
        server.set_endpoint(self.url)
        if self._own is not None:
            await server.load_certificate(self._own.certificate)
            await server.load_private_key(self._own.key)
        if self._settings.secured:
            options = CertificateValidatorOptions.TIME_RANGE | CertificateValidatorOptions.PEER_CLIENT
            store = None
            if self._settings.trusted is not None:
                store = TrustStore([self._settings.trusted], [])
                await store.load()
                options |= CertificateValidatorOptions.TRUSTED
            server.iserver.certificate_validator = CertificateValidator(options, store)
        return server

    async def _announce(self, server: GuardedServer, model: Model, inspection: Inspection, configuration: Any) -> None:
        fields = result_fields(inspection, self._desk.job_of(inspection), configuration)
        event = model.result_ready.event
        for name, value in fields.items():
            setattr(event, name, value)
        event.Severity = 100 if fields["ResultEvaluation"] == 1 else 500
        verdict = inspection.verdict
        await model.result_ready.trigger(message=f"part {inspection.trigger.id}: {verdict.result.value} {verdict.code}")
        # The same event, with the same EventId, for those who listen at the Server object.
        event.emitting_node = ua.NodeId(ua.ObjectIds.Server)
        await server.iserver.subscription_service.trigger_event(event)
        event.emitting_node = model.system.nodeid
        self._desk.finished(inspection)

    async def _show(self, model: Model, sink: CommandSink) -> None:
        status = sink.status()
        await self._show_states(model, vision_states(status, single=self._desk.single))
        for name, value in _station_values(status, alive=sink.alive(), last_reply=self._desk.last_reply).items():
            if self._shown.get(name) != value:
                node = model.station[name]
                await node.write_value(ua.Variant(value, await node.read_data_type_as_variant_type()))
                self._shown[name] = value

    async def _show_states(self, model: Model, states: tuple[str, str | None]) -> None:
        if states == self._states:
            return
        outer, inner = states
        await model.outer.write_value(ua.LocalizedText(outer))
        await model.outer_id.write_value(model.state_ids[outer])
        if inner is None:
            # Part 16: the state of a machine whose parent is elsewhere is not bad data, it is not active.
            idle = ua.StatusCode(ua.StatusCodes.BadStateNotActive)
            for node, empty in ((model.automatic, ua.LocalizedText("")), (model.automatic_id, ua.NodeId())):
                await node.write_value(ua.DataValue(ua.Variant(empty), StatusCode=idle))
        else:
            await model.automatic.write_value(ua.LocalizedText(inner))
            await model.automatic_id.write_value(model.state_ids[inner])
        self._states = states

    def _methods(self, sink: CommandSink) -> dict[str, Method]:
        desk = self._desk

        def caused(name: str) -> Method:
            async def call(_parent: ua.NodeId, *_given: ua.Variant) -> list[ua.Variant]:
                return [_error(desk.command(CALLER.get(), name))]

            return call

        def begun(start: Callable[..., tuple[str, Reply]]) -> Method:
            async def call(_parent: ua.NodeId, *given: ua.Variant) -> list[ua.Variant]:
                job, reply = start(CALLER.get(), *(_text(v) for v in (*given, *[None] * 4)[:4]))
                return [_structure("JobIdDataType", job), _error(reply)]

            return call

        async def prepare(_parent: ua.NodeId, *given: ua.Variant) -> list[ua.Variant]:
            reply = desk.prepare(CALLER.get(), _recipe(given))
            active = sink.status().recipe
            return [
                _structure("RecipeIdInternalDataType", active if reply.ok else ""),
                ua.Variant(reply.ok, ua.VariantType.Boolean),
                _error(reply),
            ]

        async def unprepare(_parent: ua.NodeId, *given: ua.Variant) -> list[ua.Variant]:
            reply = desk.unprepare(CALLER.get(), _recipe(given))
            return [_structure("RecipeIdInternalDataType", ""), _error(reply)]

        return {
            **{name: caused(name) for name in _CAUSED},
            "StartSingleJob": begun(desk.start_single),
            "StartContinuous": begun(desk.start_continuous),
            "PrepareRecipe": prepare,
            "UnprepareRecipe": unprepare,
        }


def _station_values(status: StationStatus, *, alive: bool, last_reply: str) -> dict[str, Any]:
    counters = status.counters
    undecided = counters.review + counters.invalid
    return {
        "Ready": status.ready,
        "Alive": alive,
        "PackMLState": status.state.packml,
        "PackMLName": status.state.packml_name,
        "Mode": status.mode.value,
        "ErrorCode": status.error,
        "ErrorText": status.error_text,
        "LineStopRequest": status.line_stop,
        "ChallengeDue": status.challenge_due,
        "Total": counters.ok + counters.ng + undecided,
        "Ok": counters.ok,
        "NotOk": counters.ng,
        "Undecided": undecided,
        "Model": status.model,
        "ActiveRecipe": status.recipe,
        "LastReply": last_reply,
    }


def _text(given: ua.Variant | None) -> str:
    """The `Id` of a structure, or a plain string; "" for null. Anything else is a control character to the desk."""
    value = None if given is None else given.Value
    inner = getattr(value, "Id", value)
    if inner is None:
        return ""
    return inner if isinstance(inner, str) else "\x00"


def _recipe(given: tuple[ua.Variant, ...]) -> str:
    """The external id, or the internal one where that is empty."""
    ids = [_text(v) for v in given[:2]]
    return next((text for text in ids if text), "")


def _structure(name: str, value: str) -> ua.Variant:
    return ua.Variant(kind(name)(Id=value), ua.VariantType.ExtensionObject)


def _error(reply: Reply) -> ua.Variant:
    """0 is done; our own numbers are positive, as the specification leaves them to the server."""
    return ua.Variant(int(reply.code) if reply.code is not Answer.DONE else 0, ua.VariantType.Int32)


def _user_certificates(settings: OpcUaSettings) -> dict[bytes, str]:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    found: dict[bytes, str] = {}
    mistakes = []
    for user in settings.users:
        if user.certificate is None:
            continue
        try:
            data = user.certificate.read_bytes()
            load = x509.load_pem_x509_certificate if data.startswith(b"-----") else x509.load_der_x509_certificate
            found[load(data).public_bytes(Encoding.DER)] = user.name
        except (OSError, ValueError) as problem:
            mistakes.append(Mistake(str(user.certificate), f"opcua.users.{user.name}", f"cannot be read: {problem}"))
    if mistakes:
        raise ConfigError(mistakes)
    return found
