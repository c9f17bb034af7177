"""Where the templates of mails are, and how a value gets into one."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from monitor.mail import blocks, breaks, words


def environment(*, autoescape: bool) -> Environment:
    """What renders the mails' templates.

    Args:
        autoescape: for HTML; off for the text part only.
    """
    found = Environment(
        loader=FileSystemLoader(folder("email")),
        autoescape=autoescape,  # noqa: S701 (off for the text part only, which is not HTML)
        undefined=StrictUndefined,
        finalize=_last_look,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["pieces"] = words.pieces
    found.filters["runs"] = breaks.runs
    found.filters["blocks"] = blocks.blocks
    return found


def folder(kind: str) -> Path:
    """The folder of that kind of templates: of a checkout, or the one that the wheel carries."""
    here = Path(__file__).resolve().parent
    packed = here / "_templates" / kind
    return packed if packed.is_dir() else here.parent / "templates" / kind


def _last_look(value: object) -> object:
    """Whatever a template prints is one harmless line, even if a view forgot to see to it."""
    return value if hasattr(value, "__html__") else words.plain(str(value), 2000)
