"""Message: one thing that happened, and what stands in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from hookline.core.locator import Locator
from hookline.db.row import Row
from hookline.tenants.models import Tenant

#: What is left of what tells of a forwarded message once it is expunged.
FOR_NOBODY: Mapping[str, Any] = {"headers": {}, "to": {}}


class Message(Row):
    """One thing that happened, serialised once. Its public id is the `webhook-id`.

    What the gateway forwards is one, too: with the sender's own bytes, and the id of the Event.
    """

    prefix = "msg"
    noun, nouns = "message", "messages"

    tenant = models.ForeignKey(
        Tenant, models.PROTECT, verbose_name=_("tenant"), related_name="messages", db_index=False
    )
    uid = models.CharField(  # noqa: DJ001  # null where there is none: nulls are not duplicates of each other
        _("uid"), max_length=256, null=True, blank=True, help_text=_("The caller's idempotency key.")
    )
    type = models.CharField(_("type"), max_length=256)
    channels = models.JSONField(_("channels"), default=list, blank=True)
    #: The exact bytes that every attempt sends; empty once its content was expunged.
    body = models.BinaryField(_("body"), editable=False)
    #: Of the request that posted it, where that had an Idempotency-Key: a hash of the key and of whose it is.
    request_key = models.UUIDField(_("request key"), null=True, editable=False)
    #: When what is not delivered by then is cancelled. NULL: never.
    expires_at = models.DateTimeField(_("expires at"), null=True, editable=False)
    #: The publisher's own words for it, by which people look for it. NULL: none.
    tags = models.JSONField(_("tags"), null=True, editable=False)
    #: When its content is removed, whatever CONTENT_RETENTION says. NULL: nobody asked, or it was.
    content_until = models.DateTimeField(_("content until"), null=True, editable=False)
    #: Of a webhook that is sent on as it came: `headers`, the sender's, by name; and `to`, the only endpoints that it
    #: may go to, by the 32 digits of their ids, each with the names of the headers that it gets; null: all of them.
    forwarded = models.JSONField(_("forwarded"), null=True, editable=False)
    #: The span in which it was dispatched, where that was traced.
    traceparent = models.CharField(_("traceparent"), max_length=55, null=True, editable=False)  # noqa: DJ001 # costs nothing where it is NULL

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "uid"], name="hookline_message_uid"),
            #: Only of those that have one, so that others cost nothing.
            models.UniqueConstraint(
                fields=["tenant", "request_key"],
                name="hookline_message_request",
                condition=models.Q(request_key__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "created_at"], name="hookline_message_tenant"),
            # As above.
            models.Index(
                fields=["expires_at", "id"],
                name="hookline_message_expiry",
                condition=models.Q(expires_at__isnull=False),
            ),
            models.Index(
                fields=["content_until", "id"],
                name="hookline_message_content",
                condition=models.Q(content_until__isnull=False),
            ),
        ]

    @property
    def json(self) -> Any:
        """The body as a value: `{"type": ..., "timestamp": ..., "data": ...}`; None once it was expunged.

        Of a forwarded one whatever the sender sent. Raises ValueError where that is no JSON.
        """
        return json.loads(bytes(self.body)) if self.body else None

    @property
    def is_expunged(self) -> bool:
        """What was forwarded may have no body, and then is expunged when it is for nobody any more."""
        return not self.body and not (self.forwarded and self.forwarded["to"])


def order_key(place: str, body: bytes, forwarded: Mapping[str, Any] | None) -> str | None:
    """What stands at a place of a message, such as `$.data.customer`, or of a forwarded one `header:X-Shop-Id`."""
    headers = forwarded["headers"] if forwarded else None
    return Locator.parse(place).of(value_of(bytes(body)), headers)


def value_of(body: bytes) -> Any:
    """The JSON of a message, for what asks about it; None where it has none, as a form that was forwarded."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
