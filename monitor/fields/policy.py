"""[[route]], [[ignore]] and [[recipient]]: the operator's rules about who is told."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, model_validator

from monitor.addresses import is_address
from monitor.fields import Address, Hour, Strict, Thresholds, ZoneName
from monitor.fields.options import ChannelNames, ModeField, WorkingDays
from monitor.fields.problems import nearest, printable
from monitor.model import SEVERITIES, TARGETS, Ignore, Kind, Recipient, Route, Severity

_LONGEST = 500


def _targets(value: Any) -> tuple[str, ...]:
    words = tuple(
        str(one).strip() for one in (value if isinstance(value, list | tuple) else [value])
    )
    for word in words:
        if word not in TARGETS and not is_address(word):
            near = nearest(word, TARGETS)
            hint = f'; did you mean "{near}"?' if near else ""
            told = ", ".join(f'"{one}"' for one in TARGETS)
            raise ValueError(f"must be mail addresses or words out of {told}{hint}")
    if not words:
        raise ValueError('must name somebody, like ["owners", "it@contoso.example"]')
    return tuple(dict.fromkeys(words))


def _word(known: tuple[str, ...], value: Any) -> str:
    word = str(value).strip().lower()
    if word not in known:
        raise ValueError("must be " + ", ".join(f'"{one}"' for one in known))
    return word


def _day(value: Any) -> date:
    if type(value) is date:
        return value
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError:
        raise ValueError("must be a date like 2027-03-31") from None


def _text(value: str) -> str:
    text = value.strip()
    if not 0 < len(text) <= _LONGEST or printable(text, _LONGEST) != text:
        raise ValueError(f"must be words of at most {_LONGEST} characters")
    return text


Targets = Annotated[tuple[str, ...], BeforeValidator(_targets)]
KindWord = Annotated[
    Kind, BeforeValidator(lambda value: Kind(_word(tuple(str(one) for one in Kind), value)))
]
SeverityWord = Annotated[Severity, BeforeValidator(lambda value: _word(SEVERITIES, value))]
Day = Annotated[date, BeforeValidator(_day)]
Pattern = Annotated[str, AfterValidator(_text)]
Text = Annotated[str, AfterValidator(_text)]


class RouteTable(Strict):
    """[[route]]: who is told about what fits, in place of the tenant's recipients."""

    to: Targets
    tenant: Pattern | None = None
    tag: Pattern | None = None
    app: Pattern | None = None
    owner: Pattern | None = None
    kind: KindWord | None = None
    severity: SeverityWord | None = None
    also: bool = False

    def noun(self) -> Route:
        """The rule as the other rooms know it."""
        return Route(**self.model_dump())


class IgnoreTable(Strict):
    """[[ignore]]: what nobody is told about, why, on whose word, and until when."""

    reason: Text
    author: Text
    review: Day
    tenant: Pattern | None = None
    tag: Pattern | None = None
    app: Pattern | None = None
    name: Pattern | None = None
    kind: KindWord | None = None

    @model_validator(mode="after")
    def _not_everything(self) -> Self:
        if not any((self.tenant, self.tag, self.app, self.name, self.kind)):
            raise ValueError("would ignore everything: say tenant, tag, app, name or kind")
        return self

    def noun(self) -> Ignore:
        """The rule as the other rooms know it."""
        return Ignore(**self.model_dump())


class RecipientTable(Strict):
    """[[recipient]]: how an address is told, wherever it is named."""

    address: Address
    time_zone: ZoneName | None = None
    send_hour: Hour | None = None
    working_days: WorkingDays = ()
    mode: ModeField = "digest"
    stages: Thresholds | None = None
    at_once: bool = False
    fallback: ChannelNames = ()

    def noun(self) -> Recipient:
        """The recipient as the other rooms know it."""
        return Recipient(**self.model_dump())
