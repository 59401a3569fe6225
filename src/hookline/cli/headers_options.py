"""`--header` and `--headers-file`: headers as arguments, or from where the list of processes does not show them."""

from __future__ import annotations

from typing import Any

import click

from hookline.cli.pairs import Pair
from hookline.cli.secret_options import SecretFile


def headers_options(command: Any) -> Any:
    """The two options; the command gets `headers`: a mapping, or None without either. Given ones replace all."""
    command = click.option(
        "--headers-file",
        type=SecretFile(),
        expose_value=False,
        callback=_add_file,
        help="Read such headers from this file, one NAME: VALUE in each line; - is standard input.",
    )(command)
    return click.option(
        "--header",
        "headers",
        type=Pair(),
        multiple=True,
        is_eager=True,
        callback=_as_mapping,
        help="A header to send with each request; those given replace all. NAME= removes them. May be repeated.",
    )(command)


def _as_mapping(
    ctx: click.Context, param: click.Parameter, values: tuple[tuple[str, str], ...]
) -> dict[str, str] | None:
    return {name: value for name, value in values if value} if values else None


def _add_file(ctx: click.Context, param: click.Parameter, text: str | None) -> None:
    if text is None:
        return
    headers: dict[str, str] = dict(ctx.params.get("headers") or {})
    for line in filter(str.strip, text.splitlines()):
        name, colon, value = line.partition(":")
        if not colon:
            raise click.UsageError("each line of the headers file must be NAME: VALUE", ctx)
        headers[name.strip()] = value.strip()
    ctx.params["headers"] = headers
