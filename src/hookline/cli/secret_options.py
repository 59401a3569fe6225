"""`--secret` and `--secret-file`: a secret as an argument, or from where the list of processes does not show it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import click

#: Bytes. A private key in PEM has some thousands.
MAX_SECRET = 64 * 1024


class SecretFile(click.ParamType[str]):
    """The name of a file with a secret in it, or `-` for standard input. Becomes the secret."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            if value == "-":
                return self._read(sys.stdin.buffer, "standard input")
            with Path(value).open("rb") as file:
                return self._read(file, value)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self.fail(f"cannot read a secret from {value}: {reason}", param, ctx)

    def _read(self, file: IO[bytes], name: str) -> str:
        """The secret without the line break at its end. Raises OSError or ValueError, not quoting what was read."""
        if file.isatty():
            return str(click.prompt("Secret", hide_input=True, err=True))
        raw = file.read(MAX_SECRET + 1)
        if len(raw) > MAX_SECRET:
            raise ValueError(f"{name} is longer than {MAX_SECRET} bytes")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"{name} is not UTF-8 text") from None
        secret = text.removesuffix("\n").removesuffix("\r")
        if not secret:
            raise ValueError(f"{name} is empty")
        return secret


def secret_options(help_text: str) -> Callable[[Any], Any]:
    """The two options for one secret; the command gets `secret`, which is None without either."""

    def add(command: Any) -> Any:
        command = click.option("--secret-file", type=SecretFile(), expose_value=False, callback=_only_one, help=_HELP)(
            command
        )
        return click.option("--secret", is_eager=True, help=help_text)(command)

    return add


def secrets_options(help_text: str) -> Callable[[Any], Any]:
    """The two options for several secrets; the command gets `secrets`, those of files behind the others."""

    def add(command: Any) -> Any:
        command = click.option(
            "--secret-file", type=SecretFile(), multiple=True, expose_value=False, callback=_append, help=_HELP
        )(command)
        return click.option("--secret", "secrets", is_eager=True, multiple=True, help=help_text)(command)

    return add


_HELP = "Read the secret from this file instead, which no list of processes shows; - is standard input."


def _only_one(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    if ctx.params.get("secret") is not None:
        raise click.UsageError("give the secret once: --secret or --secret-file", ctx)
    ctx.params["secret"] = value


def _append(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> None:
    ctx.params["secrets"] = (*ctx.params.get("secrets", ()), *values)
