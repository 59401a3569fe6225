"""`make api-contract`: Schemathesis against `hookline serve` for a minute. Ends with 1 where an answer is wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.request import urlopen

from tests.processes import unused_port
from tests.waiting import wait_until

#: Made up.
KEY = "hk_live_made_up_for_the_contract_of_the_api"
BIN = Path(sys.executable).parent
#: Never 500, and every answer as the document says.
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
SECONDS = "60"


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        port = unused_port()
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "hookline.server.settings",
            "HOOKLINE_DATABASE_URL": f"sqlite:///{directory}/hookline.db",
            "HOOKLINE_API_KEY": KEY,
        }
        server = subprocess.Popen([BIN / "hookline", "serve", "--port", str(port)], env=environment, cwd=directory)
        try:
            url = f"http://127.0.0.1:{port}/api/v1"
            wait_until(lambda: answers(f"{url}/health/ping"), 60, "the server answers")
            command = [
                str(BIN / "schemathesis"), "run", f"{url}/openapi.json", "--header", f"Authorization: Bearer {KEY}",
                "--checks", CHECKS, "--phases", "coverage,fuzzing", "--max-examples", "10", "--max-time", SECONDS,
                "--warnings", "off", *sys.argv[1:],
            ]  # fmt: skip
            return subprocess.run(command, check=False, cwd=directory).returncode
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:
            return bool(answer.status == 204)
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
