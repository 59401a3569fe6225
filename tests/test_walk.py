"""How many files a webhook in and a message out visit: each is one more that has to be read to follow them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
from django.db import connection
from django.test import Client

import hookline
from hookline import dispatch
from hookline.incoming.models import Event
from hookline.testing import deliver_all, run_events, sign_webhook
from tests.edges.conftest import Register
from tests.edges.conftest import handler as handler  # noqa: PLC0414  # a fixture
from tests.engine.rows import make_endpoint, make_source

ROOT = Path(hookline.__file__).parent
ARCHITECTURE = Path(__file__).parents[1] / "ARCHITECTURE.md"
#: By so many files the table may be out of date.
BEHIND = 2


def visited(call: Callable[[], object]) -> set[str]:
    """The files of Hookline of which the call runs a function, in this thread; but for what drives it."""
    found: set[str] = set()

    def look(frame: FrameType, event: str, arg: object) -> None:
        if event == "call" and frame.f_code.co_name != "<module>":
            found.add(frame.f_code.co_filename)

    sys.setprofile(look)
    try:
        call()
    finally:
        sys.setprofile(None)
    ours = {Path(name).relative_to(ROOT) for name in found if name.startswith(f"{ROOT}/")}
    return {str(path) for path in ours if path.parts[0] not in ("testing", "testing.py")}


def published() -> dict[str, tuple[int, int]]:
    """Step -> files in all, and files of its direction, as ARCHITECTURE.md has them."""
    rows = re.findall(r"^\| (\w+) \| (\d+), (\d+) of them in", ARCHITECTURE.read_text(), re.MULTILINE)
    return {step: (int(files), int(own)) for step, files, own in rows}


@pytest.mark.django_db(transaction=True)
def test_no_flow_visits_more_files_than_the_architecture_says(client: Client, handler: Register) -> None:
    if connection.vendor == "postgresql":
        pytest.skip("counted on SQLite; on PostgreSQL db/ takes other ways")
    source, steps = make_source("stripe"), dict[str, set[str]]()
    make_endpoint()

    @handler("stripe")
    def nothing(event: Event) -> None:
        pass

    for number in range(2):  # the second time nothing is imported or remembered any more
        signed = sign_webhook(source, "invoice.paid", event_id=f"evt_{number}")
        headers = {name: value for name, (value, *_) in signed.headers.items() if name != "content-type"}

        def post() -> None:
            answer = client.post(source.path, signed.body, "application/json", headers=headers)  # noqa: B023
            assert answer.json()["status"] == "accepted"

        steps = {
            "receipt": visited(post),
            "processing": visited(run_events),
            "dispatch": visited(lambda: dispatch("invoice.paid", {})),
            "delivery": visited(deliver_all),
        }
    own = {"receipt": "incoming", "processing": "incoming", "dispatch": "outgoing", "delivery": "outgoing"}
    counted = {
        step: (len(files), sum(name.startswith(f"{own[step]}/") for name in files)) for step, files in steps.items()
    }
    limits = published()
    assert counted.keys() == limits.keys()
    for step, (files, of_direction) in counted.items():
        assert files <= limits[step][0] + BEHIND, (
            f"{step} visits {files} files; is the new one worth it? {sorted(steps[step])}"
        )
        assert of_direction <= limits[step][1] + BEHIND, f"{step} visits {of_direction} files of its direction"
