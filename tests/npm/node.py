"""Node: the process in which the senders' npm packages run, asked one line at a time."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from hookline.core.request import WebhookRequest

DIRECTORY = Path(__file__).parent


class Node:
    """Started once for all tests. What it writes on standard error is kept in the file `errors`."""

    def __init__(self, errors: Path) -> None:
        node = shutil.which("node")
        assert node, "these tests need Node: install it and run make test-npm"
        assert (DIRECTORY / "node_modules").is_dir(), "the npm packages are not installed: run make test-npm"
        self._errors = errors
        with errors.open("wb") as file:
            self._process = subprocess.Popen(
                [node, "oracles.mjs"], cwd=DIRECTORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file
            )

    def ask(
        self,
        package: str,
        action: str,
        *,
        secret: str,
        request: WebhookRequest,
        now: float,
        documents: Mapping[str, bytes],
    ) -> dict[str, Any]:
        """The package's answer about a request, as the head of oracles.mjs describes it."""
        question = {
            "package": package,
            "action": action,
            "secret": secret,
            "now": now,
            "method": request.method,
            "url": request.url,
            "headers": {name: values[0] for name, values in request.headers.items()},
            "body_base64": base64.b64encode(request.body).decode(),
            "documents": {url: content.decode() for url, content in documents.items()},
        }
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"Node ended: {self._errors.read_text(errors='replace')}"
        answer: dict[str, Any] = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:  # closes the pipes, at which Node ends, and waits for that
            pass
