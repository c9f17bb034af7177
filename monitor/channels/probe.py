"""The canary's walk through a mail path: all stages, timed, with the evidence; it never raises."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypedDict

from monitor.channels.path import Diagnose, Finding, Path, Retry
from monitor.channels.session import CONNECT_S, REPLY_S, Session
from monitor.errors import DeliveryError, RemoteError
from monitor.model import CanaryResult, Probe

__all__ = ["Diagnose", "Finding", "Path", "Session", "run_probe"]


class _Outcome(TypedDict):
    result: CanaryResult
    cause: str
    evidence: str
    retry: Retry


def run_probe(
    path: Path,
    *,
    token: Callable[[], str] | None,
    message: Callable[[], bytes] | None,
    rcpt_to: str,
    diagnose: Diagnose,
    now: Callable[[], datetime],
    mail_from: str | None = None,
    tenant: str = "",
    message_id: str | None = None,
    number: int = 0,
    attempt: int = 1,
    connect_s: float = CONNECT_S,
    reply_s: float = REPLY_S,
) -> Probe:
    """Send one test mail, and say how far it came. An AUTH that succeeds proves nothing yet.

    Args:
        path: where to and as whom.
        token: gives a fresh access token; a cached one would hide a dead secret for an hour.
        message: writes the mail once there is a token; without it the walk ends after RCPT.
        rcpt_to: the canary's recipient.
        diagnose: names the cause behind a reply.
        now: the current instant, aware UTC.
        mail_from: the envelope's sender, if it is not the mailbox.
        tenant, message_id, number, attempt: whose probe and which one it is, for the record.
        connect_s, reply_s: seconds for a connection to come about, and for each whole reply.

    Returns:
        The evidence; `result` is `ok` only after the server accepted the last step.
    """
    started_at = now()
    with Session(
        path, token=token, diagnose=diagnose, connect_s=connect_s, reply_s=reply_s
    ) as session:
        outcome = _walk(session, mail_from or path.mailbox, rcpt_to, message)
        finished_at = now()
    return Probe(
        tenant=tenant,
        mailbox=path.mailbox,
        started_at=started_at,
        finished_at=finished_at,
        stage=session.stage,
        timings=tuple(session.timings),
        message_id=message_id,
        number=number,
        attempt=attempt,
        **outcome,
    )


def _walk(
    session: Session, mail_from: str, rcpt_to: str, message: Callable[[], bytes] | None
) -> _Outcome:
    opened = _tried(session, session.open)
    if not isinstance(opened, str):
        return opened
    if message is None:
        named = _tried(session, lambda: session.rehearse(mail_from, rcpt_to))
        return named if not isinstance(named, str) else _accepted(session.timings[-1].reply)
    written = message()  # a fault in our own words is not the path's: it is raised
    sent = _tried(session, lambda: session.send(mail_from, rcpt_to, written))
    if not isinstance(sent, str):
        return sent
    return _accepted(sent)


def _accepted(reply: str) -> _Outcome:
    return _Outcome(result=CanaryResult.OK, cause="ok", evidence=reply, retry="never")


def _tried(session: Session, step: Callable[[], str | None]) -> _Outcome | str:
    """The reply to a step, or the failure that it ended in."""
    try:
        return step() or ""
    except DeliveryError as error:
        return _failure(error.cause, error.evidence or error.message, error.retry)
    except RemoteError as error:
        retry: Retry = "after_fix" if error.permanent else "later"
        return _failure(error.cause, error.evidence or error.message, retry)
    except Exception as error:
        # The last resort: one broken sender must not stop the probes of the others. Only the
        # type is told, since nobody knows what the text of an unforeseen error holds.
        evidence = f"unforeseen {type(error).__name__} at {session.stage}"
        return _failure("unknown", evidence, "later")


def _failure(cause: str, evidence: str, retry: Retry) -> _Outcome:
    return _Outcome(result=CanaryResult.FAILED, cause=cause, evidence=evidence, retry=retry)
