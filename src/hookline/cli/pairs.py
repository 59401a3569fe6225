"""`name=value` on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click


class Pair(click.ParamType[tuple[str, str]]):
    """A name and a value, which may be empty."""

    name = "k=v"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, equals, text = str(value).partition("=")
        if not name or not equals:
            self.fail(f"{value!r} must be written as name=value", param, ctx)
        return name, text


def merged(own: Mapping[str, Any], given: Sequence[tuple[str, str]], unset: Sequence[str]) -> dict[str, Any] | None:
    """What there was, with what is given and without what is unset; None where neither is."""
    if not given and not unset:
        return None
    return {name: value for name, value in {**own, **dict(given)}.items() if name not in unset}
