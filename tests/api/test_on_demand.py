"""The server starts without the API, which takes as long to load as all the rest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_a_server_loads_the_api_only_when_it_is_asked(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "hookline.server.settings",
        "HOOKLINE_DATABASE_URL": f"sqlite:///{tmp_path / 'hookline.db'}",
    }
    program = "import sys; from hookline.server import asgi; print({'ninja', 'pydantic'} & set(sys.modules))"
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, cwd=tmp_path, check=True
    )
    assert ended.stdout.strip() == "set()"
