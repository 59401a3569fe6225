"""The server that bench.ingest measures: the edge, the edge without storing, or the plain Django view."""

from __future__ import annotations

import sys
from typing import Any

import django
import uvicorn


def application(mode: str) -> Any:
    django.setup()
    from django.core.asgi import get_asgi_application

    from hookline.incoming import asgi
    from hookline.incoming.store import Stored

    if mode == "view":
        return get_asgi_application()
    if mode == "answering":  # everything but the database
        asgi.store_groups = lambda groups: [[Stored(event.id, duplicate=False) for event in group] for group in groups]
    return asgi.IngestEdge(get_asgi_application())


if __name__ == "__main__":
    uvicorn.run(application(sys.argv[1]), port=int(sys.argv[2]), log_level="error", access_log=False, lifespan="off")
