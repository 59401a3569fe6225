"""The command line. Light to import: Django loads when a command runs, so that `--help` is instant."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """The `hookline` command: works on the standalone server, unless DJANGO_SETTINGS_MODULE names another project."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hookline.server.settings")
    # As manage.py has it: modules in the working directory can be named in HOOKLINE_APPS.
    sys.path.insert(0, "")
    from hookline.cli.loading import loading

    with loading():
        from hookline.cli.root import root

    root(prog_name="hookline")
