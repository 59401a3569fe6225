"""`hookline serve --demo`: what a newcomer sees, and what he is told to paste."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.processes import Process, Processes
from tests.waiting import wait_until

pytestmark = pytest.mark.own_database

#: Each step with a part of its line, in the order in which they happen.
STEPS = [
    r"received +POST /in/\S+ -> 200 \{\"status\":\"accepted\"",
    r"verified +the signature is Stripe's",
    r"stored +evt_\w+ invoice\.paid",
    r"processed +evt_\w+ by hookline\.cli\.demo\.handlers\.invoice_paid",
    r"dispatched +msg_\w+ invoice\.paid to 1 endpoint",
    r"delivered +dlv_\w+ to http://127\.0\.0\.1:\d+/webhooks: 200",
    r"confirmed +the consumer verified msg_\w+ with the standardwebhooks package",
    r"received +POST /in/\S+ -> 401 \{\"error\":\{\"code\":\"verification_failed\"\}\}",
    r"refused +rej_\w+ signature_mismatch",
]


#: The second request comes while the event of the first is processed, or before that.
DUPLICATE = r"duplicate +POST /in/\S+ -> 200 \{\"status\":\"duplicate\""


@pytest.fixture
def demo(processes: Processes, free_port: int, tmp_path: Path) -> Process:
    (tmp_path / "mine.py").write_text(
        "from hookline import handler\n\n@handler('stripe', 'customer.*')\ndef greet(event):\n    pass\n"
    )
    environment = {
        "DJANGO_SETTINGS_MODULE": "hookline.server.settings",
        "HOOKLINE_DATABASE_URL": "sqlite:///mine.db",
        "HOOKLINE_APPS": "mine",
    }
    process = processes.hookline("serve", "--demo", "--port", str(free_port), environment=environment)
    process.wait_for_output("Ctrl-C ends the demo.")
    return process


def paste(command: str, directory: Path) -> str:
    """What a command prints in another terminal, which knows nothing of ours."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HOOKLINE_", "DJANGO_"))}
    finished = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, check=False, cwd=directory, env=environment
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def pasted(demo: Process, beginning: str) -> str:
    """The line of the output that a person would copy."""
    [line] = [line for line in demo.output.splitlines() if beginning in line]
    return line


def test_every_step_is_shown_in_order(demo: Process) -> None:
    shown = demo.output
    assert "\x1b" not in shown  # no colours where there is no terminal
    position = 0
    for step in STEPS:
        found = re.compile(step).search(shown, position)
        assert found, f"{step} is not shown after:\n{shown[:position]}"
        position = found.end()
    assert re.search(DUPLICATE, shown)


def test_the_commands_that_it_shows_work_from_another_terminal(demo: Process, tmp_path: Path) -> None:
    sent = json.loads(paste(f"{pasted(demo, ' trigger stripe ')} --json", tmp_path))
    stored = json.loads(sent["body"])["id"]
    demo.wait_for_output(f"stored     {stored}")
    wait_until(lambda: demo.output.count("confirmed") == 2)
    events = json.loads(paste(f"{pasted(demo, ' events list')} --json", tmp_path))
    assert [event["status"] for event in events] == ["succeeded", "succeeded"]


def test_the_curl_command_that_it_shows_is_signed_correctly(demo: Process) -> None:
    words = shlex.split(pasted(demo, "curl -i"))
    url, body = words[2], words[words.index("--data-binary") + 1]
    headers = dict(words[place + 1].split(": ", 1) for place, word in enumerate(words) if word == "-H")
    with urlopen(Request(url, body.encode(), headers), timeout=10) as answer:
        assert json.loads(answer.read())["status"] == "accepted"


def test_handlers_of_the_user_run_in_it_too(demo: Process, tmp_path: Path) -> None:
    trigger = pasted(demo, " trigger stripe ").replace("invoice.paid", "customer.created")
    paste(trigger, tmp_path)
    demo.wait_for_output("by mine.greet")


def test_ctrl_c_ends_it_and_leaves_nothing_behind(demo: Process, tmp_path: Path) -> None:
    [database] = re.findall(r"database +(\S+) \(gone when the demo ends\)", demo.output)
    assert Path(database).exists()
    demo.popen.send_signal(signal.SIGINT)
    assert demo.wait() == 0
    assert "Traceback" not in demo.output
    assert not Path(database).parent.exists()
    # Nor was the user's own database touched.
    assert not (tmp_path / "mine.db").exists()


def test_it_does_not_run_in_a_project_that_has_its_own_settings(processes: Processes) -> None:
    process = processes.hookline("serve", "--demo", environment={"DJANGO_SETTINGS_MODULE": "tests.settings"})
    assert process.wait() == 1
    assert "run `hookline serve --demo` without DJANGO_SETTINGS_MODULE" in process.output
