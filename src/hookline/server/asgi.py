"""The ASGI application of the standalone server, for `hookline serve` and for any other ASGI server."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hookline.server.settings")

django_application = get_asgi_application()

# They import models, so only after Django is set up.
from hookline.api.on_demand import ApiEdges  # noqa: E402 # once Django is set up
from hookline.incoming.receive.asgi import IngestEdge  # noqa: E402 # once Django is set up

application = IngestEdge(ApiEdges(django_application))
