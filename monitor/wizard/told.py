"""What the doctor's checks mean while a tenant is being set up. Pure."""

from __future__ import annotations

from dataclasses import replace

from monitor.doctor.checks import Check, Report
from monitor.model import Draft
from monitor.wizard.steps import Step, is_told


def told_at(report: Report, step: Step, model: str) -> tuple[Check, ...]:
    """The checks that concern a step."""
    return tuple(check for check in report.checks if is_told(check.name, step, model))


# What a refused sign-in to Exchange means while an app is being set up there.
_NOT_YET = frozenset({
    "sp_not_in_exchange", "generic_oauth_failure", "object_id_mismatch", "no_mailbox_permission",
    "smtp_auth_disabled_mailbox", "smtp_auth_disabled_tenant",
})  # fmt: skip


def here(check: Check, report: Report, draft: Draft) -> Check:
    """A check whose fix is an answer of this set-up, and no line of a tenants file."""
    if check.status not in ("failed", "warning"):
        return check
    if check.name == "object_id" and report.object_id:
        return replace(check, fix=f"Answer with {report.object_id}.", command=None)
    if check.cause == "wrong_cloud":
        return replace(check, fix="Change the answers: take the cloud that knows it.", command=None)
    if check.name == "smtp.auth" and check.cause in _NOT_YET:
        return replace(
            check,
            explanation="Exchange does not let the app send yet. Mostly the script has not run "
            "for this mailbox; or it has, and Exchange takes its time: minutes, at times hours.",
            fix="Run the script, or wait and try again; you may leave and come back. If it ran "
            f"hours ago without an error, look whether {draft.get('mailbox')} is a mailbox of "
            "this directory and spelled right.",
            command=None,
        )
    return check


def mailbox_check(mailbox: str, directory_id: str, report: Report) -> Check:
    """Whether a mailbox's domain is one of the directory's.

    Args:
        mailbox: that is to send.
        directory_id: of the tenant.
        report: what the cloud said of the mailbox's domain.
    """
    domain, found = mailbox.rpartition("@")[2].lower(), report.directory_id
    if found is None and report.cause not in ("tenant_not_found", "wrong_cloud"):
        return Check("mailbox.directory", "skipped", "The cloud could not be asked.")
    if found is not None and found.lower() == directory_id.lower():
        return Check("mailbox.directory", "ok", f"{domain} belongs to this directory.")
    whose = f"belongs to another directory ({found})" if found else "belongs to no directory"
    return Check(
        "mailbox.directory",
        "failed",
        f"{domain} {whose} of this cloud.",
        explanation="Exchange lets an app send only as a mailbox of the app's own directory.",
        fix=f"Look whether {mailbox} is spelled right.",
    )
