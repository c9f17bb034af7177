"""The metrics: what an alert may stand on."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from monitor.model import OPERATOR, CredentialState, TenantState
from monitor.status import StatusReport
from monitor.web.metrics import to_metrics
from tests import status_samples as samples

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(report: StatusReport, *, per_credential: bool = False) -> Series:
    """All samples by name and labels, as Prometheus would parse them."""
    text = to_metrics(report, version="1.2.3", per_credential=per_credential).decode()
    found: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"said twice: {key}"
            found[key] = sample.value
    return found


def value(series: Series, name: str, **labels: str) -> float | None:
    """One number, or None when the series is absent."""
    return series.get((f"lapsewatch_{name}", frozenset(labels.items())))


def test_credentials_are_counted_by_tenant_and_state_with_zeros() -> None:
    """An alert on a series that vanishes never resolves, so zeros are said."""
    report = samples.bad_morning()
    series = scrape(report)
    assert value(series, "credentials", tenant="fabrikam", state="lapsed") == 1
    assert value(series, "credentials", tenant="contoso", state="critical") == 2
    assert value(series, "credentials", tenant="contoso", state="superseded") == 1
    counted = [key for key in series if key[0] == "lapsewatch_credentials"]
    assert len(counted) == len(report.tenants) * len(CredentialState)
    assert value(series, "credentials", tenant="litware", state="lapsed") == 0


def test_certificates_of_managed_identities_start_no_alert() -> None:
    """Microsoft rotates them itself."""
    report = samples.bad_morning()
    assert any(row.credential.managed_identity for row in report.credentials)
    series = scrape(report)
    assert value(series, "credentials", tenant="litware", state="warning") == 0
    assert value(series, "credentials_need_action", tenant="litware") == 0


def test_only_a_tenant_that_was_read_completely_and_recently_is_up() -> None:
    """Stale and unknown are down; a paused tenant is nobody's alarm."""
    series = scrape(samples.bad_morning())
    ups = {name: value(series, "tenant_up", tenant=name) for name in ("contoso", "wingtip", "trey")}
    assert ups == {"contoso": 1, "wingtip": 0, "trey": 0}
    assert value(series, "tenant_up", tenant="proseware") is None
    assert value(series, "tenant_last_success_timestamp_seconds", tenant="trey") is None


def test_an_old_success_of_a_canary_is_not_up() -> None:
    """A test mail that last went through two days ago proves nothing today."""
    series = scrape(samples.bad_morning())

    def up(name: str) -> float | None:
        mailbox = f"noreply@{name.strip('()')}.example"
        return value(series, "canary_up", tenant=name, mailbox=mailbox)

    names = ("contoso", OPERATOR, "adatum", "fabrikam", "litware", "trey")
    assert [up(name) for name in names] == [1, 1, 0, 0, 0, 0]


def test_mail_that_nobody_carries_is_counted_apart() -> None:
    """Waiting with a path, waiting without, and refused for good are three matters."""
    series = scrape(samples.bad_morning())
    states = ("pending", "sending", "no_path", "dead")
    assert [value(series, "notifications", state=s) for s in states] == [1, 0, 1, 1]


def test_work_that_is_stuck_is_counted() -> None:
    """Overdue mail is counted beside its state, unfinished runs by job; zeros are said."""
    stuck, fine = scrape(samples.stalled_morning()), scrape(samples.quiet_morning())
    assert value(stuck, "notifications", state="pending") == 3
    assert value(stuck, "notifications_overdue") == 2
    assert value(fine, "notifications_overdue") == 0
    jobs = ("scan", "canary", "warn")
    assert [value(stuck, "runs_unfinished", job=job) for job in jobs] == [1, 1, 2]
    assert [value(fine, "runs_unfinished", job=job) for job in jobs] == [0, 0, 0]


def test_jobs_and_build_are_said() -> None:
    """Someone outside can see that the monitor itself is dead."""
    series = scrape(samples.bad_morning())
    beat = samples.NOW.timestamp() - 20
    assert value(series, "job_last_success_timestamp_seconds", job="scheduler") == beat
    assert value(series, "build_info", version="1.2.3") == 1


def test_credentials_have_series_of_their_own_only_when_asked_for() -> None:
    """Thousands of tenants would make too many."""
    name = "lapsewatch_credential_not_after_timestamp_seconds"
    report = samples.bad_morning()
    assert not [key for key in scrape(report) if key[0] == name]
    ends = {
        dict(labels)["app"]: number
        for (metric, labels), number in scrape(report, per_credential=True).items()
        if metric == name
    }
    assert ends["Forever"] == samples.NEVER_ENDS.timestamp()
    assert "No end" not in ends
    assert "Old mailer" not in ends


def test_two_credentials_without_key_id_make_one_series_with_the_sooner_end() -> None:
    """Prometheus drops the whole scrape when a series comes twice."""
    report = samples.many(50)
    twins = tuple(
        replace(row, credential=replace(row.credential, key_id=None, app_id=None, app_name="x"))
        for row in report.credentials[:2]
    )
    twins = tuple(replace(row, tenant=report.tenants[0].tenant) for row in twins)
    series = scrape(replace(report, credentials=twins), per_credential=True)
    name = "lapsewatch_credential_not_after_timestamp_seconds"
    ends = [number for (metric, _), number in series.items() if metric == name]
    assert ends == [min(row.credential.end.timestamp() for row in twins if row.credential.end)]


def test_hostile_names_break_no_line_of_the_metrics() -> None:
    """Every line parses, and each tenant has exactly its own series."""
    report = samples.hostile()
    series = scrape(report, per_credential=True)
    ups = [key for key in series if key[0] == "lapsewatch_tenant_up"]
    assert len(ups) == sum(row.state is not TenantState.PAUSED for row in report.tenants)
