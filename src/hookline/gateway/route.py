"""Where an event goes by the rules of its source, and as what."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hookline import providers
from hookline.exceptions import ConfigurationError, Unreadable
from hookline.gateway import headers
from hookline.gateway.models import Forward
from hookline.incoming.models import Event, Source
from hookline.outgoing.publish.forwarded import Forwarded

_NOT_IN_A_TYPE = re.compile(r"[^A-Za-z0-9._-]", re.ASCII)


def names_of(source: Source, event_type: str) -> tuple[str, ...]:
    """The type of an event, and what earlier versions of Hookline called it: rules for those go on, as handlers do."""
    return (event_type, *providers.get(source.provider).older_types(event_type))


def wanted(event: Event, rule: Forward) -> str:
    """Why a rule does not want an event; empty where it does."""
    if not any(rule.selects(name) for name in names_of(event.source, event.type)):
        return "its type is not wanted"
    if not rule.filter:
        return ""
    try:
        return "" if rule.passes(event.json) else "it does not pass the filter"
    except Unreadable:
        return "the filter finds no JSON in it"
    except ConfigurationError as error:  # written past Hookline
        return str(error)


def route(event: Event, rules: Sequence[Forward], traceparent: str | None = None) -> Forwarded | None:
    """The message that an event becomes; None where no rule wants it."""
    taken = [rule for rule in rules if not wanted(event, rule)]
    if not taken:
        return None
    ours = headers.about(
        {
            "event": event.public_id,
            "event-type": event.type,
            "source": event.source.public_id,
            "provider": event.source.provider,
            "method": event.method,
            "query": (event.url or "").partition("?")[2],
        }
    )
    names = {rule.endpoint_id: headers.chosen(event.headers, rule.headers) for rule in taken}
    sent = {name: event.headers[name] for chosen in names.values() for name in chosen}
    return Forwarded(
        id=event.pk,
        tenant_id=event.source.tenant_id,
        type=message_type(event.type),
        body=bytes(event.body),
        headers={**sent, **ours},
        to={endpoint: None if len(chosen) == len(sent) else [*chosen, *ours] for endpoint, chosen in names.items()},
        traceparent=traceparent,
    )


def message_type(event_type: str) -> str:
    """The type of an event as one of a message: `orders/create` as `orders.create`."""
    return _NOT_IN_A_TYPE.sub("_", event_type.replace("/", "."))[:256] or "event"
