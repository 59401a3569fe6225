"""Outbound: a delivery as the event loop sees it, values and no model; and its parts.

Reading a model's column that was not fetched queries the database, which Django refuses on an event loop: the attempt
would be lost. So the thread that claims reads everything that sending needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from hookline import conf
from hookline.core import ids
from hookline.core.access import Access
from hookline.core.retry import RetrySchedule
from hookline.core.signatures.message_signer import MessageSigner
from hookline.db.encrypted_field import opened
from hookline.exceptions import ConfigurationError, MessageTooLarge, NotSerializable
from hookline.outgoing.models import Endpoint


@dataclass(frozen=True, slots=True, eq=False)
class Recipient:
    """An endpoint: where it is, and how it is sent to. Made once for all that a claim has for it."""

    endpoint_id: UUID
    tenant_id: UUID
    url: str
    #: Whether its breaker had nothing to forget.
    at_rest: bool
    #: What signs by every scheme, with every active secret; otherwise `unsignable` says why it cannot.
    signer: MessageSigner | None = field(repr=False)
    unsignable: str = ""
    #: How it is reached, where not simply at its URL.
    access: Access | None = field(default=None, repr=False)
    #: Its own; None: as the settings say.
    schedule: RetrySchedule | None = None


@dataclass(slots=True, eq=False)  # not frozen, which takes three times as long to make; nothing sets it later
class Outbound:
    """What is sent to whom, and which claim it belongs to."""

    #: Of the Delivery.
    id: UUID
    claim: int
    #: Counted when it was claimed, so this one is among them.
    attempts: int
    #: Whether it may have crashed a worker, so that it must be sent alone.
    is_suspect: bool
    #: Of the delivery.
    order_key: str | None
    to: Recipient

    #: The `webhook-id`, the same in every attempt.
    message_id: str
    type: str
    body: bytes = field(repr=False)
    #: The sender's own, of a webhook that was forwarded.
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    #: Why there is no body to send, where there is none.
    unsendable: str = ""
    #: Of the span in which the message was dispatched.
    traceparent: str | None = None
    #: Tries before it was last made due again by a person or a replay.
    earlier_attempts: int = 0
    #: When its first attempt ended, in Unix time. Known of those alone whose retries have a deadline.
    tried_since: float | None = None
    #: Among all that is sent to the endpoint; None where it numbers nothing.
    sequence: int | None = None

    @property
    def endpoint_id(self) -> UUID:
        return self.to.endpoint_id

    @property
    def tenant_id(self) -> UUID:
        return self.to.tenant_id

    @property
    def url(self) -> str:
        return self.to.url

    @property
    def access(self) -> Access | None:
        return self.to.access

    @property
    def number(self) -> int:
        """Of this attempt, among all that were ever made of this delivery."""
        return self.earlier_attempts + self.attempts

    @property
    def public_id(self) -> str:
        """The delivery's, for logs."""
        return ids.to_text("dlv", self.id)


def headers_for(endpoint_id: UUID, forwarded: Mapping[str, Any]) -> Mapping[str, str]:
    """Those of the sender's headers that an endpoint gets of a webhook that was forwarded."""
    headers: Mapping[str, str] = forwarded["headers"]
    names = forwarded["to"].get(endpoint_id.hex)
    return headers if names is None else {name: headers[name] for name in names if name in headers}


def access_of(endpoint: Endpoint) -> Access | None:
    """How it is reached, where not simply at its URL. Raises ConfigurationError when its encryption key is lost."""
    text = opened(endpoint, "encrypted_access")
    return Access.load(text) if text else None


def body_for(endpoint: Endpoint, body: bytes) -> tuple[bytes, str]:
    """What the endpoint gets of a message with this body, and why it cannot be made."""
    if endpoint.payload is None:
        return body, ""
    from hookline.core.payload_template import applied  # loading it takes a while; only for those who have one

    try:
        return applied(endpoint.payload, body, conf.get().MAX_MESSAGE_BYTES), ""
    except (ConfigurationError, MessageTooLarge, NotSerializable, ValueError, KeyError) as error:
        return body, f"cannot make the body for this endpoint: {error}"
