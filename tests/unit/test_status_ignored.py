"""What a rule keeps quiet is counted wherever the status is told, until its review."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from monitor.model import Credential, Ignore, Policy, Route
from monitor.recipients import Audience
from monitor.routing import Router
from monitor.shape import as_json
from monitor.status import StatusReport
from monitor.web.page import render_page
from tests.status_samples import NOW, credential, tenant
from tests.unit.contoso_status import report

LAPSED, NEAR = credential("contoso", "Demo", 1, -3), credential("contoso", "Payroll", 2, 5)


def ruled(*held: Credential, days: int = 0, **policy: object) -> StatusReport:
    """The report where one rule ignores what is called Demo, for so many days from today."""
    rule = Ignore("a demo", "kim", (NOW + timedelta(days=days)).date(), name="demo")
    known = Policy(ignores=(rule,), **policy)  # type: ignore[arg-type]
    return report(list(held), router=Router([tenant("contoso")], Audience(policy=known)))


def test_what_is_ignored_needs_no_action_and_is_counted() -> None:
    """In the verdict, in the JSON and on the page; it stays in the list."""
    found = ruled(LAPSED)
    assert (found.exit_code, found.ignored, found.action_rows) == (0, 1, ())
    assert "1 credential is ignored by rule." in found.verdict
    shape = as_json(found)
    assert shape["ignored"] == 1
    assert shape["ignore_rules"] == [
        {"reason": "a demo", "author": "kim", "review": f"{NOW:%Y-%m-%d}", "due": False,
         "credentials": 1}
    ]  # fmt: skip
    assert shape["credentials"][0]["ignored"] == "a demo"  # type: ignore[index]
    page = render_page(found, zone=ZoneInfo("UTC"), version="0")
    assert "Ignored by rule" in page
    assert "ignored until" in page
    assert "a demo" in page


def test_only_what_the_rule_fits_is_ignored() -> None:
    """The rest needs action, and the count is told beside it."""
    found = ruled(LAPSED, NEAR)
    assert [row.credential for row in found.action_rows] == [NEAR]
    assert found.exit_code == 3
    assert found.verdict == "1 credential needs action; 1 credential is ignored by rule."


def test_a_review_that_is_due_brings_the_warnings_back_and_is_said() -> None:
    """The rule ignores nothing any more."""
    found = ruled(LAPSED, days=-1)
    assert (found.exit_code, found.ignored) == (4, 0)
    assert "the review of 1 ignore rule is due" in found.verdict
    assert ruled(days=-1).exit_code == 3
    assert as_json(found)["ignore_rules"][0]["due"] is True  # type: ignore[index]


def test_a_tenant_without_recipients_is_heard_where_rules_send_all_of_it_to_somebody() -> None:
    """Else the status says that nobody is told."""
    everywhere, owners = Route(("noc@msp.example",)), Route(("owners",))
    grave = Route(("noc@msp.example",), severity="critical")
    for rules, heard in (((), False), ((owners,), False), ((grave,), False), ((everywhere,), True)):
        policy = Policy(routes=rules)
        router = Router([tenant("contoso")], Audience(policy=policy))
        said = report([NEAR], operator_listens=False, router=router)
        assert (said.unheard == ()) is heard
        assert ("nobody is told about contoso" in said.verdict) is not heard
