"""What people read is plain English of today: pages, help and messages use the field's words."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
#: Left: never written. Right: written instead.
INSTEAD = {
    "there is no tenant": "tenant 'x' not found",
    "there are no such": "no events found",
    "there are no sources": "no sources yet",
    "tried again": "retried",
    "trying again": "retrying",
    "found by itself": "auto-discovered",
    "the former": "the previous",
    "given up on": "timed out",
    "took back": "recovered",
    "at most so many": "maximum number",
}
#: Pages that are written by hand, and not the lists of what the kill tests found or the benchmarks measured.
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / "example/README.md",
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if page.parent.name not in ("providers", "adr")),
]
FACES = ("cli", "operations", "incoming", "outgoing", "engine", "tenants", "runtime", "server", "checks.py", "conf.py")


def messages(path: Path) -> Iterator[str]:
    """The texts in a module, apart from its docstrings."""
    tree = ast.parse(path.read_text())
    docstrings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings:
            yield node.value


def test_messages_and_help_are_in_plain_english() -> None:
    package = ROOT / "src/hookline"
    files = [
        file for name in FACES for file in (*(package / name).rglob("*.py"), package / name) if file.suffix == ".py"
    ]
    assert len(files) > 100
    found = [
        (str(file.relative_to(package)), text, INSTEAD[phrase])
        for file in files
        for text in messages(file)
        for phrase in INSTEAD
        if phrase in text.lower()
    ]
    assert found == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_are_in_plain_english(page: Path) -> None:
    assert [phrase for phrase in INSTEAD if phrase in page.read_text().lower()] == []


#: What comments and docstrings do without, too.
MANNERED = ("the noun ", "the nouns ", "so many seconds", " anew", "what becomes of", "by itself soon")


def test_comments_and_docstrings_are_in_plain_english() -> None:
    package = ROOT / "src/hookline"
    found = [
        (str(file.relative_to(package)), phrase)
        for file in package.rglob("*.py")
        for phrase in MANNERED
        if phrase in file.read_text().lower()
    ]
    assert found == []
