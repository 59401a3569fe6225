"""`manage.py hookline ...`: the same commands as `hookline`, inside a project of your own."""

from __future__ import annotations

import argparse
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import click
from django.core.management.base import BaseCommand, CommandError

from hookline.cli.root import root

#: Django's own options, which manage.py has followed already. Each has a value.
_OF_DJANGO = ("--settings", "--pythonpath")


class Command(BaseCommand):
    help = "Hookline's commands; `hookline --help` lists them."
    #: The commands say themselves what they need; `doctor` runs the checks.
    requires_system_checks = []

    def run_from_argv(self, argv: list[str]) -> None:
        root.main(args=without_options_of_django(argv[2:]), prog_name=f"{Path(argv[0]).name} {argv[1]}")

    def print_help(self, prog_name: str, subcommand: str) -> None:
        root.main(args=["--help"], prog_name=f"{Path(prog_name).name} {subcommand}")

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("args", nargs=argparse.REMAINDER)

    def handle(self, *args: str, **options: Any) -> None:
        """For `call_command("hookline", "stats", "--json", stdout=...)`. Raises CommandError."""
        with ExitStack() as streams:
            for redirect, name in ((redirect_stdout, "stdout"), (redirect_stderr, "stderr")):
                if (stream := options.get(name)) is not None:
                    streams.enter_context(redirect(stream))
            try:
                code = root.main(args=list(args), prog_name="manage.py hookline", standalone_mode=False)
            except click.ClickException as error:
                raise CommandError(error.format_message(), returncode=error.exit_code) from error
            except click.Abort as error:
                raise CommandError("aborted") from error
        if isinstance(code, int) and code:
            raise CommandError(f"exited with {code}", returncode=code)


def without_options_of_django(arguments: list[str]) -> list[str]:
    """The arguments that are ours. What stands after `--` is left alone."""
    ours: list[str] = []
    left = iter(arguments)
    for argument in left:
        if argument == "--":
            return [*ours, argument, *left]
        if argument in _OF_DJANGO:
            next(left, None)
        elif not argument.startswith(tuple(f"{name}=" for name in _OF_DJANGO)):
            ours.append(argument)
    return ours
