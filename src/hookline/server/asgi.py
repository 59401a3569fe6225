"""The ASGI application of the standalone server, for `hookline serve` and for any other ASGI server."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hookline.server.settings")
django.setup()

# They import models, so only after Django is set up.
from hookline.api.on_demand import ApiEdges  # noqa: E402 # once Django is set up
from hookline.incoming.receive.asgi import IngestEdge  # noqa: E402 # once Django is set up
from hookline.transport.asgi import Application  # noqa: E402 # once Django is set up
from hookline.transport.on_demand import OnDemand  # noqa: E402 # once Django is set up


def load_django() -> Application:
    """Django's own application. Its handler and views take 15 ms to load, and webhooks need neither."""
    from django.core.asgi import get_asgi_application

    return get_asgi_application()


application = IngestEdge(ApiEdges(OnDemand(load_django)))
