"""Setting a tenant up: the values of its Exchange script, what the scripts call, its consent."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from monitor.config import PRESETS
from monitor.errors import UsageError
from monitor.model import CredentialRef, ObjectType, ObservedObject, Sender, Tenant
from monitor.onboard import ExchangeSetup, Form, Model, consent_url, exchange_setup
from monitor.render import exchange_script
from tests.powershell_tokens import Token, tokens

DIRECTORY = "7b1c0000-0000-4000-8000-000000000001"
CLIENT = "1f3e0000-0000-4000-8000-000000000001"
RIGHT = "c0de0000-0000-4000-8000-000000000001"
REGISTRATION = "dead0000-0000-4000-8000-000000000001"
PLANTED = "file:secrets/Hunter2-8Q~planted-value"
TENANT = Tenant(
    "contoso", DIRECTORY, "global", CLIENT, CredentialRef("secret", PLANTED),
    sender=Sender("noreply@contoso.example", enterprise_object_id=RIGHT),
)  # fmt: skip
SCANNED = [
    ObservedObject(ObjectType.APPLICATION, REGISTRATION, CLIENT, "Mailer"),
    ObservedObject(ObjectType.SERVICE_PRINCIPAL, RIGHT, CLIENT, "Mailer"),
    ObservedObject(ObjectType.SERVICE_PRINCIPAL, "other", "other", "Other"),
]
EVERY = [(model, form) for model in Model for form in Form]

# What the scripts may call, with the parameters that Microsoft's cmdlet reference names.
# https://learn.microsoft.com/powershell/module/exchangepowershell
READS = {
    "Get-ConnectionInformation": set(),
    "Get-ServicePrincipal": set(),
    "Get-MailboxPermission": {"Identity"},
    "Get-RecipientPermission": {"Identity"},
    "Get-ManagementScope": set(),
    "Get-ManagementRole": set(),
    "Get-ManagementRoleAssignment": {"Role"},
    "Get-CASMailbox": {"Identity"},
    "Get-TransportConfig": set(),
    "Get-EXOMailbox": {"Identity"},
    "Get-OrganizationConfig": set(),
    "Test-ServicePrincipalAuthorization": {"Identity", "Resource"},
    "Disconnect-ExchangeOnline": {"Confirm"},
}
MAKES = {
    "New-ServicePrincipal": {"AppId", "ObjectId", "DisplayName"},
    "New-ManagementScope": {"Name", "RecipientRestrictionFilter"},
    "New-ManagementRoleAssignment": {"Name", "Role", "App", "CustomResourceScope"},
    "Add-MailboxPermission": {"Identity", "User", "AccessRights", "AutoMapping"},
    "Add-RecipientPermission": {"Identity", "Trustee", "AccessRights", "Confirm"},
    "Set-CASMailbox": {"Identity", "SmtpClientAuthenticationDisabled"},
    "Set-TransportConfig": {"SmtpClientAuthenticationDisabled"},
    "Enable-OrganizationCustomization": set(),
}
UNDOES = {
    "Remove-ServicePrincipal": {"Identity", "Confirm"},
    "Remove-ManagementScope": {"Identity", "Confirm"},
    "Remove-ManagementRoleAssignment": {"Identity", "Confirm"},
    "Remove-MailboxPermission": {"Identity", "User", "AccessRights", "Confirm"},
    "Remove-RecipientPermission": {"Identity", "Trustee", "AccessRights", "Confirm"},
    "Set-CASMailbox": MAKES["Set-CASMailbox"],
    "Set-TransportConfig": MAKES["Set-TransportConfig"],
}
# Of PowerShell itself.
PLAIN = {
    "Set-StrictMode", "Write-Host", "Write-Output", "Get-Module", "Import-Module",
    "Install-Module", "Connect-ExchangeOnline", "Where-Object", "ForEach-Object", "Out-Null",
    "ConvertTo-Json", "ConvertFrom-Json", "Get-Content", "Set-Content", "Test-Path", "Join-Path",
    "Get-Location", "Start-Sleep",
}  # fmt: skip
ALLOWED = {Form.CHECK: READS, Form.SETUP: READS | MAKES, Form.UNDO: READS | UNDOES}
COMMON = {"ErrorAction", "WarningAction", "WarningVariable"}
AUTOMATIC = {"$_", "$true", "$false", "$null", "$PSVersionTable", "$PSScriptRoot"}


def script(model: Model, form: Form, **changes: str | None) -> str:
    """A script with usual values."""
    return exchange_script(replace(exchange_setup(TENANT, PRESETS, model=model), **changes), form)  # type: ignore[arg-type]


def defined(found: list[Token]) -> set[str]:
    """The functions of a script."""
    return {b.value for a, b in itertools.pairwise(found) if a.value == "function"}


def calls(found: list[Token]) -> list[tuple[str, list[Token]]]:
    """Each call of a cmdlet, with its arguments up to the end of the statement."""
    out = []
    for place, token in enumerate(found):
        if token.kind != "word" or not re.fullmatch(r"[A-Z][A-Za-z]+-[A-Za-z]+", token.value):
            continue
        rest, depth = [], 0
        for after in found[place + 1 :]:
            depth += (after.value in ("(", "{")) - (after.value in (")", "}"))
            if depth < 0 or (depth == 0 and after.value in ("\n", "|", ";")):
                break
            rest.append(after)
        out.append((token.value, rest))
    return out


# --- what the scripts do --------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "form"), EVERY)
def test_a_script_calls_only_what_is_documented_and_its_own_functions(
    model: Model, form: Form
) -> None:
    """With documented parameters; the check nothing that writes, the undo nothing that adds."""
    found = tokens(script(model, form))
    own, allowed = defined(found), ALLOWED[form]
    for name, rest in calls(found):
        assert name in own | PLAIN | allowed.keys(), name
        if name in allowed:
            used = {t.value.strip("-:") for t in rest if t.kind == "parameter"}
            assert used - COMMON <= allowed[name], name
    assert own <= {name for name, _ in calls(found)}, "a function that nothing calls"


@pytest.mark.parametrize(("model", "form"), EVERY)
def test_a_failed_step_never_goes_unnoticed(model: Model, form: Form) -> None:
    """The module's cmdlets do not follow the script's preference, so each call says it itself."""
    for name, rest in calls(tokens(script(model, form))):
        if name in ALLOWED[form]:
            said = [b.value for a, b in itertools.pairwise(rest) if a.value == "-ErrorAction"]
            wanted = "SilentlyContinue" if name == "Disconnect-ExchangeOnline" else "Stop"
            assert said == [wanted], name


def test_a_call_that_is_made_up_or_careless_is_noticed() -> None:
    """The known-bad variants of the two tests above."""
    found = calls(tokens("Set-CASMailbox -Identity $Mailbox -SmtpAuth $true\nFoo-Bar"))
    assert [name for name, _ in found] == ["Set-CASMailbox", "Foo-Bar"]
    used = {t.value.strip("-:") for t in found[0][1] if t.kind == "parameter"}
    assert not used - COMMON <= MAKES["Set-CASMailbox"]
    assert not [t for t in found[0][1] if t.value == "-ErrorAction"]


@pytest.mark.parametrize(("model", "form"), EVERY)
def test_a_script_has_nothing_that_expands_or_evaluates_text(model: Model, form: Form) -> None:
    """No "$x", no Invoke-Expression, no call of a string; plain ASCII."""
    text = script(model, form)
    found = tokens(text)
    assert not [t for t in found if t.kind == "expandable"]
    assert not re.search(r"(?i)invoke-expression|\biex\b|scriptblock\]::create", text)
    called = [b for a, b in itertools.pairwise(found) if a.value == "&"]
    assert {t.value for t in called} <= {"$Read", "$Action"}
    assert text.isascii()
    assert text.endswith("}\n")


@pytest.mark.parametrize(("model", "form"), EVERY)
def test_every_variable_that_is_read_is_set(model: Model, form: Form) -> None:
    """Strict mode would stop the script in the middle."""
    found = tokens(script(model, form))
    names = [t.value.replace("$script:", "$").replace("@", "$", 1).lower()
             for t in found if t.kind == "variable"]  # fmt: skip
    set_somewhere = {f"${b.value.lower()}" for a, b in itertools.pairwise(found)
                     if a.value == "-WarningVariable"}  # fmt: skip
    for place, token in enumerate(found[:-1]):
        if token.kind == "variable":
            after, before = found[place + 1].value, found[place - 1].value
            parameter = before == "]" and after in (",", ")", "=", "\n")
            if after in ("=", "+", "+=", "in") or parameter:
                set_somewhere.add(token.value.replace("$script:", "$").lower())
    assert set(names) - set_somewhere <= {name.lower() for name in AUTOMATIC}


@pytest.mark.parametrize("model", Model)
def test_the_undo_knows_all_that_the_set_up_makes(model: Model) -> None:
    """Each thing that is noted as made is one that is taken back, and no other."""
    made = set(re.findall(r"Add-Made '(\w+)'|before = '(\w+)'", script(model, Form.SETUP)))
    undone = set(re.findall(r"Remove-Made '(\w+)'", script(model, Form.UNDO)))
    assert {a or b for a, b in made} == undone
    assert len(undone) >= 5


@pytest.mark.parametrize("model", Model)
def test_set_up_and_undo_use_the_same_record(model: Model) -> None:
    """And another app, mailbox, directory or model has another."""
    name = re.compile(r"\$RecordName = '(.*)'")
    both = {name.search(script(model, form))[1] for form in (Form.SETUP, Form.UNDO)}  # type: ignore[index]
    assert len(both) == 1
    others = {"client_id": "x", "mailbox": "other@contoso.example", "directory_id": "y"}
    for field, value in others.items():
        found = name.search(script(model, Form.SETUP, **{field: value}))
        assert found is not None
        assert found[1] not in both
        assert re.fullmatch(r"lapsewatch-[0-9a-f]{8}-(mailbox|rbac)\.json", found[1])


@pytest.mark.parametrize("form", Form)
def test_each_model_does_its_own_steps_only(form: Form) -> None:
    """A role is no mailbox permission, and the other way round."""
    mailbox, role = script(Model.MAILBOX, form), script(Model.RBAC, form)
    assert "-MailboxPermission" not in role.replace("Get-MailboxPermission", "")
    assert "ManagementRole" not in mailbox
    assert "ManagementScope" not in mailbox
    assert "'Application SMTP.SendAsApp'" in role


def test_the_switch_of_the_organisation_is_only_told_unless_asked_for() -> None:
    """The mailbox's own setting goes before it."""
    text = script(Model.MAILBOX, Form.SETUP)
    assert "if ($EnableTenantSmtpAuth) { Enable-TenantSmtpAuth }" in text
    assert text.count("Enable-TenantSmtpAuth") == 2
    assert "[switch]$EnableTenantSmtpAuth" in text
    assert "EnableTenantSmtpAuth" not in script(Model.MAILBOX, Form.CHECK)


@pytest.mark.parametrize(("model", "form"), EVERY)
def test_the_right_directory_is_checked_before_anything_is_read_or_made(
    model: Model, form: Form
) -> None:
    """And a window that is connected already is refused, before its connection is ended."""
    body = script(model, form).partition("\nInstall-ExchangeModule\n")[2]
    steps = [line.strip() for line in body.splitlines() if line.strip()]
    assert steps[0] == "Assert-NotConnected"
    assert steps.index("try {") + 1 == steps.index("Connect-RightTenant")
    assert "Disconnect-ExchangeOnline" not in body.partition("finally")[0]
    assert "Disconnect-ExchangeOnline -Confirm:$false" in body.partition("finally")[2]


@pytest.mark.parametrize(("model", "form"), EVERY)
def test_no_script_holds_a_credential_or_where_it_is(model: Model, form: Form) -> None:
    """Not the value, which Lapsewatch does not read for it, and not its reference."""
    text = script(model, form)
    assert "Hunter2" not in text
    assert "file:" not in text
    assert not re.search(r"(?i)password|client_?secret", text)


@pytest.mark.parametrize(
    ("cloud", "environment"),
    [("global", ""), ("gcc-high", "O365USGovGCCHigh"), ("dod", "O365USGovDoD"),
     ("china", "O365China")],
)  # fmt: skip
def test_each_cloud_has_its_exchange_environment(cloud: str, environment: str) -> None:
    """As Connect-ExchangeOnline names them."""
    setup = exchange_setup(replace(TENANT, cloud=cloud), PRESETS)
    for form in Form:
        text = exchange_script(setup, form)
        assert f"[string]$ExchangeEnvironment = '{environment}'," in text
        assert "not one of Microsoft's presets" not in text


def test_a_cloud_of_ones_own_gets_a_comment_and_the_parameter() -> None:
    """Nobody but its operator knows what Exchange is called there."""
    clouds = {**PRESETS, "lab": replace(PRESETS["global"], name="lab")}
    setup = exchange_setup(replace(TENANT, cloud="lab"), clouds)
    text = exchange_script(setup, Form.SETUP)
    assert "[string]$ExchangeEnvironment = ''," in text
    assert "# This tenant's cloud is not one of Microsoft's presets." in text


def test_names_in_exchange_fit_whatever_the_tenant_is_called() -> None:
    """A management scope has at most 64 characters."""
    setup = ExchangeSetup("x" * 64, DIRECTORY, CLIENT, RIGHT, "a@b.example", Model.RBAC)
    assert len(setup.scope_name) <= 64
    assert setup.scope_name != replace(setup, mailbox="b@b.example").scope_name
    assert setup.scope_name == replace(setup, mailbox="A@b.example").scope_name


# --- the values -----------------------------------------------------------------------------------


def test_the_values_are_those_of_the_sender() -> None:
    """Its own app and directory go before the tenant's; GUIDs are written one way."""
    found = exchange_setup(TENANT, PRESETS)
    assert found == ExchangeSetup(
        "contoso", DIRECTORY, CLIENT, RIGHT, "noreply@contoso.example", Model.MAILBOX, ""
    )
    own = Sender("a@b.example", RIGHT.upper(), client_id=RIGHT[:-1] + "2",
                 directory_id=RIGHT[:-1] + "3", cloud="china")  # fmt: skip
    other = exchange_setup(replace(TENANT, sender=own), PRESETS, model=Model.RBAC, objects=SCANNED)
    assert (other.client_id, other.directory_id) == (RIGHT[:-1] + "2", RIGHT[:-1] + "3")
    assert (other.object_id, other.environment) == (RIGHT, "O365China")


def test_the_object_id_is_given_or_configured_or_found_by_the_scan() -> None:
    """In this order."""
    bare = replace(TENANT, sender=Sender("noreply@contoso.example"))
    other = RIGHT[:-1] + "9"
    assert exchange_setup(TENANT, PRESETS, object_id=other.upper()).object_id == other
    assert exchange_setup(bare, PRESETS, object_id=f" {other} ").object_id == other
    assert exchange_setup(bare, PRESETS, objects=SCANNED).object_id == RIGHT


@pytest.mark.parametrize(
    ("given", "scanned", "told"),
    [
        (REGISTRATION, True, f"Object ID of the App registration, not the Object ID of the Enterp"
                             f"rise application. The right one is {RIGHT}."),
        (CLIENT, False, "Application (client) ID, not the Object ID of the Enterprise application"),
        (CLIENT, True, f"The right one is {RIGHT}"),
        (DIRECTORY, False, "is the Directory (tenant) ID"),
        (RIGHT[:-1] + "9", True, f"That was {RIGHT}. If the app was made anew since"),
        ("mailer", False, 'The object ID "mailer" is not a GUID. In Entra: Enterprise'),
        ("\x1b[2J", False, 'The object ID "?[2J" is not a GUID'),
        (None, False, "Say --object-id, or set enterprise_object_id under [tenant.sender]"),
    ],
)  # fmt: skip
def test_a_wrong_object_id_is_told_apart_with_the_right_one_where_it_is_known(
    given: str | None, scanned: bool, told: str
) -> None:
    """Exchange would take it, and say 535 5.7.3 ever after."""
    bare = replace(TENANT, sender=Sender("noreply@contoso.example"))
    with pytest.raises(UsageError) as caught:
        exchange_setup(bare, PRESETS, object_id=given, objects=SCANNED if scanned else ())
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("tenant", "told"),
    [
        (replace(TENANT, sender=None), "contoso has no sender"),
        (replace(TENANT, cloud="gone"), 'know no cloud "gone"'),
        (replace(TENANT, sender=Sender("o’brien@contoso.example", RIGHT)), "cannot be a mailbox"),
        (replace(TENANT, sender=Sender("zoë@contoso.example", RIGHT)), "cannot be a mailbox"),
        (replace(TENANT, sender=Sender("-x@contoso.example", RIGHT)), "cannot be a mailbox"),
        (replace(TENANT, directory_id="common"), 'directory_id "common" is not a GUID'),
    ],
)
def test_what_cannot_be_set_up_is_told(tenant: Tenant, told: str) -> None:
    """Before an administrator finds out."""
    with pytest.raises(UsageError) as caught:
        exchange_setup(tenant, PRESETS)
    assert told in str(caught.value)
    assert caught.value.remedy


# --- consent --------------------------------------------------------------------------------------


@pytest.mark.parametrize("cloud", PRESETS.values(), ids=str)
def test_the_consent_page_is_that_of_the_cloud(cloud: object) -> None:
    """All permissions of the registration; or, with a scope, those of one resource."""
    from monitor.model import Cloud

    assert isinstance(cloud, Cloud)
    whole = consent_url(cloud, DIRECTORY, CLIENT)
    assert whole == f"{cloud.authority}/{DIRECTORY}/adminconsent?client_id={CLIENT}"
    back = "https://msp.example/done?a=b&c=d"
    one = urlsplit(consent_url(cloud, DIRECTORY, CLIENT, redirect_uri=back, scope=cloud.smtp_scope,
                               state="x y"))  # fmt: skip
    assert one.path == f"/{DIRECTORY}/v2.0/adminconsent"
    assert parse_qs(one.query) == {"client_id": [CLIENT], "redirect_uri": [back],
                                   "scope": [cloud.smtp_scope], "state": ["x y"]}  # fmt: skip
    assert " " not in one.query


def test_a_consent_for_one_resource_needs_a_way_back() -> None:
    """Entra would refuse it, on a page that the customer sees."""
    with pytest.raises(ValueError, match="redirect_uri"):
        consent_url(PRESETS["global"], DIRECTORY, CLIENT, scope="x/.default")


def test_an_identifier_cannot_leave_its_place_in_the_address() -> None:
    """Whatever it holds."""
    found = urlsplit(consent_url(PRESETS["global"], "../x?y#z", "a&b=c"))
    assert (found.path, found.fragment) == ("/..%2Fx%3Fy%23z/adminconsent", "")
    assert parse_qs(found.query) == {"client_id": ["a&b=c"]}
