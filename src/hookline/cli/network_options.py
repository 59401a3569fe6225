"""The options that say from where a source accepts requests."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def networks_options(function: F) -> F:
    """--network and --networks-file; the command gets all of them as `networks`, or None where none was given."""

    @functools.wraps(function)
    def command(*args: Any, network: tuple[str, ...], networks_file: tuple[str, ...], **kwargs: Any) -> Any:
        found = [*network, *(one for file in networks_file for one in _read(file))]
        return function(*args, networks=found if network or networks_file else None, **kwargs)

    wrapped: Any = click.option(
        "--networks-file",
        multiple=True,
        metavar="FILE[#KEY]",
        help="The sender's published ranges: JSON, or a network on each line. KEY: only this field, such as hooks.",
    )(command)
    both: F = click.option(
        "--network",
        multiple=True,
        metavar="CIDR",
        help="Accept requests from this network only; repeat it for several.",
    )(wrapped)
    return both


def _read(file: str) -> list[str]:
    from hookline.core.networks import read_file
    from hookline.exceptions import ConfigurationError

    path, _, key = file.partition("#")
    try:
        return read_file(Path(path).read_text(encoding="utf-8"), key)
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    except ConfigurationError as error:
        raise click.UsageError(f"{path}: {error}") from None
