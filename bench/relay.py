"""The user's code of the journey benchmark: HOOKLINE_APPS names this module. A handler that sends on what came in."""

from __future__ import annotations

import hookline
from hookline.models import Event


@hookline.handler("stripe")
def send_on(event: Event) -> None:
    hookline.dispatch("invoice.paid", event.json)
