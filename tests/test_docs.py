"""What a user can set, call or read is in the documentation, and what the documentation says is so."""

from __future__ import annotations

import ast
import re
import runpy
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import click
import pytest
from django.dispatch import Signal

from hookline import conf, providers, signals
from hookline.cli.root import root
from hookline.models import AuditEntry, Endpoint, Source
from hookline.server import environment, keys
from hookline.telemetry import catalogue

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
WRITTEN = [page for page in sorted(DOCS.rglob("*.md")) if page.parent.name not in ("providers", "adr", "samples")]
PAGES = [*WRITTEN, *sorted((ROOT / "example").glob("*.md")), ROOT / "README.md", ROOT / "SECURITY.md"]


def rows(page: str) -> dict[str, list[str]]:
    """The rows of a page's tables whose first cell begins with a name in backticks: name -> the other cells."""
    found = re.findall(r"^\| `([\w.]+)`([^|]*)\|(.*)\|$", (DOCS / page).read_text(), re.MULTILINE)
    return {name: [first.strip(), *(cell.strip() for cell in rest.split(" | "))] for name, first, rest in found}


def python_blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with its path."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(root))


def written_commands() -> list[tuple[str, list[str]]]:
    """Every `hookline ...` in the pages, as page and words."""
    written = []
    for page in PAGES:
        for line in page.read_text().splitlines():
            parts = re.findall(r"`([^`]*)`", line) if "`" in line else [line]
            for part in parts:
                match = re.match(r"(?:python manage\.py |manage |\$ )?hookline ((?:[a-z]|--).*)", part.strip())
                if match:
                    written.append((page.name, shlex.split(match[1].replace("...", ""), comments=True)))
    return written


@pytest.mark.parametrize("setting", fields(conf.Settings), ids=lambda setting: str(setting.name))
def test_every_setting_is_documented_with_its_default_and_why(setting: Field[Any]) -> None:
    _, written, why = rows("settings.md")[setting.name]
    assert ast.literal_eval(written.strip("`")) == setting.default
    assert why == setting.metadata["why"]
    assert setting.metadata["group"] in conf.GROUPS


def test_no_setting_is_documented_that_does_not_exist() -> None:
    assert {name for name in rows("settings.md") if name.isupper() and not name.startswith("HOOKLINE_")} == conf.NAMES


def test_exactly_the_system_checks_that_exist_are_documented() -> None:
    used = set(re.findall(r"hookline\.[EW]\d+", (ROOT / "src/hookline/checks.py").read_text()))
    assert {name for name in rows("settings.md") if name.startswith("hookline.")} == used


def test_exactly_the_variables_of_the_standalone_server_and_its_key_file_are_documented() -> None:
    named = {f"{environment.PREFIX}{name}" for name in environment.OWN}
    assert {name for name in rows("settings.md") if name.startswith(environment.PREFIX)} == named
    assert f"`{keys.FILE_NAME}`" in (DOCS / "settings.md").read_text()


@pytest.mark.django_db
def test_sources_and_endpoints_are_made_in_python_as_the_pages_say(capsys: pytest.CaptureFixture[str]) -> None:
    for page, call in (("receiving.md", "sources.create("), ("sending.md", "endpoints.create(")):
        (code,) = [code for code in python_blocks(DOCS / page) if call in code]
        exec(compile(code, page, "exec"), {})  # the pages are ours
    source, endpoint = Source.objects.get(), Endpoint.objects.get()
    assert source.disabled
    assert (endpoint.tenant.key, endpoint.event_types) == ("acme", ["order.*"])
    assert capsys.readouterr().out.splitlines() == [source.url, endpoint.secrets.secrets[0].value]
    assert {entry.actor_name for entry in AuditEntry.objects.all()} == {"ada"}


def test_every_extra_that_is_written_down_exists_and_each_is_documented() -> None:
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    text = "".join(page.read_text() for page in PAGES)
    written = {
        name.strip() for found in re.findall(r"(?:hookline|\.|whl)\[([a-z,]+)\]", text) for name in found.split(",")
    }
    assert written <= extras
    assert set(re.findall(r"^\| `(\w+)` \|", (DOCS / "install.md").read_text(), re.MULTILINE)) == extras


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_is_documented(path: tuple[str, ...]) -> None:
    assert f"`{' '.join(path)}`" in (DOCS / "operations.md").read_text()


def test_every_command_that_is_written_down_exists_and_has_its_options() -> None:
    written = written_commands()
    assert len(written) > 20
    for page, words in written:
        path = next((path for path in COMMANDS if tuple(words[: len(path)]) == path), None)
        if words[0] not in root.list_commands(click.Context(root)):
            assert words[0].startswith("-"), f"{page}: there is no command `hookline {' '.join(words)}`"
            continue
        assert path is not None, f"{page}: there is no command `hookline {' '.join(words)}`"
        known = {
            option for parameter in COMMANDS[path].params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        options = {word for word in words if word.startswith("--")}
        assert options <= known | {"--help"}, f"{page}: `hookline {' '.join(words)}` has unknown options"


def test_every_signal_is_documented() -> None:
    names = [name for name, value in vars(signals).items() if isinstance(value, Signal)]
    assert names
    text = (DOCS / "operations.md").read_text()
    assert [name for name in names if f"`{name}" not in text] == []


def test_every_metric_is_documented_and_no_other() -> None:
    assert set(rows("metrics.md")) == {metric.name for metric in catalogue.METRICS}


def test_the_generated_pages_are_what_make_docs_writes() -> None:
    generate = runpy.run_path(str(DOCS / "generate.py"))
    wanted = dict(generate["pages"]())
    assert len(wanted) == len(providers.names()) + 4
    stale = [path.name for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    assert stale == [], "run `make docs`"
    assert set((DOCS / "providers").glob("*.md")) <= set(wanted)


def test_every_page_is_in_the_menu_of_the_site() -> None:
    menu = "".join(re.findall(r"```\{toctree\}\n(.*?)```", (DOCS / "index.md").read_text(), re.DOTALL)).splitlines()
    pages = [str(page.relative_to(DOCS).with_suffix("")) for page in WRITTEN]
    assert [page for page in pages if page not in (*menu, "index")] == []


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_decision_names_tests_that_there_are() -> None:
    named = set(re.findall(r"`(test_\w+)`", "".join(page.read_text() for page in (DOCS / "adr").glob("*.md"))))
    there = set(
        re.findall(
            r"^def (test_\w+)", "".join(file.read_text() for file in (ROOT / "tests").rglob("*.py")), re.MULTILINE
        )
    )
    assert len(named) >= 4  # those that keep what a library does otherwise
    assert named <= there
