"""Rules of the project that no tool checks by itself."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))


@pytest.mark.parametrize("package", ["hookline.core", "hookline.providers", "hookline.exceptions"])
def test_importing_the_pure_packages_loads_no_django_no_driver_and_no_http_client(package: str) -> None:
    impure = {"django", "psycopg", "sqlite3", "aiohttp", "httptools", "httpx", "requests"}
    code = f"""
import importlib, pkgutil, sys
import {package} as package
for module in pkgutil.walk_packages(getattr(package, "__path__", []), package.__name__ + "."):
    importlib.import_module(module.name)
print(*sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stderr == ""
    loaded = result.stdout.split()
    assert package in loaded
    assert impure.isdisjoint(loaded)


def test_every_suppressed_warning_has_its_reason_beside_it() -> None:
    bare = re.compile(r"#\s*(?:type: ignore|noqa)(?:\[[\w, -]+\]|:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?\W*$")
    lines = [(path, line) for path in SOURCES for line in path.read_text().splitlines()]
    assert [f"{path.relative_to(ROOT)}: {line.strip()}" for path, line in lines if bare.search(line)] == []


def test_no_file_is_named_for_having_no_noun() -> None:
    assert [path for path in SOURCES if path.stem in {"utils", "util", "helpers", "misc", "common"}] == []


def test_no_package_has_the_name_of_a_library_that_it_uses() -> None:
    """`hookline.celery` would be found by `import celery` from beside it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    libraries = {re.split(r"[^\w.-]", one)[0].lower() for one in required}
    assert "celery" in libraries
    assert {path.stem for path in (ROOT / "src" / "hookline").iterdir()}.isdisjoint(libraries)
