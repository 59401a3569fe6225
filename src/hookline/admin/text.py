"""Showing what strangers sent: escaped, and no more of it than a page can hold."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _

from hookline.core.request import parse_json
from hookline.exceptions import Unreadable

#: Bytes of a body that a page shows.
SHOWN_BYTES = 64 * 1024
#: Characters of a reason that a list shows.
LISTED_CHARACTERS = 300


class Tone(StrEnum):
    """What a badge says besides its words."""

    GOOD = "good"
    BAD = "bad"
    WAITING = "waiting"
    NEUTRAL = "neutral"


def badge(text: object, tone: Tone) -> str:
    return format_html('<span class="hookline-badge hookline-{}">{}</span>', tone.value, text)


def with_small(text: object, *small: object) -> str:
    """A text with others below it."""
    return format_html("{}{}", text, format_html_join("", "<small>{}</small>", ((part,) for part in small if part)))


def shortened(text: str) -> str:
    return text if len(text) <= LISTED_CHARACTERS else f"{text[:LISTED_CHARACTERS]}..."


def show_body(body: bytes, size: int | None = None) -> str:
    """A body as indented JSON, or else as text in which bytes that are not UTF-8 are escapes.

    `size` is how long the body was when only its beginning was kept.
    """
    size = len(body) if size is None else size
    if not size:
        return _("(empty)")
    if size > SHOWN_BYTES or size > len(body):
        shown = body[:SHOWN_BYTES]
        return format_html(
            "<p>{}</p>{}",
            _("The first %(shown)s of %(size)s bytes:") % {"shown": len(shown), "size": size},
            _block(shown.decode("utf-8", "backslashreplace")),
        )
    try:
        return show_json(parse_json(body))
    except Unreadable:
        return _block(body.decode("utf-8", "backslashreplace"))


def show_json(value: Any) -> str:
    """A value as indented JSON."""
    return _block(json.dumps(value, indent=2, ensure_ascii=False))


def show_text(text: str) -> str:
    return _block(text[:SHOWN_BYTES]) if text else _("(empty)")


def _block(text: str) -> str:
    # JSON can spell a lone surrogate, and a page cannot hold one.
    safe = text.encode("utf-8", "backslashreplace").decode()
    return format_html('<pre style="white-space: pre-wrap; overflow-wrap: anywhere">{}</pre>', safe)
