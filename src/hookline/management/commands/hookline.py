"""`manage.py hookline ...`: the same commands as `hookline`, inside a project of your own."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from hookline.cli.root import root


class Command(BaseCommand):
    help = "Hookline's commands; `hookline --help` lists them."
    #: The commands say themselves what they need; `doctor` runs the checks.
    requires_system_checks = []

    def run_from_argv(self, argv: list[str]) -> None:
        root.main(args=argv[2:], prog_name=f"{Path(argv[0]).name} {argv[1]}")

    def print_help(self, prog_name: str, subcommand: str) -> None:
        root.main(args=["--help"], prog_name=f"{Path(prog_name).name} {subcommand}")

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("args", nargs=argparse.REMAINDER)

    def handle(self, *args: str, **options: Any) -> None:
        """For `call_command("hookline", "stats", "--json")`. Raises click's exceptions."""
        root.main(args=list(args), prog_name="manage.py hookline", standalone_mode=False)
