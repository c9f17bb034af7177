"""Judges what works but could be done better: mailbox, files, dates, rights. Pure."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime, timedelta

from monitor.doctor.checks import Notebook
from monitor.doctor.evidence import SEND_ROLE, MailSeen, SignInSeen, TargetSeen

MANY_COPIES = 10  # a day; a few are no matter for years
# https://devguide.python.org/versions/: the last month in which security fixes come.
PYTHON_ENDS = {
    (3, 11): datetime(2027, 10, 31, tzinfo=UTC),
    (3, 12): datetime(2028, 10, 31, tzinfo=UTC),
    (3, 13): datetime(2029, 10, 31, tzinfo=UTC),
    (3, 14): datetime(2030, 10, 31, tzinfo=UTC),
}
PYTHON_NEAR = timedelta(days=180)
# Of use to Lapsewatch, some of them for what is optional; every other right is beyond need.
NEEDED = {
    "graph": frozenset(
        {
            "Application.Read.All",
            "AuditLog.Read.All",
            "CrossTenantInformation.ReadBasic.All",
            "DelegatedAdminRelationship.Read.All",
            "Directory.Read.All",
            "Organization.Read.All",
            "Policy.Read.All",
            "Policy.Read.ApplicationConfiguration",
        }
    ),
    "smtp": frozenset({SEND_ROLE}),
}
_ADMINS = frozenset({"admin", "administrator", "globaladmin", "hostmaster", "postmaster", "root"})
_ROLES = frozenset(
    {
        "alert", "alerts", "backup", "canary", "copier", "do", "fax", "invoice", "invoices", "it",
        "lapsewatch", "mail", "mailer", "monitor", "monitoring", "news", "no", "noc", "noreply",
        "not", "notification", "notifications", "notify", "printer", "reply", "report", "reports",
        "scan", "scanner", "sender", "service", "smtp", "support", "system",
    }
)  # fmt: skip
# Only what PowerShell takes literally between single quotes, whichever quotes it knows.
_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,255}")
_TWO_NAMES = re.compile(r"([a-z]{2,})[._]([a-z]{2,})", re.IGNORECASE)


def judge_python(version: tuple[int, int], now: datetime, notes: Notebook) -> None:
    """Judge whether this Python still gets security fixes, and for how long."""
    named = f"Python {version[0]}.{version[1]}"
    end = PYTHON_ENDS.get(version)
    if end is None:
        notes.ok("python", named)
    elif end - now < PYTHON_NEAR:
        over = "gets" if end > now else "got"
        told = f"{named} {over} security fixes until {end:%Y-%m}."
        notes.advised("python", told, "Install Lapsewatch again with a newer Python.")
    else:
        notes.ok("python", f"{named}, security fixes until {end:%Y-%m}")


def judge_mailbox(mail: MailSeen, notes: Notebook) -> None:
    """Judge the sender's address: nobody's own, and in a domain of the organisation."""
    local, _, domain = mail.mailbox.partition("@")
    if local.lower() in _ADMINS or _is_person(local):
        notes.advised(
            "mailbox.dedicated", f"{mail.mailbox} looks like a person's or an admin's mailbox.",
            "Send from a mailbox of its own, such as a shared mailbox noreply@: the app can read "
            "all of a mailbox to which it has FullAccess.",
        )  # fmt: skip
    else:
        notes.ok("mailbox.dedicated", mail.mailbox)
    if domain.lower().rstrip(".").endswith(".onmicrosoft.com"):
        # https://learn.microsoft.com/exchange/mail-flow-best-practices (5.7.236)
        notes.advised(
            "mailbox.domain", f"{domain}: 100 external recipients a day for the whole tenant.",
            "Send from an address in a domain of your own.",
        )  # fmt: skip
    else:
        notes.ok("mailbox.domain", domain)


def judge_copies(seen: TargetSeen, mail: MailSeen, notes: Notebook) -> None:
    """Judge what the daily mails leave in the sender's mailbox, and for a relay its password.

    Exchange keeps a copy of what is submitted by SMTP AUTH, unless the mailbox says otherwise:
    -MessageCopyForSMTPClientSubmissionEnabled on
    https://learn.microsoft.com/powershell/module/exchangepowershell/set-mailbox
    """
    name, daily = "mailbox.sent_items", seen.daily_mails
    if mail.relay:
        if mail.password:
            told = "A relay's password has no date that can be read. Ask who runs the relay."
            notes.skipped("smtp.expiry", told)
        return
    if daily is None:
        notes.skipped(name, "Lapsewatch has sent nothing by this mailbox yet.")
        return
    told = (
        f"About {max(round(daily), 1)} mails a day go out as {mail.mailbox}, canaries and warnings "
        "together. Exchange keeps a copy of each in Sent Items, unless that is switched off."
    )
    fix = (
        "An Exchange administrator stops the copies for this mailbox, or gives it a retention "
        "policy: a full mailbox cannot send."
    )
    plain = _PLAIN_ADDRESS.fullmatch(mail.mailbox)
    command = (
        f"Set-Mailbox -Identity '{mail.mailbox}' -MessageCopyForSMTPClientSubmissionEnabled $false"
    )
    say = notes.advised if daily >= MANY_COPIES else notes.ok
    say(name, told, fix=fix, command=command if plain else None)


def _is_person(local: str) -> bool:
    found = _TWO_NAMES.fullmatch(local)
    return (
        bool(found) and not {word.lower() for word in found.groups()} & _ROLES if found else False
    )


def judge_practice(
    seen: TargetSeen, signed: SignInSeen, mail: MailSeen | None, notes: Notebook
) -> None:
    """Judge how an app signs in, and what it may do beyond its task."""
    _file(signed, notes)
    _expiry(seen, signed, notes)
    _lifetime(seen, signed, notes)
    if signed.role == "graph":
        _usage(seen, notes)
    _audience(seen, signed, notes)
    _rights(signed, mail, notes)


def _file(signed: SignInSeen, notes: Notebook) -> None:
    name = f"{signed.role}.file"
    if signed.file is None:
        notes.skipped(name, "The credential is in no file.")
    elif signed.readable_by is not None:
        told = f"Others on this machine can read {signed.file} (mode {signed.readable_by})."
        fix = "Let only the account that Lapsewatch runs as read it."
        notes.advised(name, told, fix, command=f"chmod 600 {shlex.quote(signed.file)}")
    else:
        notes.ok(name, "Only its owner can read it.")


def _expiry(seen: TargetSeen, signed: SignInSeen, notes: Notebook) -> None:
    name = f"{signed.role}.expiry"
    ends = [held.end for held in signed.held if held.end is not None]
    end = signed.ends or max(ends, default=None)
    if signed.form == "managed_identity":
        notes.ok(name, "A managed identity has no end.")
    elif signed.form == "federated":
        notes.ok(name, "A workload identity has no end: its platform renews the token.")
    elif end is None and signed.role == "graph" and not seen.directory.readable:
        notes.skipped(name, "It is read from Entra, which cannot be read now.")
    elif end is None:
        notes.advised(
            name, "Nobody knows when this credential ends.",
            "Run `lapsewatch run scan`: its end is read from Entra. Where the app's own directory "
            "is not watched, add it as a tenant.",
        )  # fmt: skip
    elif end - seen.now < seen.soon:
        days = (end - seen.now).days
        told = f"It ended on {end:%Y-%m-%d}." if end <= seen.now else (
            f"It ends on {end:%Y-%m-%d}, in {days} days."
        )  # fmt: skip
        fix = "Make a new one in Entra, and put it where the reference points."
        notes.advised(name, told, fix)
    else:
        notes.ok(name, f"It ends on {end:%Y-%m-%d}.")


def _lifetime(seen: TargetSeen, signed: SignInSeen, notes: Notebook) -> None:
    name, found = f"{signed.role}.lifetime", seen.directory
    lives = [h.end - h.start for h in signed.held if h.end is not None and h.start is not None]
    if signed.form != "secret":
        notes.skipped(name, "The policy is about client secrets.")
    elif not found.readable or found.policy_problem:
        notes.skipped(
            name, "The policy cannot be read (Policy.Read.ApplicationConfiguration shows it)."
        )
    elif found.secret_days is None:
        notes.ok(name, "The policy sets no limit.")
    elif not lives:
        notes.skipped(name, "The secret's dates are not known.")
    elif max(lives) > timedelta(days=found.secret_days):
        told = f"It lives {max(lives).days} days; the policy allows {found.secret_days:.0f}."
        notes.advised(name, told, "Make the next secret shorter: a longer one will be refused.")
    else:
        notes.ok(name, f"It lives {max(lives).days} of {found.secret_days:.0f} days allowed.")


def _usage(seen: TargetSeen, notes: Notebook) -> None:
    """Say whether it can be read which credential is still used; nothing depends on it."""
    problem = seen.directory.usage_problem
    if problem is None:
        notes.skipped("graph.usage", "Entra cannot be read now.")
    elif problem:
        notes.skipped("graph.usage", f"Not known: {problem}. Warnings do without.")
    else:
        notes.ok("graph.usage", "Mails say when a credential was last used.")


def _audience(seen: TargetSeen, signed: SignInSeen, notes: Notebook) -> None:
    name = f"{signed.role}.audience"
    app = seen.directory.apps.get(signed.client_id)
    if app is None or app.audience is None:
        notes.skipped(name, "The app registration is not in this directory, or was not read.")
    elif app.audience == "AzureADMyOrg":
        notes.ok(name, "single-tenant")
    elif signed.shared:
        notes.ok(name, f"{app.audience}: one app for many tenants, as configured.")
    else:
        fix = "Set Supported account types to this organisation only, unless others need the app."
        notes.advised(name, f"Any organisation can use this app ({app.audience}).", fix)


def _rights(signed: SignInSeen, mail: MailSeen | None, notes: Notebook) -> None:
    name = f"{signed.role}.rights"
    beyond = sorted(set(signed.roles) - NEEDED[signed.role])
    own_app = mail is not None and signed.role == "smtp"
    if own_app and mail is not None and mail.graph_roles:
        beyond += [role for role in mail.graph_roles if role not in NEEDED["graph"]]
    if signed.claims is None or not signed.claims:
        notes.skipped(name, "There is no token that can be read.")
    elif beyond:
        told = f"It may also: {', '.join(dict.fromkeys(beyond))}."
        fix = "Take away what is not needed: App registrations > the app > API permissions."
        notes.advised(name, told, fix)
    else:
        notes.ok(name, ", ".join(signed.roles) or "no permission of its own")
