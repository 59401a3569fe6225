"""The context manager in which a project has its handlers run, such as one that enters a tenant's schema."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Any

from django.utils.module_loading import import_string

from hookline import conf
from hookline.exceptions import ConfigurationError

if TYPE_CHECKING:
    from hookline.incoming.models import Event

Factory = Callable[["Event"], AbstractContextManager[Any]]


def factory() -> Factory | None:
    """What HANDLER_CONTEXT names, if it names something. Raises ConfigurationError."""
    path = conf.get().HANDLER_CONTEXT
    return _imported(path) if path else None


@cache
def _imported(path: str) -> Factory:
    try:
        found: Factory = import_string(path)
    except ImportError as error:
        raise ConfigurationError(f"HOOKLINE['HANDLER_CONTEXT'] cannot be imported: {error}") from error
    return found
