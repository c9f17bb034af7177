"""What is left to do about credentials that are over: renewed, or gone. Pure words."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.mail import words
from monitor.model import Credential, Kind, ObjectType

_DATES = (Kind.GDAP, Kind.ITEM)  # nothing signs in with these, and nothing is put anywhere
_SIGN_IN_TO = (Kind.SAML_SIGNING, Kind.TOKEN_ENCRYPTION)  # no sign-in log has their key ids
_SAME = {
    Kind.GDAP: "It is the same relationship: it goes on to a later end.",
    Kind.ITEM: "It is the same date on the list: its end was set to a later one.",
}
_AUDIT = "the audit log of Entra (Monitoring, Audit logs)"
# https://learn.microsoft.com/entra/identity-platform/howto-restore-app
_RESTORE = (
    "Was the whole app deleted? For 30 days it can be restored: App registrations, "
    "Deleted applications."
)
_OWN = "Put the new value into Lapsewatch, which signs in with this one."
_RELATION = (
    "Are these rights still needed? Open Partner Center (Customers, the customer, Admin "
    "relationships) and request them anew, with the same roles."
)
_RELATION_WHO = "The audit log of Entra (Monitoring, Audit logs) may show who did that."
_DATE = (
    "What should still be watched goes back on the list of watched dates: it was taken from there, "
    "not from Entra."
)
_BESIDE = {
    Kind.GDAP: "a GDAP relationship is requested anew in Partner Center",
    Kind.ITEM: "a watched date is put back on its list",
}


def called(ones: Sequence[Credential]) -> str:
    """What these are called together, in singular or plural: secret, secrets, credentials."""
    return words.counted([one.kind for one in ones]).partition(" ")[2]


def same_key(kind: Kind) -> str:
    """What changed where no new one took its place."""
    return _SAME.get(kind, "It is the same key: its end is later than before.")


def what_removal_breaks(credential: Credential) -> str:
    """What it means that a credential is gone and nothing took its place."""
    kind = credential.kind
    if kind is Kind.GDAP:
        return "Your people have no delegated admin rights at this customer by it any more."
    if kind is Kind.SAML_SIGNING:
        return "Users cannot sign in to this app by single sign-on with it any more."
    if kind is Kind.ITEM:
        return "Nobody is warned about this date any more. What it is the end of may still end."
    if kind is Kind.TOKEN_ENCRYPTION:
        return "Entra encrypts no tokens with it any more. An app that expects that refuses them."
    word = words.kind_word(kind)
    return f"Whatever still signs in with this {word} fails. If nothing does, all is well."


def renewed_steps(left: Sequence[Credential]) -> tuple[str, ...]:
    """What is to do about old ones that are still there after their renewal."""
    log = "the app's sign-in log shows the key id in use"
    test = "test a sign-in to the app"
    tested = sum(one.kind in _SIGN_IN_TO for one in left)
    if tested == len(left):
        how = test
    else:
        how = f"{log}; for a SAML or token-encryption certificate, {test}" if tested else log
    old = f"the old {called(left)}"
    which = "" if len(left) == 1 else ": each entry here says which one is still there"
    found = (f"Make sure that everything uses the new one: {how}.", f"Then delete {old}{which}.")
    return (_OWN, *found) if any(one.own for one in left) else found


def removed_steps(gone: Sequence[Credential], *, at_once: bool) -> tuple[str, ...]:
    """What is to do when credentials are gone and nothing took their place.

    Args:
        gone: at least one.
        at_once: whether many of them went together, so that who did it comes first.
    """
    apps = [one for one in gone if one.kind not in _DATES]
    beside = [_BESIDE[kind] for kind in _DATES if any(one.kind is kind for one in gone)]
    if apps:
        told = "; ".join(beside)
        rest = (f"{told[0].upper()}{told[1:]}.",) if told else ()
        return (*_of_apps(apps, at_once=at_once), *rest)
    if len(beside) > 1:
        return (_RELATION, _DATE)
    return (_RELATION, _RELATION_WHO) if gone[0].kind is Kind.GDAP else (_DATE,)


def _of_apps(gone: Sequence[Credential], *, at_once: bool) -> tuple[str, ...]:
    it = "it" if len(gone) == 1 else "them"
    lost = any(one.kind is Kind.SECRET for one in gone)
    back = " A deleted secret cannot be brought back." if lost else ""
    restore = any(one.object_type is ObjectType.APPLICATION for one in gone)
    if at_once:
        first = (
            f"Look first at {_AUDIT}: it shows who or what removed them. Can nobody explain it? "
            "Treat it as an attack until you know better.",
            "Not meant? Begin with what people miss most: make a new one, and put it where the "
            f"old one was used.{back}",
        )
    else:
        first = (
            f"Does anything still use {f'the {called(gone)}' if it == 'it' else 'one of them'}? "
            f"Make a new one, and put it where the old one was used.{back}",
            f"{_AUDIT[0].upper()}{_AUDIT[1:]} shows who removed {it} and when.",
        )
    return (*first, *((_RESTORE,) if restore else ()))
