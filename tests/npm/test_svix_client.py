"""The svix client of npm, unchanged, against `hookline serve` over real sockets; tests/e2e has the one of PyPI."""

from __future__ import annotations

import os
import subprocess

from tests.e2e.test_serve import Installation
from tests.e2e.test_serve import installation as installation  # noqa: PLC0414  # a fixture
from tests.npm.node import DIRECTORY

KEY = "hk_live_made_up_for_the_client_of_svix"


def test_the_client_of_npm_does_all_that_it_can(installation: Installation) -> None:
    installation.serve(
        HOOKLINE_API_KEY=KEY,
        HOOKLINE_ALLOWED_SUBNETS="127.0.0.0/8",
        HOOKLINE_POLL="0.05",
        HOOKLINE_DELIVERY_RETRY_DELAYS="",
        HOOKLINE_PORTAL_URL="https://hooks.example.com/portal",
    )
    ended = subprocess.run(
        ["node", "svix_client.mjs"],
        cwd=DIRECTORY, env={**os.environ, "SERVER": installation.url, "KEY": KEY},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr
