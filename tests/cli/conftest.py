"""Running commands inside the tests' own process, on the tests' own database."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hookline.cli.root import root


class Cli:
    """Calls `hookline` commands."""

    def run(self, *arguments: str) -> Result:
        """Whatever comes of it."""
        return CliRunner().invoke(root, arguments, prog_name="hookline")

    def text(self, *arguments: str) -> str:
        """What a successful command prints on standard output."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: str) -> Any:
        """The document that a successful command prints with --json."""
        return json.loads(self.text(*arguments, "--json"))

    def fails(self, *arguments: str) -> str:
        """What a command that exits with 1 says on standard error: one line, and nothing on standard output."""
        result = self.run(*arguments)
        assert (result.exit_code, result.stdout) == (1, ""), result.output
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1, result.stderr
        return result.stderr.removeprefix("Error: ").rstrip("\n")


@pytest.fixture
def cli() -> Cli:
    return Cli()
