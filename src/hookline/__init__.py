"""Hookline: webhooks for Django, in both directions.

The public names load lazily, so that `import hookline.core` needs no Django.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from hookline.version import __version__ as __version__

if TYPE_CHECKING:
    from hookline.exceptions import Discard as Discard
    from hookline.exceptions import Retry as Retry
    from hookline.incoming.follow_ups.functions import after_commit as after_commit
    from hookline.incoming.process.handlers import handler as handler
    from hookline.outgoing.publish.dispatch import adispatch as adispatch
    from hookline.outgoing.publish.dispatch import dispatch as dispatch
    from hookline.outgoing.publish.dispatch import dispatch_many as dispatch_many
    from hookline.outgoing.publish.publication import publish as publish

__all__ = ["Discard", "Retry", "adispatch", "after_commit", "dispatch", "dispatch_many", "handler", "publish"]

_HOMES = {
    "Discard": "hookline.exceptions",
    "Retry": "hookline.exceptions",
    "adispatch": "hookline.outgoing.publish.dispatch",
    "after_commit": "hookline.incoming.follow_ups.functions",
    "dispatch": "hookline.outgoing.publish.dispatch",
    "dispatch_many": "hookline.outgoing.publish.dispatch",
    "handler": "hookline.incoming.process.handlers",
    "publish": "hookline.outgoing.publish.publication",
}


def __getattr__(name: str) -> Any:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'hookline' has no attribute {name!r}") from None
    # Kept, so that this is not called again. Nothing is kept of an import that fails: it may be too early for Django.
    found = globals()[name] = getattr(importlib.import_module(home), name)
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
