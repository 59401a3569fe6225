"""What an endpoint would get of the messages that are there: a look, before something of it is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hookline import conf
from hookline.core.event_types import matches
from hookline.exceptions import ConfigurationError, DispatchError
from hookline.operations.endpoint_fields import checked
from hookline.outgoing.models import Endpoint, Message, value_of
from hookline.outgoing.publish.filtering import passes

#: What decides what an endpoint gets.
PREVIEWED = ("event_types", "channels", "filter", "payload")


@dataclass(frozen=True, slots=True)
class Preview:
    """What an endpoint would get of a message: the body, or why none."""

    message: Message
    reason: str = ""
    body: bytes = b""


def preview(endpoint: Endpoint, *, limit: int = 100, **fields: Any) -> list[Preview]:
    """What the endpoint would get of the newest messages of its tenant; nothing is changed.

    What is given of PREVIEWED takes the place of its own. Raises ConfigurationError.
    """
    changed = checked(fields)
    given = {name: changed.get(name, getattr(endpoint, name)) for name in PREVIEWED}
    newest = Message.objects.filter(tenant=endpoint.tenant_id).order_by("-created_at", "-id")[:limit]
    return [_previewed(message, endpoint.pk, given) for message in newest]


def preview_as_json(preview: Preview) -> dict[str, Any]:
    return {
        "message": preview.message.public_id,
        "type": preview.message.type,
        "wanted": not preview.reason,
        "reason": preview.reason,
        "body": preview.body.decode("utf-8", "backslashreplace") if preview.body else None,
    }


def _previewed(message: Message, endpoint_id: UUID, given: Mapping[str, Any]) -> Preview:
    from hookline.core.payload_template import applied  # loading it takes a while

    patterns, channels, text, payload = (given[name] for name in PREVIEWED)
    if message.forwarded is not None and endpoint_id.hex not in message.forwarded["to"]:
        return Preview(message, "it was forwarded to other endpoints")
    if patterns and not any(matches(pattern, message.type) for pattern in patterns):
        return Preview(message, "its type is not wanted")
    if channels and not set(channels).intersection(message.channels):
        return Preview(message, "it is on no channel of the endpoint")
    body = bytes(message.body)
    if message.is_expunged:
        return Preview(message, "its content was expunged")
    if text and not passes(text, value_of(body)):
        return Preview(message, "it does not pass the filter")
    try:
        return Preview(message, body=body if payload is None else applied(payload, body, conf.get().MAX_MESSAGE_BYTES))
    except (DispatchError, ConfigurationError, ValueError) as error:
        return Preview(message, f"the payload cannot be made: {error}")
