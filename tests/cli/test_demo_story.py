"""The demo tells what happens in the order in which it happens, whatever happens while it looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from hookline import dispatch
from hookline.cli.demo.consumer import Consumer
from hookline.cli.demo.stage import EVENT_TYPE
from hookline.cli.demo.story import Story
from hookline.cli.demo.watcher import Watcher
from hookline.core.signatures.standard_webhooks import new_secret
from hookline.models import Event
from hookline.testing import StubTransport, deliver_all, make_endpoint, make_source, post_webhook, run_events
from hookline.transport.route import Route
from hookline.transport.transport import Response
from tests.edges.conftest import Register, handler

__all__ = ["handler"]

pytestmark = pytest.mark.django_db

STEPS = ["verified", "stored", "processed", "dispatched", "delivered", "confirmed"]
#: More statements than a look makes.
MANY = 15


class Noting(Story):
    """Keeps the names of the steps."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[str] = []

    def step(self, name: str, text: str) -> None:
        self.steps.append(name)


class Verifying(StubTransport):
    """Sends to a consumer that takes everything to be genuine."""

    def __init__(self, consumer: Consumer) -> None:
        super().__init__()
        self._consumer = consumer

    async def send(self, url: str, headers: Any, body: bytes, route: Route | None = None) -> Response:
        response = await super().send(url, headers, body, route)
        self._consumer.verified.put(self.sent[-1].headers["webhook-id"])
        return response


@pytest.mark.parametrize("place", range(MANY))
def test_what_happens_while_it_looks_is_told_in_order(place: int, client: Client, handler: Register) -> None:
    def tell_the_tenant(event: Event) -> None:
        dispatch("invoice.paid", {}, tenant=event.tenant)

    handler("stripe", EVENT_TYPE)(tell_the_tenant)
    source = make_source("stripe")
    make_endpoint(tenant=source.tenant)
    consumer, story = Consumer(new_secret(bytes(32))), Noting()
    consumer.start()
    watcher = Watcher(story, consumer)
    statements = 0
    here = False

    def all_happens(execute: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal statements, here
        statements += not here
        if statements == place + 1 and not here:
            here = True
            post_webhook(client, source, EVENT_TYPE)
            run_events()
            deliver_all(Verifying(consumer))
            here = False
        return execute(*arguments)

    with connection.execute_wrapper(all_happens):
        while watcher.confirmed == 0 and statements < 5 * MANY:
            watcher.look()
    consumer.stop()
    assert story.steps == STEPS
