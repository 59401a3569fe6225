"""PgBouncer, as a real process on loopback between the processes of a test and PostgreSQL."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.debian import PROGRAMS
from tests.lost_answers import LosingRelay
from tests.processes import Process, unused_port
from tests.waiting import wait_until

#: Which one is tried: Debian's, unless this names another.
PROGRAM = Path(os.environ.get("HOOKLINE_TEST_PGBOUNCER") or PROGRAMS["pgbouncer"])

#: https://www.pgbouncer.org/config.html. In transaction mode each transaction meets another session where it can, so
#: that whatever relies on one fails. Started by root it becomes another user, as it must.
SETTINGS = """
[databases]
* = host=127.0.0.1 port={server} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {connections}
max_client_conn = 500
server_round_robin = 1
"""


def version() -> tuple[int, int]:
    said = subprocess.run([str(PROGRAM), "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    assert found, said
    return int(found[1]), int(found[2])


@contextmanager
def pgbouncer(
    url: str, directory: Path, mode: str, *, prepared: int | None = None, connections: int = 5
) -> Iterator[str]:
    """The URL by which the database of `url` is reached through it.

    `prepared` is its max_prepared_statements, None for its own default; `connections` those that it has at most.
    """
    parts = urlsplit(url)
    host = parts.hostname or parse_qs(parts.query)["host"][0]
    relay, port = LosingRelay(host, parts.port or 5432), unused_port()  # it may not read the server's Unix socket
    text = SETTINGS.format(
        server=relay.port, user=parts.username or "postgres", port=port, mode=mode, connections=connections
    )
    if prepared is not None:
        text += f"max_prepared_statements = {prepared}\n"
    if os.geteuid() == 0:
        text += "user = nobody\n"
    settings = directory / "pgbouncer.ini"
    settings.write_text(text)
    for part in (directory, settings):
        part.chmod(0o755)
    process = Process([str(PROGRAM), str(settings)], {}, directory / "pgbouncer.log", Path("/"))
    try:
        wait_until(lambda: _answers(process, port), 20, f"{process} answers")
        yield f"postgresql://hookline@127.0.0.1:{port}{parts.path}"
    finally:
        process.kill()
        relay.close()
        print(f"--- PgBouncer ---\n{process.output}")


def _answers(process: Process, port: int) -> bool:
    assert process.popen.poll() is None, f"{process} ended: {process.output}"
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
