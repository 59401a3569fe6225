"""The ASGI application of the standalone server, for `hookline serve` and for any other ASGI server."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hookline.server.settings")

django_application = get_asgi_application()

# After Django is set up, because the edge imports models.
from hookline.incoming.asgi import IngestEdge  # noqa: E402

application = IngestEdge(django_application)
