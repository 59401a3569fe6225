"""The ASGI application of the standalone server, for `hookline serve` and for any other ASGI server."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hookline.server.settings")

#: An edge that answers the ingest paths itself wraps the application here.
application = get_asgi_application()
