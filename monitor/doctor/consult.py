"""Calls the doctor to what has just failed: in time, side by side, and to a dead host only once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic
from types import TracebackType
from typing import Self

from monitor.doctor.checks import Report
from monitor.findings import failed
from monitor.log import get
from monitor.model import Cloud, Examination, Finding, Probe, Side, Tenant
from monitor.senders import OAuthSender

log = get("lapsewatch.doctor")
Look = Callable[[str, Probe | None], Report | None]

# Trouble between here and a host, which all that need the host share.
NETWORK = frozenset(
    {
        "name_not_found", "connect_refused", "connect_timeout", "reply_timeout", "tls_untrusted",
        "tls_intercepted",
    }
)  # fmt: skip
_HOST = ("dns", "tcp", "tls", "greeting", "starttls")  # the last word of a check of a host
SHARED = (
    "Not examined by itself: other things failed at the same host in the same round, and this is "
    "what was found there."
)
TOO_LATE = "The doctor did not come to its end in time."
CRASHED = "The doctor could not examine it; the log says why."


@dataclass(frozen=True, slots=True)
class Failure:
    """What failed.

    Args:
        target: the tenant's name, or "(operator)".
        side: a scan, or a test mail.
        cause: of the failure.
        host: names the servers that it needs; what shares them shares this text.
        probe: the test mail's stages, which the examination then goes by.
    """

    target: str
    side: Side
    cause: str
    host: str
    probe: Probe | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """An examination that was asked for, and until when it is waited for."""

    failure: Failure
    report: Future[Examination]
    ends: float

    def left(self) -> float:
        """How many seconds are left to wait."""
        return max(self.ends - monotonic(), 0)


def of_scan(tenant: Tenant, cloud: Cloud | None, cause: str | None) -> Failure:
    """A scan that failed; it needed the sign-in host and Graph."""
    host = f"{cloud.authority} {cloud.graph}" if cloud else ""
    return Failure(tenant.name, "reading", cause or "unknown", host)


def of_canary(sender: OAuthSender, probe: Probe) -> Failure:
    """A test mail that failed; it needed the sign-in host and the mail host."""
    host = f"{sender.cloud.authority} {sender.host}:{sender.port}"
    return Failure(sender.tenant, "sending", probe.cause, host, probe)


class Consultation:
    """The examinations of one round. Use as a context manager.

    At most `at_once` run side by side, each in a thread. Whoever waits for one waits until
    `seconds` after it was asked for and no longer, so that no examination can hold up a record
    for more than that, and none holds up what has not failed.

    Args:
        look: examines one target, by the stages of its test mail if that failed; None where
            there is nothing to examine. Called in a thread.
        clock: the current instant, aware UTC.
        seconds: for waiting and examining together.
        at_once: examinations side by side.
    """

    def __init__(
        self,
        look: Look,
        *,
        clock: Callable[[], datetime],
        seconds: float,
        at_once: int,
    ) -> None:
        self._examine = look
        self._clock = clock
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="doctor")
        self._lock = threading.Lock()
        self._first: dict[tuple[str, str, str], Future[Examination]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What hangs ends by its own deadlines, and nobody waits for it.
        self._pool.shutdown(wait=False, cancel_futures=True)

    def ask(self, failure: Failure) -> Asked:
        """Ask for an examination; it begins as soon as there is a place."""
        ends = monotonic() + self._seconds
        if failure.cause not in NETWORK:
            return Asked(failure, self._pool.submit(self._look, failure, ends), ends)
        key = (failure.side, failure.cause, failure.host)
        with self._lock:
            first = self._first.get(key)
            if first is None:
                self._first[key] = first = self._pool.submit(self._look, failure, ends)
                return Asked(failure, first, ends)
        return Asked(failure, self._share(first, failure, ends), ends)

    async def wait(self, asked: Asked) -> Examination:
        """The report on a failure; it never raises for trouble of the examination."""
        try:
            # Shielded: others may wait for the same one, and longer.
            report = asyncio.shield(asyncio.wrap_future(asked.report))
            return await asyncio.wait_for(report, asked.left())
        except Exception as error:
            return self._without(asked.failure, error)

    def result(self, asked: Asked) -> Examination:
        """The same for a thread."""
        try:
            return asked.report.result(asked.left())
        except Exception as error:
            return self._without(asked.failure, error)

    def _without(self, failure: Failure, error: BaseException) -> Examination:
        """The alarm goes out as it would without a doctor, and the report says why."""
        late = isinstance(error, TimeoutError | CancelledError)
        log.warning("examination_failed", tenant=failure.target, error=type(error).__name__)
        return Examination(
            failure.target, self._clock(), (failure.side,), note=TOO_LATE if late else CRASHED
        )

    def _share(
        self, first: Future[Examination], failure: Failure, ends: float
    ) -> Future[Examination]:
        """What the first found at the host; where the host was well, an examination after all."""
        mine: Future[Examination] = Future()

        def seen(done: Future[Examination]) -> None:
            try:
                found = self._borrowed(done, failure)
                if found is not None:
                    _settle(mine, found)
                    return
                own = self._pool.submit(self._look, failure, ends)
                own.add_done_callback(lambda over: _pass_on(over, mine))
            except Exception as error:  # the pool is closed, say
                _fail(mine, error)

        first.add_done_callback(seen)
        return mine

    def _borrowed(self, done: Future[Examination], failure: Failure) -> Examination | None:
        if done.cancelled():
            raise TimeoutError
        found = done.result()
        # Nothing else of it may be taken over: it is about another tenant.
        host = tuple(one for one in failed(found, failure.side) if _is_of_host(one))
        if not host:
            return None
        return replace(
            found, target=failure.target, sides=(failure.side,), findings=host, note=SHARED
        )

    def _look(self, failure: Failure, ends: float) -> Examination:
        if monotonic() >= ends:
            raise TimeoutError
        report = self._examine(failure.target, failure.probe)
        return Examination(
            failure.target,
            self._clock(),
            (failure.side,),
            report.findings if report is not None else (),
        )


def _is_of_host(found: Finding) -> bool:
    return found.check.rpartition(".")[2] in _HOST


def _settle(future: Future[Examination], found: Examination) -> None:
    if future.set_running_or_notify_cancel():
        future.set_result(found)


def _fail(future: Future[Examination], error: BaseException) -> None:
    with suppress(Exception):  # cancelled or settled meanwhile
        future.set_exception(error)


def _pass_on(done: Future[Examination], to: Future[Examination]) -> None:
    if done.cancelled():
        _fail(to, TimeoutError())
    elif (error := done.exception()) is not None:
        _fail(to, error)
    else:
        _settle(to, done.result())
