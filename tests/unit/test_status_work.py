"""What the report says of work: mail that waits, mail paths, runs and jobs that are late."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.model import OPERATOR, CanaryResult, OutboxCounts, OutboxState, SenderHealth
from monitor.shape import as_json
from monitor.status import LateJob, build_report
from monitor.timetable import FIRST
from tests import status_samples as samples
from tests.status_samples import NOW, facts, health, mail, sender
from tests.unit.contoso_status import report


@pytest.mark.parametrize(
    ("known", "stale", "exit_code"),
    [
        (sender("contoso", CanaryResult.OK), False, 0),
        (sender("contoso", CanaryResult.OK, hours=27, last_ok=27), True, 3),
        (sender("contoso", CanaryResult.FAILED, last_ok=1, cause="x"), False, 6),
        (sender("contoso", CanaryResult.FAILED, last_ok=None, cause="x"), True, 6),
        (sender("contoso", CanaryResult.UNCONFIRMED, last_ok=1), False, 3),
        (SenderHealth("contoso", "noreply@contoso.example"), False, 0),
    ],
)
def test_a_mail_path_is_proven_for_26_hours(
    known: SenderHealth, stale: bool, exit_code: int
) -> None:
    """A failing one outranks everything; one never tried is no failure."""
    found = report(senders=[known])
    assert (found.canaries[0].stale, found.exit_code) == (stale, exit_code)
    proven = known.last is not None and known.last.result is CanaryResult.OK and not stale
    assert ("1 mail path proven" in found.verdict) == proven


@pytest.mark.parametrize(
    ("path", "state", "exit_code"),
    [
        ("tenant:contoso", OutboxState.PENDING, 0),
        ("tenant:contoso", OutboxState.SENDING, 0),
        ("", OutboxState.PENDING, 3),
        ("tenant:contoso", OutboxState.DEAD, 3),
    ],
)
def test_mail_that_nobody_carries_needs_action(
    path: str, state: OutboxState, exit_code: int
) -> None:
    """What waits with a path is on its way."""
    assert report(outbox=[mail(1, "subject", path=path, state=state)]).exit_code == exit_code


@pytest.mark.parametrize(
    ("minutes", "attempt", "state", "overdue"),
    [
        (60, 2, OutboxState.PENDING, False),
        (61, 0, OutboxState.PENDING, True),
        (61, 1, OutboxState.SENDING, True),
        (1, 3, OutboxState.PENDING, True),
        (1, 3, OutboxState.SENDING, True),
    ],
)
def test_mail_that_waits_too_long_or_was_refused_often_needs_action(
    minutes: int, attempt: int, state: OutboxState, overdue: bool
) -> None:
    """It has a path, and does not go: nobody is warned, whatever the credentials look like."""
    late = mail(1, "subject", path="operator", state=state, attempt=attempt,
                date=NOW - timedelta(minutes=minutes))  # fmt: skip
    found = report(outbox=[late])
    assert late.is_overdue(NOW) == overdue
    assert (found.exit_code, found.outbox.overdue) == ((3, 1) if overdue else (0, 0))
    assert ("1 mail is overdue" in found.verdict) == overdue
    assert ("All is well" in found.verdict) != overdue


def test_all_mail_counts_and_not_only_what_is_listed() -> None:
    """The verdict, the exit code and the JSON go by the numbers of the whole outbox."""
    found = report(counted=OutboxCounts(pending=900, without_path=250, overdue=2, dead=400))
    assert found.exit_code == 3
    assert found.verdict == (
        "250 mails waiting with no path to send by; 2 mails are overdue (waiting for more than an "
        "hour, or tried 3 times); 400 mails could not be delivered."
    )
    assert as_json(found)["deliveries"] == {
        "waiting": 1150, "without_path": 250, "overdue": 2, "dead": 400, "without_recipient": [],
    }  # fmt: skip


RUN = "it@contoso.example|Europe/Berlin"


@pytest.mark.parametrize(
    ("job", "scope", "minutes", "said"),
    [
        ("warn", RUN, 5, ""),
        ("warn", RUN, 5.1, "The daily mail of 1 recipient could not be written"),
        ("scan", "contoso", 45, ""),
        ("scan", "contoso", 45.1, "The scan of 1 tenant was not finished"),
        ("canary", "tenant:contoso", 45, ""),
        ("canary", "tenant:contoso", 45.1, "The test of 1 mail path was not finished"),
        ("canary", "sender:contoso|noreply@contoso.example", 46,
         "The test of 1 mail path was not finished"),
        ("warn", "gone@contoso.example|Europe/Berlin", 99, ""),
        ("scan", "gone", 99, ""),
        ("canary", "tenant:gone", 99, ""),
    ],
)  # fmt: skip
def test_a_run_that_was_begun_and_not_finished_needs_action(
    job: str, scope: str, minutes: float, said: str
) -> None:
    """A daily mail is written in seconds, scans may be long; what nobody waits for is no matter."""
    found = report(
        healths=[health("contoso", 3)],
        senders=[sender("contoso", CanaryResult.OK, hours=3, last_ok=3)],
        unfinished=[samples.slot(job, scope, minutes)],
        runs={RUN},
    )
    assert found.exit_code == (3 if said else 0)
    assert (said in found.verdict) if said else ("All is well" in found.verdict)


def test_what_a_run_was_to_find_out_may_be_known_by_other_means() -> None:
    """A scan by hand and a test by hand end the matter; those from before the run do not."""
    unfinished = [samples.slot("scan", "contoso", 90), samples.slot("canary", "tenant:contoso", 90)]
    for hours, jobs in ((1.6, ["scan", "canary"]), (1.4, [])):
        found = report(
            healths=[health("contoso", hours)],
            senders=[sender("contoso", CanaryResult.OK, hours=hours, last_ok=hours)],
            unfinished=unfinished,
        )
        assert [run.job for run in found.unfinished] == jobs
        assert found.exit_code == (3 if jobs else 0)


def test_a_first_scan_has_no_time_it_was_scheduled_for() -> None:
    """Its slot is a stand-in for "since ever"."""
    first = replace(samples.slot("scan", "contoso", 60), slot_at=FIRST)
    (run,) = report(healths=[], unfinished=[first]).unfinished
    assert run.slot_at is None


@pytest.mark.parametrize(
    ("hours", "stale", "said"),
    [(25.9, False, " 1 mail path not proven yet."), (26.1, True, "1 mail path not proven for 26")],
)
@pytest.mark.parametrize("name", ["contoso", OPERATOR])
def test_a_sender_that_was_never_proven_has_26_hours_for_it(
    name: str, hours: float, stale: bool, said: str
) -> None:
    """Afterwards it is no better than one whose last proof is as old."""
    never = SenderHealth(name, "noreply@contoso.example")
    found = report(senders=[never], known_since={"contoso": NOW - timedelta(hours=hours)})
    assert (found.canaries[0].stale, found.exit_code) == (stale, 3 if stale else 0)
    assert said in found.verdict
    assert ("All is well" in found.verdict) != stale
    assert "mail path proven" not in found.verdict


def test_the_operators_sender_is_as_old_as_the_oldest_tenant() -> None:
    """A tenant that was added today does not make it new."""
    since = {"contoso": NOW - timedelta(days=9), "fabrikam": NOW}
    found = report(senders=[SenderHealth(OPERATOR, "m@msp.example")], known_since=since)
    assert found.canaries[0].stale


def test_the_verdict_claims_no_more_proof_than_there_is() -> None:
    """Each mail path is counted by what is known of it."""
    found = report(
        senders=[
            sender("contoso", CanaryResult.OK),
            SenderHealth("contoso", "new@contoso.example"),
            sender(OPERATOR, CanaryResult.OK),
        ]
    )
    assert found.verdict.endswith(" 2 mail paths proven, 1 not proven yet.")


@pytest.mark.parametrize(("minutes", "silent"), [(5, False), (5.1, True), (9999, True)])
def test_a_service_whose_clock_has_stopped_is_said(minutes: float, silent: bool) -> None:
    """Beats of its other parts do not stand in for it."""
    found = report(beats=samples.beats(scheduler=timedelta(minutes=minutes)))
    assert (found.silent_since is not None, found.exit_code) == (silent, 3 if silent else 0)
    assert ("The service has not run since 2026-11-" in found.verdict) == silent


@pytest.mark.parametrize("job", ["scan", "canary", "arrival", "warn", "deliver"])
@pytest.mark.parametrize(("minutes", "late"), [(60, False), (61, True)])
def test_a_job_that_ticks_in_vain_is_named(job: str, minutes: int, late: bool) -> None:
    """It crashes each time, while the service's clock goes on."""
    now_ish = timedelta(seconds=20)
    found = report(beats=samples.beats(**{job: now_ish + timedelta(minutes=minutes)}))
    assert found.exit_code == (3 if late else 0)
    said = f"The job {job} has not finished a round since 2026-11-23 05:02 UTC."
    assert (found.verdict == said) == late


def test_jobs_of_a_stopped_service_are_not_late_as_well() -> None:
    """They stopped together: one trouble, said once."""
    known = samples.beats(**dict.fromkeys(samples.beats(), timedelta(days=2)))
    assert report(beats=known).late_jobs == ()


def test_a_job_that_never_came_round_is_late_after_an_hour_of_work_to_do() -> None:
    """Not while everything is new."""
    known = samples.beats()
    del known["canary"]
    for minutes, late in ((60, ()), (61, (LateJob("canary", None),))):
        since = {"contoso": known["scheduler"] - timedelta(minutes=minutes)}
        found = report(beats=known, known_since=since)
        assert found.late_jobs == late
        assert ("The job canary has not finished any round yet" in found.verdict) == bool(late)


def test_without_a_service_no_sign_of_life_is_missed() -> None:
    """Cron may do the work: there are no beats then."""
    found = report(beats={}, known_since={"contoso": NOW - timedelta(days=99)})
    assert (found.late_jobs, found.silent_since, found.exit_code) == ((), None, 0)


def test_troubles_are_said_before_there_is_a_tenant() -> None:
    """The exit code never speaks without a word."""
    found = build_report(facts(beats=samples.beats(scheduler=timedelta(hours=1))), now=NOW)
    assert found.exit_code == 3
    assert "the service has not run since" in found.verdict


def test_a_stalled_morning_is_not_well() -> None:
    """Every tenant is read and nothing lapses; the work is not done all the same."""
    found = samples.stalled_morning()
    assert found.exit_code == 3
    assert found.verdict == (
        "1 mail path not proven for 26 hours; the job canary has not finished a round since "
        "2026-11-22 10:04 UTC; the daily mail of 2 recipients could not be written; the scan of "
        "1 tenant was not finished; the test of 1 mail path was not finished; 2 mails are overdue "
        "(waiting for more than an hour, or tried 3 times)."
    )
    shape = as_json(found)
    assert shape["late_jobs"] == [{"job": "canary", "last": "2026-11-22T10:04:00Z"}]
    assert shape["silent_since"] is None
    assert shape["unfinished"] == [
        {"job": job, "name": name, "scheduled_for": at, "since": at}
        for job, name, at in (
            ("warn", "it@contoso.example", "2026-11-23T05:00:00Z"),
            ("warn", "it@fabrikam.example", "2026-11-23T05:01:00Z"),
            ("scan", "fabrikam", "2026-11-23T05:18:00Z"),
            ("canary", "fabrikam", "2026-11-23T05:09:00Z"),
        )
    ]
