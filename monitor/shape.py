"""The JSON shape of a StatusReport that scripts rely on; keys are added, never taken away."""

from __future__ import annotations

from datetime import datetime

from monitor.arrival import words
from monitor.findings import summary
from monitor.model import BlindSpot, Examination, Note, Pulse, Side, stage_label
from monitor.severity import lives_too_long
from monitor.status import CanaryRow, CredentialRow, StatusReport, TenantRow


def as_json(report: StatusReport) -> dict[str, object]:
    """The shape scripts rely on (`status --json`, `/api/v1/status`); instants are ISO 8601 UTC."""
    return {
        "generated_at": _iso(report.generated_at),
        "verdict": report.verdict,
        "exit_code": report.exit_code,
        "tenants": [_tenant_json(row) for row in report.tenants],
        "credentials": [_credential_json(row) for row in report.credentials],
        "canaries": [_canary_json(row) for row in report.canaries],
        "federated": _federated_json(report),
        "deliveries": {
            "waiting": report.outbox.waiting,
            "without_path": report.outbox.without_path,
            "overdue": report.outbox.overdue,
            "dead": report.outbox.dead,
            "without_recipient": list(report.unheard),
        },
        "beats": {name: _iso(at) for name, at in report.beats.items()},
        "silent_since": _iso(report.silent_since),
        "last_cycle": _iso(report.last_cycle),
        "heartbeat": _pulse_json(report.pulse),
        "late_jobs": [{"job": job.name, "last": _iso(job.last)} for job in report.late_jobs],
        "blind_spots": [_blind_json(spot) for spot in report.blind_spots],
        "unfinished": [
            {
                "job": run.job,
                "name": run.name,
                "scheduled_for": _iso(run.slot_at),
                "since": _iso(run.taken_at),
            }
            for run in report.unfinished
        ],
        "ignored": report.ignored,
        "ignore_rules": _ignore_rules_json(report),
    }


def _federated_json(report: StatusReport) -> list[dict[str, object]]:
    return [
        {
            "tenant": tenant,
            "object_type": str(holder.object_type),
            "object_id": holder.object_id,
            "app_id": holder.app_id,
            "app_name": holder.name,
            "name": trust.name,
            "issuer": trust.issuer,
            "subject": trust.subject,
        }
        for tenant, holder in report.federated
        for trust in holder.federated
    ]


def _ignore_rules_json(report: StatusReport) -> list[dict[str, object]]:
    return [
        {
            "reason": row.rule.reason,
            "author": row.rule.author,
            "review": row.rule.review.isoformat(),
            "due": row.due,
            "credentials": row.credentials,
        }
        for row in report.ignores
    ]


def _pulse_json(pulse: Pulse) -> dict[str, object]:
    return {
        "configured": pulse.configured,
        "last_ok": _iso(pulse.last_ok),
        "failing_since": _iso(pulse.failing_since),
        "problem": pulse.problem or None,
    }


def _blind_json(spot: BlindSpot) -> dict[str, object]:
    return {
        "tenant": spot.tenant,
        "kind": str(spot.kind),
        "words": spot.words,
        "since": _iso(spot.since),
        "fix": spot.fix,
    }


def _tenant_json(row: TenantRow) -> dict[str, object]:
    return {
        "name": row.tenant.name,
        "directory_id": row.tenant.directory_id,
        "state": str(row.state),
        "last_complete_scan": _iso(row.last_complete),
        "last_attempt": _iso(row.last_attempt),
        "problem": row.problem,
        "cause": row.cause,
        "failures": row.failures,
        "credentials": row.credentials,
        "needs_action": row.needs_action,
        "tags": list(row.tenant.tags),
        "lost_access": row.lost,
        "shadow_until": _iso(row.shadow_until),
        "examination": _examination_json(row.examination, "reading"),
        "unread_dates": list(row.unread_dates),
    }


def _credential_json(row: CredentialRow) -> dict[str, object]:
    credential = row.credential
    return {
        "tenant": credential.tenant,
        "object_type": str(credential.object_type),
        "object_id": credential.object_id,
        "app_id": credential.app_id,
        "app_name": credential.app_name,
        "kind": str(credential.kind),
        "key_id": credential.key_id,
        "name": credential.name,
        "start": _iso(credential.start),
        "end": _iso(credential.end),
        "state": str(row.state),
        "days_left": row.days_left,
        "as_of": _iso(row.as_of),
        "stale": row.stale,
        "owners": list(credential.owners) if credential.owners is not None else None,
        "own": credential.own,
        "managed_identity": credential.managed_identity,
        "needs_action": row.needs_action,
        "successor_key_id": row.successor.key_id if row.successor else None,
        "removed_at": _iso(credential.removed_at),
        "uid": credential.uid,
        "note": _note_json(row.note),
        "ignored": row.ignored.reason if row.ignored else None,
        "last_used": _iso(credential.last_used),
        "usage_as_of": _iso(credential.usage_at),
        "still_used": row.still_used,
        "disabled": credential.enabled is False,
        "lifetime_allowed_days": credential.longest.days if credential.longest else None,
        "lives_too_long": lives_too_long(credential),
    }


def _note_json(note: Note | None) -> dict[str, object] | None:
    if note is None:
        return None
    return {
        "used_by": list(note.used_by),
        "where": list(note.where),
        "owner": note.owner,
        "runbook": note.runbook,
        "remark": note.remark,
    }


def _canary_json(row: CanaryRow) -> dict[str, object]:
    return {
        "tenant": row.tenant,
        "mailbox": row.mailbox,
        "result": str(row.result),
        "stage": stage_label(row.stage),
        "cause": row.cause,
        "at": _iso(row.at),
        "last_ok": _iso(row.last_ok),
        "evidence": row.evidence,
        "stale": row.stale,
        "examination": _examination_json(row.examination, "sending"),
        "arrival": str(row.arrival.state),
        "latency_s": row.arrival.latency_s,
        "usual_latency_s": row.arrival.usual_s,
        "arrival_words": words(row.arrival) if row.at else None,
        "arrival_cause": row.arrival.cause,
        "folder": row.arrival.folder,
    }


def _examination_json(found: Examination | None, side: Side) -> dict[str, object] | None:
    told = summary(found, side)
    return {**told, "at": _iso(found.at)} if told is not None and found is not None else None


def _iso(instant: datetime | None) -> str | None:
    return instant.isoformat().replace("+00:00", "Z") if instant else None
