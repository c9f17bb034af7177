"""What to do about a date that people keep, before its end and after it. Pure.

Apple's push certificate: renewed with the Apple account that made it, and for a short time after
its end too; a new one in its place costs the enrolment of every device. Fact: "Renew Apple MDM
push certificate" on
https://learn.microsoft.com/mem/intune/enrollment/apple-mdm-push-certificate-get
"""

from __future__ import annotations

from collections.abc import Mapping

from monitor.mail import words
from monitor.model import Credential, Sort

_PORTAL = "in Apple's Push Certificates Portal, with the Apple account that made it"
_RENEW_IT = (
    "Choose Renew beside it, not Create a Certificate: with another one every device has to be "
    "enrolled again."
)
_BEFORE: Mapping[str, tuple[str, ...]] = {
    Sort.APPLE_PUSH: (f"Renew it {_PORTAL}.", _RENEW_IT),
    Sort.CERTIFICATE: ("Renew the certificate with whoever issued it, and put it in place.",),
    Sort.CONTRACT: ("Renew the contract, or prepare its end.",),
    Sort.DOMAIN: ("Renew the domain with its registrar.",),
    Sort.OTHER: ("Renew it with whoever issued it.",),
}
_AFTER: Mapping[str, tuple[str, ...]] = {
    Sort.APPLE_PUSH: (
        f"It has ended. Renew it at once {_PORTAL}: Apple allows that for a short time only.",
        _RENEW_IT,
        "Is there no Renew any more? Then make a new one, and enrol every device again.",
    ),
    Sort.CERTIFICATE: (
        "It has ended, and programs refuse it. Get a new one from whoever issued it, and put it "
        "in place at once.",
    ),
    Sort.CONTRACT: ("The contract has ended. Agree on a new one, or end what relies on it.",),
    Sort.DOMAIN: (
        "Renew the domain with its registrar at once. Most give it back for some weeks after its "
        "end; then anybody can take it.",
    ),
    Sort.OTHER: ("It has ended. Renew it with whoever issued it, or end what relies on it.",),
}
_READ = "The next scan of the tenant reads the new end from the server."
_TOLD = (
    "Give Lapsewatch the new end: change the `[[item]]` and import the file again, or run "
    "`lapsewatch item add` with the same name."
)
_GONE = "If it is not needed any more, `lapsewatch item remove` ends the reminders."


def steps(credential: Credential, enter: str, *, lapsed: bool) -> tuple[str, ...]:
    """The steps for one such date.

    Args:
        credential: the date; its name holds the sort, and the host that shows it, if any.
        enter: the step that says where the new one is entered; empty where nobody keeps that.
        lapsed: the date has passed.
    """
    sort, _, host = (credential.name or "").partition(" ")
    which = _AFTER if lapsed else _BEFORE
    told = _READ if host else _TOLD
    last = f"{told} {_GONE}" if lapsed else told
    return tuple(filter(None, (*which.get(sort, which[Sort.OTHER]), enter, last)))


def title(credential: Credential, *, lapsed: bool) -> str:
    """What these steps are about, among others."""
    word = words.thing(credential)
    return f"Lapsed {word}" if lapsed else f"{word[0].upper()}{word[1:]}"
