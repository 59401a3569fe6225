"""How far it is to follow a webhook in and a message out: each file more has to be found and read. See `walk`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection, connections
from django.test import Client
from django.test.utils import override_settings

from hookline import conf, dispatch
from hookline.engine.kind import kind_of
from hookline.incoming.models import Event
from hookline.incoming.process import run as process
from hookline.outgoing.deliver.loop import DeliveryLoop
from hookline.outgoing.deliver.worker import make_transport
from hookline.outgoing.models import Delivery
from hookline.testing import sign_webhook
from tests.edges.conftest import Register
from tests.edges.conftest import handler as handler  # noqa: PLC0414  # a fixture
from tests.engine.rows import make_endpoint, make_source
from tests.outgoing.consumer import running_consumer
from tests.walk import Trace, trace

ARCHITECTURE = Path(__file__).parents[1] / "ARCHITECTURE.md"
#: So many more files may run than the table says.
SLACK = 2


class Inline(Executor):
    """Runs everything at once, in the thread that asks, so that one trace sees it all."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*arguments, **named))
        except Exception as error:  # noqa: BLE001  # whoever asked gets it
            future.set_exception(error)
        return future


def receipt(client: Client, source: Any, number: int) -> Trace:
    request = sign_webhook(source, "invoice.paid", event_id=f"evt_{number}")
    headers = {name: value for name, (value, *_) in request.headers.items() if name != "content-type"}
    path = source.path
    traced = Trace()
    with traced.running():
        answer = client.post(path, request.body, "application/json", headers=headers)
    assert answer.json()["status"] == "accepted"
    return traced


def processing() -> Trace:
    """What a worker does with what it claims."""
    kind = kind_of(Event, conf.get())
    leases = kind.leases()
    traced = Trace()
    with traced.running():
        events = leases.claim(10)
        process.fetch_sources(events)
        process.run_all(events)
    assert [event.state for event in Event.objects.filter(pk__in=[event.pk for event in events])] == ["succeeded"]
    return traced


async def delivery() -> Trace:
    """What a delivery loop does with the second of two messages to one endpoint."""
    settings = conf.get()
    async with make_transport(settings) as transport:
        leases = kind_of(Delivery, settings).leases()
        loop = DeliveryLoop(leases, settings, transport, Inline(), Inline())
        for traced in (Trace(), Trace()):
            dispatch("invoice.paid", {})
            with traced.running():
                await loop.claim()
                while not loop.idle:
                    await loop.pause(0.01)
        await loop.finish()
    states = set(Delivery.objects.values_list("state", flat=True))
    connections.close_all()  # an event loop has some of its own
    assert states == {"succeeded"}
    return traced


def published() -> dict[str, tuple[int, int, int]]:
    """Step -> stays, returns among them, and files of which a function runs, as ARCHITECTURE.md has them."""
    rows = re.findall(r"^\| (\w+) \| (\d+), (\d+) \| [^|]+ \| (\d+) \|", ARCHITECTURE.read_text(), re.MULTILINE)
    return {step: (int(stays), int(returns), int(files)) for step, stays, returns, files in rows}


@pytest.mark.django_db(transaction=True)
def test_no_walk_is_longer_than_the_architecture_says(
    client: Client, handler: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor == "postgresql":
        pytest.skip("counted on SQLite; on PostgreSQL db/ takes other ways")
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # the loop's threads are this one
    source, steps = make_source("stripe"), dict[str, Trace]()

    @handler("stripe")
    def nothing(event: Event) -> None:
        pass

    for number in range(2):  # the second time nothing is imported or remembered any more
        steps = {"receipt": receipt(client, source, number), "processing": processing()}
    settings = {**django_settings.HOOKLINE, "ALLOWED_SUBNETS": ["127.0.0.0/8"]}
    with running_consumer() as consumer, override_settings(HOOKLINE=settings):
        make_endpoint(consumer.url())
        steps["dispatch"] = [trace(lambda: dispatch("invoice.paid", {})) for _ in range(2)][-1]
        Delivery.objects.all().delete()
        steps["delivery"] = asyncio.run(delivery())

    limits = published()
    assert steps.keys() == limits.keys()
    for step, traced in steps.items():
        stays, returns, files = limits[step]
        walk = traced.walk
        assert (len(walk.stays), walk.returns) <= (stays, returns), f"{step} goes {' -> '.join(walk.stays)}"
        assert len(traced.files) <= files + SLACK, f"{step} visits {len(traced.files)} files: {sorted(traced.files)}"
