"""Commands of a few items: each block once, and named so that it can be told apart."""

from __future__ import annotations

import re

from monitor.model import Kind, Mail
from tests import mail_samples as sample
from tests.acceptance.test_mail_rules import Page

OTHER_KEY, OTHER_OBJECT = "ee00ff11-5e6f-4a7b", "c0de0002-2345-4789-8bcd-ef0123456789"


def titles(mail: Mail) -> list[str]:
    """What the blocks are called; the HTML part calls them the same."""
    found = re.findall(r"(?m)^Or by command(?:: (.*))?\n-+$", mail.text)
    shown = Page(mail.html).text
    assert all(f"Or by command: {title}" in shown for title in found if title)
    return found


def test_the_same_commands_of_one_app_are_said_once() -> None:
    """Twice the same block looks like a mistake; how often they are run is said."""
    mail = sample.digest(sample.item(-1), sample.item(2, key_id=OTHER_KEY))
    assert titles(mail) == ["Backup SMTP, once for each of the 2"]
    assert mail.text.count("az ad app credential reset") == 1


def test_two_blocks_of_one_app_say_which_is_which() -> None:
    """By kind, name, key id and tenant, as the items do."""
    fabrikam = sample.tenant("Fabrikam", directory_id="00000000-3f40-4152-a364-b576c788d99a")
    mail = sample.digest(
        sample.item(1),
        sample.item(2, key_id=OTHER_KEY, name="fax"),
        sample.item(3, kind=Kind.CERTIFICATE),
        sample.item(4, who=fabrikam, object_id=OTHER_OBJECT),
    )
    assert titles(mail) == [
        'Backup SMTP, secret "smtp-2024" (key id ab12cd34) in Contoso',
        'Backup SMTP, secret "fax" (key id ee00ff11) in Contoso',
        'Backup SMTP, certificate "smtp-2024" (key id ab12cd34) in Contoso',
        'Backup SMTP, secret "smtp-2024" (key id ab12cd34) in Fabrikam',
    ]


def test_an_apps_name_is_enough_where_no_other_bears_it() -> None:
    """And a mail about one needs none."""
    assert titles(sample.digest(sample.item())) == [""]
    mail = sample.digest(sample.item(), sample.item(9, app_name="Fax"))
    assert titles(mail) == ["Backup SMTP", "Fax"]


def test_the_last_step_names_the_one_to_delete() -> None:
    """With one there is no doubt; with several the list has the key ids."""
    saml = sample.item(9, kind=Kind.SAML_SIGNING, key_id=OTHER_KEY)
    many = "Delete the old secret. This mail shows how its key id begins."
    one = sample.digest(sample.item(), saml).text
    assert "Delete the old secret. It is the one whose key id begins ab12cd34.\n" in one
    assert "Delete the old SAML certificate. It is the one whose key id begins ee00ff11.\n" in one
    assert many in sample.digest(sample.item(), sample.item(9, key_id=OTHER_KEY)).text
    assert (
        many in sample.digest(*(sample.item(day, app_name=f"A{day}") for day in range(1, 7))).text
    )


def test_an_id_that_is_none_is_not_named() -> None:
    """A thumbprint stands in; what is no id at all stays out of the steps."""
    bare = sample.item(key_id=None, kind=Kind.CERTIFICATE, thumbprint="AABBCCDD00112233")
    text = sample.digest(bare).text
    assert "It is the one whose thumbprint begins AABBCCDD.\n" in text
    for bad in ("`x` `y` z", "", None):
        assert re.search(
            r"\d\. Delete the old secret\.\n", sample.digest(sample.item(key_id=bad)).text
        )
