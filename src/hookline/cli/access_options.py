"""`--client-certificate`, `--proxy` and `--oauth2`: how an endpoint is reached, where not simply at its URL."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from hookline.cli.secret_options import SecretFile

F = TypeVar("F", bound=Callable[..., Any])
NONE = "none"


class SecretFileOrNone(SecretFile):
    """The same, or `none`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return "" if value == NONE else super().convert(value, param, ctx)


def access_options(function: F) -> F:
    """The options; the command gets `access`: a mapping of those that were given, or None where none was."""

    @functools.wraps(function)
    def command(
        *args: Any,
        client_certificate: str | None,
        proxy: str | None,
        proxy_file: str | None,
        oauth2: str | None,
        **kwargs: Any,
    ) -> Any:
        if proxy is not None and proxy_file is not None:
            raise click.UsageError("give the proxy once: --proxy or --proxy-file")
        proxy = proxy_file if proxy is None else proxy.replace(NONE, "") if proxy == NONE else proxy
        given = {"client_certificate": client_certificate, "proxy": proxy, "oauth2": read_json(oauth2)}
        access = {name: value or None for name, value in given.items() if value is not None}
        return function(*args, access=access or None, **kwargs)

    options = (
        click.option(
            "--client-certificate",
            type=SecretFileOrNone(),
            help="A file with a client certificate and its private key in PEM, for mutual TLS; 'none' removes it.",
        ),
        click.option("--proxy", help="A forward proxy, such as http://proxy.example.com:3128; 'none' removes it."),
        click.option("--proxy-file", type=SecretFile(), help="Read the proxy, with user and password, from this file."),
        click.option(
            "--oauth2",
            type=SecretFileOrNone(),
            help='A file with OAuth 2.0 client credentials: {"token_url": ..., "client_id": ..., "client_secret": '
            "..., \"scope\": ...}; 'none' removes them.",
        ),
    )
    wrapped: Any = command
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]  # click's decorators return what they get


def read_json(text: str | None) -> Any:
    """What the file of `--oauth2` holds. Raises a usage error."""
    if not text:
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise click.UsageError("the file of --oauth2 is not JSON") from None
