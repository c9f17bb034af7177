"""`[[forbid]]`: where no credential should appear."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from monitor.fields import Strict
from monitor.fields.problems import BIDI_OR_HIDDEN
from monitor.model import Forbid, Kind


def _words(value: str) -> str:
    text = value.strip()
    if not text or len(text) > 400:
        raise ValueError("must be 1 to 400 characters")
    if not text.isprintable() or BIDI_OR_HIDDEN.search(text):
        raise ValueError("must be one line without control characters")
    return text


Words = Annotated[str, AfterValidator(_words)]


class ForbidTable(Strict):
    """One rule; each key that is given must fit."""

    reason: Words
    tenant: Words | None = None
    tag: Words | None = None
    app: Words | None = None
    kind: Kind | None = None

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if not (self.tenant or self.tag or self.app or self.kind):
            raise ValueError('says nowhere; add tenant, tag, app or kind (everywhere: app = "*")')
        return self

    def noun(self) -> Forbid:
        """The rule as the other rooms know it."""
        return Forbid(self.reason, self.tenant, self.tag, self.app, self.kind)
