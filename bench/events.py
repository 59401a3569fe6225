"""Stripe events of about 1 kB: as the requests that Stripe would send, and as a backlog in the database."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from bench.load import http_request

if TYPE_CHECKING:
    from hookline.core.request import WebhookRequest
    from hookline.incoming.models import Source

#: Rows in one statement of `fill`.
_BATCH = 1000


def requests(source: Source, count: int, *, same: bool = False) -> Iterator[bytes]:
    """Signed requests, ready to be written to a connection; `same`: all hold the same event."""
    for request in _signed(source, count, same=same):
        headers = {name: values[0] for name, values in request.headers.items()}
        yield http_request(source.path, headers, request.body)


def fill(source: Source, count: int) -> None:
    """Store events, as if they had been received and no worker had run."""
    from hookline.incoming.asgi import verify_and_name
    from hookline.incoming.documents import documents
    from hookline.incoming.store import store

    signed = _signed(source, count)
    while batch := list(islice(signed, _BATCH)):
        store([event for request in batch for event in verify_and_name(request, source, documents.cached)[0]])


def _signed(source: Source, count: int, *, same: bool = False) -> Iterator[WebhookRequest]:
    from hookline import providers

    provider, config = providers.get("stripe"), source.config(time.time())
    repeated = f"evt_{uuid.uuid4().hex}"
    for _ in range(count):
        event_id, now = repeated if same else f"evt_{uuid.uuid4().hex}", time.time()
        yield provider.sign(provider.compose("invoice.paid", event_id, now, {"pad": "x" * 700}), config, now)
