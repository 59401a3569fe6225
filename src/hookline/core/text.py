"""Text from outside, as any database can hold it."""

from __future__ import annotations


def storable(text: str) -> str:
    """The text with NUL and lone surrogates, which PostgreSQL refuses, written as escapes."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
