"""The lines of docs/api.md for Svix's clients, each in its own language where that is installed, against a server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.test_serve import Installation
from tests.e2e.test_serve import installation as installation  # noqa: PLC0414  # a fixture
from tests.outgoing.consumer import running_consumer
from tests.samples.test_verify import works
from tests.waiting import wait_until

PAGE = Path(__file__).parent.parent.parent / "docs" / "api.md"
PROJECTS = Path(__file__).parent / "svix"
KEY = "hk_live_made_up_for_the_lines_of_the_docs"


def python(lines: str, directory: Path) -> list[str]:
    (directory / "lines.py").write_text(f"key = {KEY!r}\n{lines}")
    return [sys.executable, "lines.py"]


def javascript(lines: str, directory: Path) -> list[str]:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PROJECTS / name, directory)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=directory, check=True, timeout=200)
    (directory / "lines.mjs").write_text(f"const key = {KEY!r};\n{lines}")  # an import may stand anywhere
    return ["node", "lines.mjs"]


def go(lines: str, directory: Path) -> list[str]:
    for name in ("go.mod", "go.sum"):
        shutil.copy(PROJECTS / name, directory)
    imports = ("context", "net/url", "github.com/svix/svix-webhooks/go", "github.com/svix/svix-webhooks/go/models")
    head = "".join(f'\t{"svix " if name.endswith("/go") else ""}"{name}"\n' for name in imports)
    program = f'package main\n\nimport (\n{head})\n\nconst key = "{KEY}"\n\nfunc main() {{\n{lines}}}\n'
    (directory / "main.go").write_text(program)
    subprocess.run(["go", "build", "-o", "lines", "."], cwd=directory, check=True, timeout=300)
    return ["./lines"]


def curl(lines: str, directory: Path) -> list[str]:
    (directory / "lines.sh").write_text(lines)
    return ["bash", "-e", "lines.sh"]


#: What it needs, the marks of its block, and what makes a command of the lines in a directory.
CLIENTS: dict[str, tuple[str, str, Callable[[str, Path], list[str]]]] = {
    "Python": (sys.executable, "python", python),
    "JavaScript": ("npm", "js", javascript),
    "Go": ("go", "go", go),
    "curl": ("curl", "", curl),
}


@pytest.mark.timeout(400)  # packages are fetched and built
@pytest.mark.parametrize("client", CLIENTS)
def test_the_lines_of_the_docs_send_a_webhook(client: str, installation: Installation, tmp_path: Path) -> None:
    program, mark, made = CLIENTS[client]
    if not works(program):
        pytest.skip(f"{program} is not installed, or not set up")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    [lines] = [block for language, block in blocks if language == mark and "acme.example.com/hooks" in block]
    installation.serve(HOOKLINE_API_KEY=KEY, HOOKLINE_ALLOWED_SUBNETS="127.0.0.0/8", HOOKLINE_POLL="0.05")
    with running_consumer() as consumer:
        lines = lines.replace("https://acme.example.com/hooks", consumer.url())
        lines = lines.replace("http://127.0.0.1:8000", installation.url)
        (directory := tmp_path / "lines").mkdir()
        environment = {**os.environ, "HOOKLINE_API_KEY": KEY}
        subprocess.run(made(lines, directory), cwd=directory, env=environment, check=True, timeout=60)
        [arrival] = wait_until(lambda: consumer.arrivals)
    assert arrival.body.replace(b" ", b"") == b'{"invoice":7}'
