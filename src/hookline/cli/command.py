"""Command: loads Django before it runs, and says what went wrong in one line, or with --json as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from hookline.cli.loading import loading
from hookline.core.text import printable
from hookline.exceptions import (
    AddressRefused,
    CannotStore,
    ConfigurationError,
    Conflict,
    DispatchError,
    HooklineError,
    NotFound,
    VerificationError,
)

#: Characters of an error.
MAX_ERROR = 4000


class Command(click.Command):
    """A command that works on the database that is there; or elsewhere, where the root puts a way there into `obj`."""

    creates = False

    def invoke(self, ctx: click.Context) -> Any:
        with one_line_errors():
            if (elsewhere := ctx.find_root().obj) is not None:
                return elsewhere(ctx)
            load_django(create=self.creates)
            return super().invoke(ctx)


class CreatingCommand(Command):
    """A command that makes the database and the keys of the standalone server, if they are not there."""

    creates = True


class PlainCommand(click.Command):
    """A command that loads Django itself, if it turns out to need it."""

    def invoke(self, ctx: click.Context) -> Any:
        with one_line_errors():
            if (elsewhere := ctx.find_root().obj) is not None:
                return elsewhere(ctx)
            return super().invoke(ctx)


class Group(click.Group):
    """A group of Commands."""

    command_class = Command


class Failure(click.ClickException):
    """Something that a person can act on. `code` is for programs.

    It may quote what a stranger sent, so it becomes one line without what a terminal would obey.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(printable(message, MAX_ERROR))
        self.code = code


class DocumentPrinted(click.ClickException):
    """What failed is in the document that was printed already; this says it to people."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message, MAX_ERROR))


class JsonError(click.ClickException):
    """An error that is printed as the one JSON document of a command with --json."""

    def __init__(self, error: click.ClickException) -> None:
        super().__init__(error.format_message())
        self.exit_code = error.exit_code  # type: ignore[misc]  # click itself reads it from the instance
        self.code = error.code if isinstance(error, Failure) else "usage" if error.exit_code == 2 else "failed"

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(json.dumps({"error": {"code": self.code, "message": self.message}}, indent=2), file=file)


#: Packages that not every installation has -> the extra that brings them.
_EXTRAS = {
    "hypothesis": "simulate",
    "uvicorn": "server",
    "dj_database_url": "server",
    "psycopg": "postgres",
    "celery": "celery",
}

#: What an error is called in JSON; the first that fits.
_CODES: tuple[tuple[type[Exception], str], ...] = (
    (NotFound, "not_found"),
    (Conflict, "conflict"),
    (VerificationError, "refused"),
    (CannotStore, "cannot_store"),
    (AddressRefused, "address_refused"),
    (DispatchError, "invalid"),
    (ConfigurationError, "invalid"),
    (ValueError, "invalid"),
)

json_option: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on standard output."
)


def is_remote(ctx: click.Context) -> bool:
    """Whether the command is for the server that `hookline --server` names."""
    return bool(ctx.find_root().params.get("server"))


def something_to_change(*given: object) -> None:
    """Raises a usage error when none of an update's options was given."""
    if all(value is None for value in given):
        raise click.UsageError("nothing to change: give at least one option")


def load_django(*, create: bool = False) -> None:
    """Set Django up, unless manage.py has done so. With `create`, the standalone server may make what is missing."""
    import django
    from django.apps import apps

    if not apps.ready:
        if not create:  # in the wrong folder there would be a new, empty installation
            os.environ["HOOKLINE_CREATE"] = "no"
        with loading():
            django.setup()


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn what a person can act on into one line on standard error and exit code 1; let programming errors through."""
    try:
        yield
    except (HooklineError, ValueError) as error:
        code = next((code for kind, code in _CODES if isinstance(error, kind)), "failed")
        raise Failure(str(error), code) from error
    except click.ClickException:
        raise
    except Exception as error:
        failure = _explain(error)
        if failure is None:
            raise
        raise failure from error


def _explain(error: Exception) -> Failure | None:
    if isinstance(error, ModuleNotFoundError) and error.name in _EXTRAS:
        extra = _EXTRAS[error.name]
        return Failure(f"the package {error.name} is not installed: pip install 'hookline[{extra}]'", "not_installed")
    from django.core.exceptions import ImproperlyConfigured, ValidationError
    from django.db import DatabaseError, OperationalError, ProgrammingError

    if isinstance(error, ValidationError):
        return Failure(" ".join(error.messages), "invalid")
    if isinstance(error, ImproperlyConfigured):
        return Failure(str(error), "configuration")
    if not isinstance(error, DatabaseError):
        return None
    first_line = str(error).strip().partition("\n")[0]
    if isinstance(error, OperationalError | ProgrammingError):
        if "no such table" in first_line or "does not exist" in first_line or "no such column" in first_line:
            return Failure(
                f"the database is not up to date ({first_line}); run `hookline migrate`", "migrations_missing"
            )
        return Failure(f"the database does not answer: {first_line}", "database_unreachable")
    return Failure(f"the database refused: {first_line}", "database_refused")
