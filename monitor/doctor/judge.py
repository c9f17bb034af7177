"""Judges all evidence about a target: one list of checks, in the order of the way. Pure."""

from __future__ import annotations

from datetime import datetime

from monitor.diagnose import Rulebook
from monitor.doctor.apps import judge_claims, judge_credential, judge_reading, judge_token
from monitor.doctor.checks import MACHINE, Notebook, Report
from monitor.doctor.evidence import MailSeen, TargetSeen
from monitor.doctor.exchange import judge_exchange
from monitor.doctor.mail import judge_identity, judge_stages, right_object_id
from monitor.doctor.network import judge_authority, judge_clock, judge_host
from monitor.doctor.practice import (
    judge_copies,
    judge_mailbox,
    judge_practice,
    judge_python,
)


def judge(seen: TargetSeen, rules: Rulebook) -> Report:
    """Say what the evidence means.

    Args:
        seen: the evidence.
        rules: the vocabulary of causes.
    """
    notes = Notebook(rules)
    if seen.cloud is not None:
        judge_clock(seen, notes)
        judge_host("authority", seen.authority_host, notes, works=seen.signed_in)
        judge_authority(seen, notes)
    if seen.reader is not None:
        judge_host("graph", seen.graph_host, notes, works=seen.directory.readable)
    for signed in (seen.reader, seen.mail_in):
        if signed is not None:
            judge_credential(signed, notes)
            judge_token(seen, signed, notes)
            judge_claims(signed, notes)
    if seen.reader is not None:
        judge_reading(seen, seen.reader, notes)
    _judge_mail(seen, notes)
    for signed in (seen.reader, seen.mail_in):
        if signed is not None:
            judge_practice(seen, signed, seen.mail, notes)
    return Report(
        seen.name,
        notes.checks(),
        seen.mail.mailbox if seen.mail else None,
        directory_id=seen.authority.directory if seen.authority else None,
        object_id=right_object_id(seen),
    )


def _judge_mail(seen: TargetSeen, notes: Notebook) -> None:
    mail = seen.mail
    if mail is None:
        return
    if seen.mail_in is not None:
        judge_identity(seen, seen.mail_in, mail, notes)
    judge_exchange(seen, seen.mail_in, mail, notes)
    judge_stages(seen, seen.mail_in, mail, notes)
    _judge_read_back(mail, notes)
    judge_mailbox(mail, notes)
    judge_copies(seen, mail, notes)


def _judge_read_back(mail: MailSeen, notes: Notebook) -> None:
    """Whether canaries can be looked for. Without that mail still goes out, so it is no failure."""
    if mail.read_back is None:
        return
    problem = mail.read_back_problem
    if problem is not None:
        notes.found("arrival", problem.cause, problem.message, status="warning")
        return
    where = "the canary's mailbox" if mail.read_back.way == "graph" else "the message trace"
    notes.ok("arrival", f"{where[0].upper()}{where[1:]} can be read ({mail.read_back.right}).")


def machine(version: tuple[int, int], now: datetime, rules: Rulebook) -> Report:
    """Judge this machine, once for all targets."""
    notes = Notebook(rules)
    judge_python(version, now, notes)
    return Report(MACHINE, notes.checks())


def crashed(
    target: str, why: str, rules: Rulebook, *, cause: str = "unknown", fix: str = ""
) -> Report:
    """The report of a target whose evidence could not be gathered.

    Args:
        target: its name.
        why: what happened.
        rules: the vocabulary of causes.
        cause: an id of the vocabulary.
        fix: what to do next, in place of the cause's own.
    """
    notes = Notebook(rules)
    notes.found("program", cause, why, fix=fix)
    return Report(target, notes.checks())
