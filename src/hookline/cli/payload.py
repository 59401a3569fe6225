"""JSON that a person wrote on the command line."""

from __future__ import annotations

import json
from typing import Any

import click


def parse(text: str) -> Any:
    """The value. Raises a usage error that says where the JSON is wrong."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"that is not JSON: {error}") from None
