"""Stripe events of about 1 kB, signed as Stripe signs them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench.load import http_request

if TYPE_CHECKING:
    from hookline.core.request import WebhookRequest
    from hookline.incoming.models import Source


def requests(source: Source, count: int, *, same: bool = False) -> Iterator[bytes]:
    """As bytes, ready to be written to a connection. `same`: all hold the same event."""
    for request in signed(source, count, same=same):
        headers = {name: values[0] for name, values in request.headers.items()}
        yield http_request(source.path, headers, request.body)


def signed(source: Source, count: int, *, same: bool = False) -> Iterator[WebhookRequest]:
    from hookline import providers

    provider, config = providers.get("stripe"), source.config(time.time())
    repeated, began = f"evt_{uuid.uuid4().hex}", time.time()
    for _ in range(count):
        now = time.time()
        # The same id with another time in it would be another event.
        event_id, happened = (repeated, began) if same else (f"evt_{uuid.uuid4().hex}", now)
        yield provider.sign(provider.compose("invoice.paid", event_id, happened, {"pad": "x" * 700}), config, now)
