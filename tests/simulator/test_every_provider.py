"""Hookline's own Django view keeps every guarantee for every sender that can be played."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db.models import Count

from hookline import dispatch, handler
from hookline.incoming.models import Event
from hookline.incoming.process.handlers import forget
from hookline.models import Message
from hookline.testing import make_source
from tests.simulator.test_sequences import SIGNING

pytestmark = pytest.mark.django_db

#: All of them take minutes: `make simulate` sets this.
PLAYED = (
    sorted(SIGNING)
    if os.environ.get("HOOKLINE_SIMULATE_ALL")
    else ["github", "gitlab", "hubspot", "slack", "standard", "twilio"]
)


@pytest.fixture
def ledger(request: pytest.FixtureRequest) -> Iterator[Callable[[], Any]]:
    """What was processed: a message for each event that a handler ran for."""

    @handler(request.getfixturevalue("name"), "*")
    def note(event: Event) -> None:
        dispatch("noted", {"event": event.public_id, "type": event.type})

    yield lambda: dict(Message.objects.values_list("type").annotate(Count("pk")))
    forget(note)


@pytest.mark.parametrize("name", PLAYED)
def test_the_view_keeps_every_guarantee(
    name: str, ledger: Callable[[], Any], hookline_simulate: Callable[..., Any]
) -> None:
    source = make_source(name, secret=SIGNING[name])

    report = hookline_simulate(source, check=ledger, examples=1)

    assert len([finding for finding in report.findings if str(finding.outcome) == "held"]) > 3
