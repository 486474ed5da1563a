"""What a command does to the station's conduct, and the answer to it."""

from __future__ import annotations

from partsight.domain.challenge import KnownPart
from partsight.domain.messages import (
    Acknowledge,
    Answer,
    Bypass,
    Challenge,
    Command,
    Hold,
    PlcHeartbeat,
    RejectReport,
    Reply,
    Reset,
    Start,
    Stop,
)
from partsight.domain.reasons import Reason
from partsight.domain.status import StationState
from partsight.station.conduct import Conduct, Wanted

DONE = Reply(Answer.DONE)


def obey(conduct: Conduct, command: Command) -> Reply:
    """Carry out a command that needs neither camera nor recipe."""
    if isinstance(command, PlcHeartbeat):
        conduct.plc_is_alive()
        return DONE
    if isinstance(command, Acknowledge):
        if conduct.acknowledged(command.id):
            return DONE
        return Reply(Answer.INVALID, f"id {command.id} is not one of the verdicts that wait to be acknowledged")
    if isinstance(command, RejectReport):
        return _reject_report(conduct, command)
    if isinstance(command, Start):
        return _start(conduct)
    if isinstance(command, Stop):
        conduct.want(Wanted.HALT)
        return DONE
    if isinstance(command, Hold):
        return _hold(conduct)
    if isinstance(command, Reset):
        conduct.reset()
        return DONE
    if isinstance(command, Challenge):
        parts = tuple(KnownPart(f"part {n}", bad) for n, bad in enumerate(command.bad, 1))
        refusal = conduct.begin_challenge(parts, command.source, "", guided=False)
        return Reply(Answer.NOT_NOW, refusal) if refusal else DONE
    if isinstance(command, Bypass):
        if conduct.bypass(command.on):
            return DONE
        return Reply(Answer.NOT_NOW, "a challenge test is under way: abort it first")
    return Reply(Answer.UNKNOWN, f"{type(command).__name__} is not a command of the station")


def _start(conduct: Conduct) -> Reply:
    if conduct.posture.state is StationState.ERROR:
        return Reply(Answer.NOT_NOW, "a fault waits for acknowledgement: send reset first")
    conduct.want(Wanted.RUN)
    return DONE


def _hold(conduct: Conduct) -> Reply:
    state = conduct.posture.state
    if state not in (StationState.RUNNING, StationState.SUSPENDED, StationState.READY, StationState.HELD):
        return Reply(Answer.NOT_NOW, f"the station is {state.value}")
    conduct.want(Wanted.HOLD)
    return DONE


def _reject_report(conduct: Conduct, report: RejectReport) -> Reply:
    """A reject that the sensor did not see may be a bad part on its way to the customer."""
    if report.commanded and not report.confirmed:
        text = f"the reject of part {report.id} was not confirmed"
        conduct.stop_line(Reason.REJECT_UNCONFIRMED, text, "find the part, check ejector and sensor, then acknowledge")
    return DONE
