"""Several values in one option, separated by commas."""

from __future__ import annotations

from typing import Any

import click


class Separated(click.ParamType[list[Any]]):
    """A list; empty for an empty text. `of` reads each item."""

    name = "list"

    def __init__(self, of: click.ParamType[Any] = click.STRING) -> None:
        self._of = of

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[Any]:
        if not isinstance(value, str):
            return list(value)
        return [self._of.convert(part.strip(), param, ctx) for part in value.split(",") if part.strip()]
