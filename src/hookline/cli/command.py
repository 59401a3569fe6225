"""The noun Command: loads Django before it runs, and says what went wrong in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from hookline.exceptions import HooklineError


class Command(click.Command):
    """A command that works on the database."""

    def invoke(self, ctx: click.Context) -> Any:
        with one_line_errors():
            load_django()
            return super().invoke(ctx)


class PlainCommand(click.Command):
    """A command that loads Django itself, if it turns out to need it."""

    def invoke(self, ctx: click.Context) -> Any:
        with one_line_errors():
            return super().invoke(ctx)


class Group(click.Group):
    """A group of Commands."""

    command_class = Command


#: Packages that not every installation has -> the extra that brings them.
_EXTRAS = {"uvicorn": "server", "dj_database_url": "server", "psycopg": "postgres", "celery": "celery"}

json_option: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on standard output."
)


def load_django() -> None:
    """Set Django up, unless manage.py has done so."""
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn what a person can act on into one line on standard error and exit code 1; let programming errors through."""
    try:
        yield
    except (HooklineError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    except click.ClickException:
        raise
    except Exception as error:
        message = _explain(error)
        if message is None:
            raise
        raise click.ClickException(message) from error


def _explain(error: Exception) -> str | None:
    if isinstance(error, ModuleNotFoundError) and error.name in _EXTRAS:
        return f"the package {error.name} is not installed: pip install 'hookline[{_EXTRAS[error.name]}]'"
    from django.core.exceptions import ImproperlyConfigured, ValidationError
    from django.db import DatabaseError, OperationalError, ProgrammingError

    if isinstance(error, ValidationError):
        return " ".join(error.messages)
    if isinstance(error, ImproperlyConfigured):
        return str(error)
    if not isinstance(error, DatabaseError):
        return None
    first_line = str(error).strip().partition("\n")[0]
    if isinstance(error, OperationalError | ProgrammingError):
        if "no such table" in first_line or "does not exist" in first_line or "no such column" in first_line:
            return f"the database is not up to date ({first_line}); run `hookline migrate`"
        return f"the database does not answer: {first_line}"
    return f"the database refused: {first_line}"
