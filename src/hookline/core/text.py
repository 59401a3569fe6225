"""Text from outside, as any database and any log can hold it."""

from __future__ import annotations


def storable(text: str) -> str:
    """The text with NUL and lone surrogates, which PostgreSQL refuses, written as escapes."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


def printable(text: str, most: int) -> str:
    """At most `most` characters of the text for one line of a log: what is not printable is written as escapes.

    A line feed would begin a line that the sender of the text made up; an escape sequence would steer a terminal.
    """
    text = text[:most]
    if not text.isprintable():
        text = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
    return text[:most]
