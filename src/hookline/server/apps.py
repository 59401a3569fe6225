"""The Django app of the server: it loads the user's handlers."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.signals import request_finished
from django.db import connections

from hookline.exceptions import ConfigurationError


class ServerConfig(AppConfig):
    name = "hookline.server"
    label = "hookline_server"

    def ready(self) -> None:
        # Django's ASGI handler runs each request in a thread of its own, so a connection that outlives the request is
        # never used again. The worker's threads send no such signal and keep theirs.
        request_finished.connect(_close_connections)
        if any(connection.vendor == "sqlite" for connection in connections.all()):
            from hookline.server.sqlite import ask_often, sort_on_disk  # loads SQLite

            ask_often()
            sort_on_disk()
        for module in getattr(settings, "HOOKLINE_APPS", ()):
            load_handlers(module)


def load_handlers(module: str) -> None:
    """Import a module whose handlers register themselves; of a package, its module `webhooks` as well.

    Raises ConfigurationError when there is no such module.
    """
    try:
        imported = importlib.import_module(module)
        if hasattr(imported, "__path__") and importlib.util.find_spec(f"{module}.webhooks") is not None:
            importlib.import_module(f"{module}.webhooks")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"HOOKLINE_APPS names {module!r}, but module {error.name!r} was not found; start in the directory with "
            "it, or add that to PYTHONPATH"
        ) from error


def _close_connections(**kwargs: Any) -> None:
    connections.close_all()
