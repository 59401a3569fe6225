"""The proof of `hookline adopt`: a table is taken over, killed halfway, taken over to the end, and held row by row
against what the table itself says.

    python -m tests.adoption.proof --rows 1000000 [--postgres]     (make adopt)
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.adoption.legacy import TABLE, Database, database
from tests.databases import empty_database
from tests.waiting import wait_until

KEYS = {
    "HOOKLINE_SECRET_KEY": "made up",
    "HOOKLINE_ENCRYPTION_KEYS": "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
}
_ADOPTED = re.compile(
    rf"adopted from {TABLE} (\d+), where its status was (\w+)(?:; a duplicate of {TABLE} (\d+), which)?"
)


@dataclass(frozen=True)
class Outcome:
    rows: int
    duplicates: int
    #: Of the process that was killed and of the one that went on: rows when it ended, and its largest memory in MiB.
    killed_at: int
    peak_killed: float
    peak: float
    seconds: float


class Proof:
    def __init__(self, url: str, directory: Path) -> None:
        self._url = url
        self._directory = directory
        self._environment = {
            **os.environ,
            **KEYS,
            "HOOKLINE_DATABASE_URL": url,
            "DJANGO_SETTINGS_MODULE": "hookline.server.settings",
        }

    def run(self, rows: int) -> Outcome:
        """Raises AssertionError where the result is not what the table says."""
        self._hookline("migrate")
        create = ("source", "create", "--provider", "stripe", "--secret", "whsec_made_up", "--json")
        shop, billing = (json.loads(self._hookline(*create))["id"] for _ in range(2))
        with database(self._url) as opened:
            opened.fill(rows)
            adopt = [
                "adopt", "--table", TABLE, "--source-column", "endpoint", "--map", f"shop={shop}",
                "--map", f"billing={billing}", "--event-id", "event_id", "--status", "status", "--payload", "payload",
                "--headers", "headers", "--received-at", "received_at", "--json",
            ]  # fmt: skip
            began = time.monotonic()
            peak_killed = self._kill_halfway(opened, adopt, rows)
            killed_at = events(opened)
            assert 0 < killed_at < rows, killed_at
            peak = self._to_the_end(adopt)
            seconds = time.monotonic() - began
            duplicates = check(opened, rows)
            assert events(opened) == rows
        return Outcome(rows, duplicates, killed_at, peak_killed, peak, seconds)

    def _kill_halfway(self, opened: Database, adopt: list[str], rows: int) -> float:
        with self._start(adopt) as process:
            wait_until(lambda: events(opened) >= rows // 2 or process.poll() is not None, 3600, "half of it is there")
            peak = _peak(process.pid)
            process.send_signal(signal.SIGKILL)
            process.wait(30)
        return peak

    def _to_the_end(self, adopt: list[str]) -> float:
        peak = 0.0
        with self._start(adopt) as process:
            while process.poll() is None:
                peak = max(peak, _peak(process.pid))
                try:
                    process.wait(0.2)
                except subprocess.TimeoutExpired:
                    continue
            assert process.returncode == 0, process.communicate()
        return peak

    def _start(self, adopt: list[str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "django", "hookline", *adopt]
        with (self._directory / "adopt.log").open("ab") as log:
            return subprocess.Popen(
                command, env=self._environment, cwd=self._directory, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def _hookline(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "django", "hookline", *arguments]
        result = subprocess.run(
            command, env=self._environment, cwd=self._directory, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr + result.stdout
        return result.stdout


def events(opened: Database) -> int:
    return int(opened.fetch("SELECT count(*) FROM hookline_event")[0][0])


def check(opened: Database, rows: int) -> int:
    """Hold every row against its event. What is expected is worked out here, one row at a time, from the table."""
    best: dict[tuple[str, str], tuple[bool, datetime, int]] = {}
    groups: dict[int, tuple[str, str]] = {}
    columns = "id, endpoint, event_id, status, payload, received_at"
    for key, endpoint, event_id, status, payload, received in opened.each(f"SELECT {columns} FROM {TABLE}"):
        group = groups[key] = (endpoint, event_id or f"sha256:{hashlib.sha256(payload.encode()).hexdigest()}")
        rank = (status == "processed", _moment(received), key)
        best[group] = max(best.get(group, rank), rank)
    states = {"processed": "succeeded", "failed": "dead", "received": "dead"}
    stored = "SELECT e.note, e.state, e.dedup_key, e.body, e.created_at, e.headers, l.status, l.payload, l.received_at"
    number = f"substr(e.note, {len(f'adopted from {TABLE} ') + 1}, position(',' in e.note) - {len(TABLE) + 15})"
    if opened.is_sqlite:
        number = f"substr(e.note, {len(f'adopted from {TABLE} ') + 1}, instr(e.note, ',') - {len(TABLE) + 15})"
    joined = f"hookline_event e JOIN {TABLE} l ON l.id = CAST({number} AS bigint)"
    seen: set[int] = set()
    duplicates = 0
    for note, state, dedup_key, body, created, headers, status, payload, received in opened.each(
        f"{stored} FROM {joined}"
    ):
        found = _ADOPTED.match(note)
        assert found, note
        key, kept = int(found[1]), best[groups[int(found[1])]][2]
        assert key not in seen
        seen.add(key)
        assert (bytes(body), _moment(created)) == (payload.encode(), _moment(received)), note
        kept_headers = json.loads(headers) if isinstance(headers, str) else headers
        assert kept_headers == {"stripe-signature": "t=1,v1=made-up", "user-agent": "Stripe/1.0"}, note
        if key == kept:
            name = groups[key][1]
            parsed = json.loads(payload)["id"]
            assert (state, found[2], found[3]) == (states[status], status, None), note
            assert dedup_key == f"id:{parsed if name.startswith('sha256:') else name}", note
        else:
            duplicates += 1
            assert (state, found[3]) == ("cancelled", str(kept)), note
            assert dedup_key == f"adopted:{TABLE}:{key}", note
    assert len(seen) == rows
    return duplicates


def _moment(value: Any) -> datetime:
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _peak(pid: int) -> float:
    """The largest resident memory of a process so far, in MiB."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as directory, empty_database(Path(directory)) as url:
        small = Proof(url, Path(directory)).run(rows // 20)
    with tempfile.TemporaryDirectory() as directory, empty_database(Path(directory)) as url:
        outcome = Proof(url, Path(directory)).run(rows)
    print(f"{small}\n{outcome}")
    assert outcome.peak < small.peak * 1.25, "memory grows with the table"
    print(f"{outcome.rows / outcome.seconds:.0f} rows a second; every row is what the table says")


if __name__ == "__main__":
    main()
