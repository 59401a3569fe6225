"""The documentation site: `make site` builds it with Sphinx, and fails where a link or a reference leads nowhere.

The pages are plain Markdown that reads as well on the repository's own pages; what only a site has (the menu, included
pages, the list of commands) is put in here while it is built.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import django

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from hookline.cli.root import root as commands  # noqa: E402  # imports models, so only after Django is set up
from hookline.version import __version__  # noqa: E402

project = "Hookline"
author = "The Hookline authors"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["samples/README.md"]
html_theme = "furo"
html_title = "Hookline"
html_static_path: list[str] = []
html_show_sourcelink = False

# Docstrings are written in plain text, with `code` in single backticks.
default_role = "code"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
myst_heading_anchors = 4
suppress_warnings = ["misc.highlighting_failure"]  # `INSTALLED_APPS = [..., "hookline"]` and the like

#: Pages that stand outside of docs/, and what they are called on the site.
ELSEWHERE = {
    "ARCHITECTURE.md": "architecture",
    "CHANGELOG.md": "changelog",
    "CONTRIBUTING.md": "contributing",
    "SECURITY.md": "security",
    "example/README.md": "example",
}
#: Files that the pages link to and that no page shows.
FILES = re.compile(r"\]\(((?:\.\./)+|)((?:deploy|example|src)/[^)#]+|Containerfile|LICENSE|Makefile)\)")


def put_in(app: Sphinx, page: str, text: list[str]) -> None:
    """Change a page's Markdown for the site."""
    if page in ELSEWHERE.values():
        (name,) = [name for name, known in ELSEWHERE.items() if known == page]
        text[0] = _from(ROOT / name).replace("](docs/", "](")
    if page == "reference/commands":
        text[0] += "".join(_help(name, commands.get_command(click.Context(commands), name)) for name in _names())
    if page == "providers":
        text[0] += "\n```{toctree}\n:hidden:\n:glob:\n\nproviders/*\n```\n"
    up = "../" * page.count("/")
    for name, known in ELSEWHERE.items():
        text[0] = re.sub(rf"\]\((?:\.\./)+{re.escape(name)}", f"]({up}{known}.md", text[0])
    text[0] = FILES.sub(lambda found: f"](file:{found[2]})", text[0])
    text[0] = re.sub(r"\[([^\]]*)\]\(file:([^)]+)\)", lambda found: f"`{_there(found[2])}`", text[0])


def _from(path: Path) -> str:
    """A page that stands elsewhere, its links to other such pages as docs/ would have them."""
    text = path.read_text()
    for name in ELSEWHERE:
        target = os.path.relpath(ROOT / name, path.parent)
        text = text.replace(f"]({target}", f"](../{name}")
    if path.parent != ROOT:  # its own directory's files
        text = re.sub(r"\]\((?!http|\.\./|#)([^)]+)\)", rf"]({path.parent.name}/\1)", text)
    return text


def _there(name: str) -> str:
    if not (ROOT / name).exists():
        raise FileNotFoundError(f"a page links to {name}, which does not exist")
    return name


def _names() -> list[str]:
    return commands.list_commands(click.Context(commands))


def _help(path: str, command: Any) -> str:
    """A command's own help, and that of those below it."""
    context = click.Context(command, info_name=f"hookline {path}")
    if isinstance(command, click.Group):
        below = ((name, command.get_command(context, name)) for name in command.list_commands(context))
        return "".join(_help(f"{path} {name}", sub) for name, sub in below)
    return f"\n## hookline {path}\n\n```text\n{command.get_help(context)}\n```\n"


def leave_out(app: Sphinx, what: str, *given: Any) -> None:
    """A module's own docstring speaks to those who read the code."""
    if what == "module":
        given[-1].clear()


def setup(app: Sphinx) -> None:
    app.connect("source-read", put_in)
    app.connect("autodoc-process-docstring", leave_out)
