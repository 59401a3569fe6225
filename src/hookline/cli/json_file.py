"""JSON in a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click


class JsonFile(click.ParamType[Any]):
    """The name of a file with JSON in it, or `-` for standard input. Becomes the value."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(sys.stdin.read() if value == "-" else Path(value).read_text("utf-8"))
        except (OSError, ValueError) as error:
            self.fail(f"cannot read JSON from {value}: {error}", param, ctx)
