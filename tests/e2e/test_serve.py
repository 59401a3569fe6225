"""The standalone server and its workers as real processes over real sockets."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.databases import POSTGRES_URL
from tests.processes import Process, Processes
from tests.waiting import wait_until

HOOKLINE = str(Path(sys.executable).with_name("hookline"))

#: A handler that says when it begins, and ends when its worker has stopped to claim.
SLOW_HANDLER = """
import threading
import time
from pathlib import Path
from hookline import handler

@handler("stripe")
def slow(event):
    Path("begun").touch()
    while any(thread.name == "hookline-claim-event" for thread in threading.enumerate()):
        time.sleep(0.05)
"""

#: Modules that only those need who process, send, fetch documents or use the API. With them a server answers later.
LATER = {
    "encodings.idna", "hookline.admin", "hookline.api.build", "hookline.engine.prune", "hookline.engine.threaded",
    "hookline.engine.worker", "hookline.gateway.route", "hookline.incoming.diagnose",
    "hookline.incoming.follow_ups.run", "hookline.incoming.process.run", "hookline.incoming.retention",
    "hookline.outgoing.deliver",
    "hookline.outgoing.publish", "hookline.outgoing.retention", "hookline.replays.run", "hookline.replays.worker",
    "hookline.runtime.fleet", "hookline.simulator", "hookline.transport.transport", "ninja", "pydantic",
}  # fmt: skip


@dataclass
class Installation:
    """A directory with a database of its own, in which commands run."""

    directory: Path
    processes: Processes
    environment: dict[str, str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, *arguments: str, **environment: str) -> Process:
        """A server that accepts requests."""
        process = self.start("serve", "--port", str(self.port), *arguments, **environment)
        process.wait_for_output(f"Hookline listens on {self.url}")
        return process

    def start(self, *arguments: str, **environment: str) -> Process:
        return self.processes.hookline(*arguments, environment={**self.environment, **environment})

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [HOOKLINE, *arguments],
            capture_output=True, text=True, check=False, timeout=30, cwd=self.directory,
            env={**os.environ, **self.environment, **environment},
        )  # fmt: skip

    def json(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    def source(self) -> str:
        source_id: str = self.json("source", "create", "--provider", "stripe", "--secret", "whsec_x")["id"]
        return source_id

    def trigger(self, source: str, *arguments: str) -> Any:
        sent = self.json("trigger", "stripe", "invoice.paid", "--source", source, "--server", self.url, *arguments)
        return json.loads(sent["body"])

    def accepts(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def get(self, path: str) -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()


def started_by(process: Process) -> list[int]:
    """The ids of the processes that a supervisor says to have started."""
    return [int(pid) for pid in re.findall(r"process (\d+) started", process.output)]


def niceness(pid: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, pid)


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


#: Made up.
KEYS = {
    "HOOKLINE_SECRET_KEY": "made-up-for-the-tests-of-the-server",
    "HOOKLINE_ENCRYPTION_KEYS": f"k1:{base64.b64encode(b'32 bytes that are made up, too..').decode()}",
}


@pytest.fixture
def fresh(tmp_path: Path, processes: Processes, database_url: str, free_port: int) -> Installation:
    """An installation before its first start."""
    environment = {"HOOKLINE_DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "hookline.server.settings"}
    return Installation(tmp_path, processes, environment, free_port)


@pytest.fixture
def installation(tmp_path: Path, processes: Processes, migrated_url: str, free_port: int) -> Installation:
    """One that has its tables and keys."""
    environment = {"HOOKLINE_DATABASE_URL": migrated_url, "DJANGO_SETTINGS_MODULE": "hookline.server.settings", **KEYS}
    return Installation(tmp_path, processes, environment, free_port)


def test_the_first_start_needs_one_command_and_a_webhook_goes_all_the_way(fresh: Installation) -> None:
    server = fresh.serve()
    assert fresh.get("/readyz") == (200, {"status": "ready"})
    assert fresh.get("/healthz") == (200, {"status": "alive"})
    assert fresh.get("/nothing") == (404, {"error": {"code": "not_found"}})

    source = fresh.source()
    accepted = fresh.trigger(source, "--event-id", "evt_1")
    assert accepted["status"] == "accepted"
    assert fresh.trigger(source, "--event-id", "evt_1") == {"status": "duplicate", "id": accepted["id"]}
    [event] = wait_until(lambda: fresh.json("events", "list", "--status", "succeeded"))
    assert (event["id"], event["provider_id"]) == (accepted["id"], "evt_1")

    refused = fresh.run(
        "trigger", "stripe", "invoice.paid", "--url", f"{fresh.url}/in/nobody", "--secret", "x", "--json"
    )
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["status"] == 404
    assert fresh.json("rejections", "list")[0]["reason"] == "unknown_source"
    assert server.stop() == 0


def test_keys_are_made_beside_the_database_said_once_and_used_again(fresh: Installation) -> None:
    first = fresh.serve()
    path = fresh.directory / "hookline.keys"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert f"Hookline created new keys in {path}" in first.output
    made = path.read_text()
    source = fresh.source()
    assert first.stop() == 0
    second = fresh.serve()
    assert "created new keys" not in second.output
    assert path.read_text() == made
    assert fresh.trigger(source)["status"] == "accepted"


def test_lost_keys_stop_the_server_with_an_explanation(fresh: Installation) -> None:
    assert fresh.run("migrate").returncode == 0
    fresh.source()
    (fresh.directory / "hookline.keys").unlink()
    refused = fresh.run("serve", "--port", str(fresh.port))
    assert refused.returncode == 1
    # With SQLite the missing file is noticed at once; with PostgreSQL the secrets do not decrypt with the new keys.
    assert ("which HOOKLINE['ENCRYPTION_KEYS'] lacks" if POSTGRES_URL else "hookline.keys is missing") in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_port_in_use_is_said_in_one_line(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", installation.port)):
        refused = installation.run("serve", "--port", str(installation.port))
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith(
        f"Error: cannot listen on 127.0.0.1:{installation.port}: Address already in use"
    )
    assert "Traceback" not in refused.stderr


def test_without_migrations_nothing_starts_and_the_command_to_run_is_named(fresh: Installation) -> None:
    for command in (["serve", "--no-migrate", "--port", str(fresh.port)], ["worker"]):
        refused = fresh.run(*command)
        assert refused.returncode == 1
        assert "run `hookline migrate`" in refused.stderr
    early = fresh.run("events", "list")
    assert (early.returncode, early.stdout) == (1, "")
    assert "run `hookline migrate`" in early.stderr
    assert fresh.json("migrate")["applied"][0] == "hookline.0001_initial"
    assert fresh.json("migrate") == {"applied": []}


def test_servers_that_start_together_on_an_empty_database_all_come_up(fresh: Installation) -> None:
    started = [fresh.start("serve", "--port", "0") for _ in range(3)]
    for process in started:
        process.wait_for_output("Hookline listens on")
    assert sum("Applied to the database" in process.output for process in started) == 1
    assert [process.stop() for process in started] == [0, 0, 0]


def test_sigterm_finishes_what_has_begun_and_gives_back_the_rest(installation: Installation) -> None:
    (installation.directory / "slow_handlers.py").write_text(SLOW_HANDLER)
    # First only received: while a handler runs, SQLite lets nobody else write.
    receiver = installation.serve("--no-worker")
    source = installation.source()
    for _ in range(3):
        installation.trigger(source)
    assert receiver.stop() == 0
    server = installation.serve(HOOKLINE_APPS="slow_handlers", HOOKLINE_HANDLER_THREADS="1")
    wait_until((installation.directory / "begun").exists)
    assert server.stop() == 0
    events = installation.json("events", "list")
    assert sorted((event["status"], event["attempts"]) for event in events) == [
        ("pending", 0), ("pending", 0), ("succeeded", 1),
    ]  # fmt: skip


def test_ctrl_c_ends_the_server_cleanly(installation: Installation) -> None:
    server = installation.serve()
    server.popen.send_signal(signal.SIGINT)
    assert server.wait() == 0
    assert "Traceback" not in server.output


def test_without_a_worker_events_wait_for_a_worker_elsewhere(installation: Installation) -> None:
    installation.serve("--no-worker")
    source = installation.source()
    installation.trigger(source)
    assert [event["status"] for event in installation.json("events", "list")] == ["pending"]
    worker = installation.start("worker", "--concurrency", "2", "--only", "incoming")
    worker.wait_for_output("Hookline works")
    wait_until(lambda: installation.json("events", "list", "--status", "succeeded"))
    assert worker.stop() == 0


def test_what_the_first_answer_does_not_need_is_not_loaded_before_it(installation: Installation) -> None:
    source = installation.source()
    server = installation.serve("--no-worker", PYTHONPROFILEIMPORTTIME="1")
    installation.trigger(source)
    lines = [line for line in server.output.splitlines() if line.startswith("import time:")]
    loaded = {line.rpartition("|")[2].strip() for line in lines}
    assert "hookline.incoming.receive.asgi" in loaded
    assert loaded & LATER == set()


def test_a_worker_for_deliveries_leaves_events_alone(installation: Installation) -> None:
    installation.serve("--no-worker")
    source = installation.source()
    installation.trigger(source)
    subnets = {"HOOKLINE_ALLOWED_SUBNETS": "127.0.0.0/8"}
    created = installation.run("endpoint", "create", "--url", f"{installation.url}/nothing", **subnets)
    assert created.returncode == 0, created.stderr
    assert installation.json("dispatch", "invoice.paid", "{}")["deliveries"] == 1
    worker = installation.start("worker", "--only", "outgoing", **subnets)
    [delivery] = wait_until(lambda: [d for d in installation.json("deliveries", "list") if d["note"]])
    assert delivery["note"] == "the endpoint answered 404"
    assert [event["status"] for event in installation.json("events", "list")] == ["pending"]
    assert worker.stop() == 0


def test_processes_share_the_port_and_one_that_is_killed_is_replaced(installation: Installation) -> None:
    server = installation.serve("--processes", "2", "--single-process")
    source = installation.source()
    killed, _ = started_by(server)
    assert installation.trigger(source)["status"] == "accepted"
    os.kill(killed, signal.SIGKILL)
    server.wait_for_output(f"process {killed} ended with code -9 and will be restarted")
    wait_until(lambda: len(started_by(server)) == 3)
    assert installation.trigger(source)["status"] == "accepted"
    assert server.stop() == 0
    assert not any(map(runs, started_by(server)))


def test_a_worker_beside_the_server_is_told_at_once_and_replaced_when_it_is_killed(installation: Installation) -> None:
    # It polls once an hour, so that nothing is processed unless it is told.
    server = installation.serve(HOOKLINE_WORKER_PROCESSES="1", HOOKLINE_POLL="3600", HOOKLINE_APPS="")
    source = installation.source()
    processes = started_by(server)
    assert len(processes) == 2
    answers, works = map(niceness, processes)
    assert works == min(answers + 10, 19)  # what comes in is acknowledged first
    accepted = installation.trigger(source)
    wait_until(lambda: installation.json("events", "show", accepted["id"])["status"] == "succeeded")
    os.kill(processes[1], signal.SIGKILL)
    server.wait_for_output(f"process {processes[1]} ended with code -9 and will be restarted")
    again = installation.trigger(source)
    wait_until(lambda: installation.json("events", "show", again["id"])["status"] == "succeeded")
    assert server.stop() == 0
    assert not any(map(runs, started_by(server)))


def test_a_worker_of_several_processes_replaces_one_that_is_killed_and_works_on(installation: Installation) -> None:
    installation.serve("--no-worker")
    source = installation.source()
    worker = installation.start("worker", "--processes", "2", "--only", "incoming")
    worker.wait_for_output("Hookline works")
    killed, _ = started_by(worker)
    os.kill(killed, signal.SIGKILL)
    worker.wait_for_output(f"process {killed} ended with code -9 and will be restarted")
    wait_until(lambda: len(started_by(worker)) == 3)
    installation.trigger(source)
    wait_until(lambda: installation.json("events", "list", "--status", "succeeded"))
    assert worker.stop() == 0
    assert not any(map(runs, started_by(worker)))


def test_processes_end_when_their_supervisor_is_killed(installation: Installation) -> None:
    server = installation.serve("--processes", "2", "--no-worker")
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not installation.accepts())


def test_a_module_that_is_not_there_is_named(installation: Installation) -> None:
    refused = installation.run("serve", "--port", str(installation.port), HOOKLINE_APPS="no_such_handlers")
    assert refused.returncode == 1
    assert "HOOKLINE_APPS names 'no_such_handlers'" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_log_is_one_json_object_per_line(installation: Installation) -> None:
    server = installation.serve(HOOKLINE_LOG_FORMAT="json")
    installation.run("trigger", "stripe", "invoice.paid", "--url", f"{installation.url}/in/nobody", "--secret", "x")
    server.wait_for_output("unknown_source")
    lines = [json.loads(line) for line in server.output.splitlines() if line.startswith("{")]
    assert lines[-1]["level"] == "warning"
    assert "404 unknown_source" in lines[-1]["message"]
    assert installation.run("stats", HOOKLINE_LOG_FORMAT="xml").stderr == (
        "Error: HOOKLINE_LOG_FORMAT must be one of text, json, not 'xml'\n"
    )


#: Handlers that hang with the database's write lock, or just hang.
HANGING_HANDLER = """
import threading
from django.db import connection
from hookline import handler

@handler("stripe")
def hang(event):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE hookline_tenant SET key = key")
    threading.Event().wait()
"""


@pytest.mark.skipif(bool(POSTGRES_URL), reason="PostgreSQL takes the locks from what hangs, without a new process")
def test_a_process_whose_handler_hangs_with_the_only_write_lock_is_replaced(installation: Installation) -> None:
    (installation.directory / "hanging_handlers.py").write_text(HANGING_HANDLER)
    installation.serve("--no-worker")
    source = installation.source()
    installation.trigger(source)
    settings = {"HOOKLINE_APPS": "hanging_handlers", "HOOKLINE_HANDLER_TIMEOUT": "1", "HOOKLINE_STOP_TIMEOUT": "1"}
    url = f"{installation.environment['HOOKLINE_DATABASE_URL']}?timeout=2"  # until it is known that nobody can write
    worker = installation.start("worker", **settings, HOOKLINE_DATABASE_URL=url)
    assert worker.wait(90) == 1
    assert "must be started again: hanging_handlers.hang hangs, and nothing can be written beside it" in worker.output
    assert installation.trigger(source, "--event-id", "evt_2")["status"] == "accepted"


@pytest.mark.parametrize("package", [True, False])
def test_a_worker_says_which_handlers_it_found_also_those_of_a_package(
    installation: Installation, package: bool
) -> None:
    if package:
        (installation.directory / "shop").mkdir()
        (installation.directory / "shop" / "__init__.py").touch()
    path = Path("shop", "webhooks.py") if package else Path("shop.py")
    (installation.directory / path).write_text(SLOW_HANDLER)
    installation.run("migrate")
    worker = installation.start("worker", HOOKLINE_APPS="shop")
    worker.wait_for_output("Hookline works")
    assert f"1 handlers: {'shop.webhooks' if package else 'shop'}.slow (stripe *)" in worker.output


def test_without_handlers_the_start_warns_and_stats_and_doctor_and_lists_name_what_nobody_wanted(
    installation: Installation,
) -> None:
    server = installation.serve()
    server.wait_for_output("no handlers are registered, so every event ends as unhandled")
    installation.trigger(installation.source())
    [event] = wait_until(lambda: installation.json("events", "list", "--unhandled"))
    assert (event["status"], event["unhandled"], event["type"]) == ("succeeded", True, "invoice.paid")
    assert event["note"] == "unhandled: no handler wants this event"
    assert installation.json("stats")["unhandled_24h"] == {"invoice.paid": 1}
    told = installation.run("doctor", "--json")
    found = {finding["check"]: finding for finding in json.loads(told.stdout)}
    assert (told.returncode, found["handlers"]["result"], found["unhandled"]["result"]) == (1, "warning", "failed")
    assert "1 event of the type invoice.paid" in found["unhandled"]["detail"]
    assert found["events workers"]["result"] == found["deliveries workers"]["result"] == "ok"


def test_130_silent_connections_keep_nobody_out_of_a_server_that_may_open_128_files(installation: Installation) -> None:
    server = installation.processes.start(
        "sh", "-c", f"ulimit -n 128 && exec {HOOKLINE} serve --port {installation.port}",
        environment=installation.environment,
    )  # fmt: skip
    server.wait_for_output(f"Hookline listens on {installation.url}")
    assert "only 64 connections are accepted" in server.output
    source = installation.source()
    with contextlib.ExitStack() as stack:
        for _ in range(130):
            silent = stack.enter_context(socket.socket())
            silent.settimeout(10)
            with contextlib.suppress(OSError):
                silent.connect(("127.0.0.1", installation.port))

        def served() -> bool:
            with contextlib.suppress(OSError, HTTPException):  # while it has too many to tell each of them
                return installation.get("/healthz")[0] == 200
            return False

        wait_until(served)
        assert installation.trigger(source)["status"] == "accepted"
    assert installation.get("/readyz") == (200, {"status": "ready"})
