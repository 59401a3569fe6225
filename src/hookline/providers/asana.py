"""Asana: `X-Hook-Signature: <hex>`, HMAC-SHA256 over the raw body; the key is this one webhook's secret as text.

https://developers.asana.com/docs/webhooks-guide

Asana chooses the secret. While the call that makes the webhook is still running it posts `X-Hook-Secret` to the URL,
unsigned, and wants the same header back. That is answered only while the source waits for first contact, and creates
no Event. The secret is *not* taken from it, since anybody could send one: it is also in the answer to your call, so
create the source without a secret, make the webhook, and then run `hookline source rotate ID --secret` with that
answer's `X-Hook-Secret`. Until then events are refused with 503, and Asana tries again for 24 hours.

One request carries many `events`; each becomes an Event of its own, its type made of the resource's type and the
action (`task.changed`). They have no ids: the deduplication key is a hash of the item, in which `created_at` tells
two apart. A heartbeat has no events and creates none. There is no signed time with a window.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import NotVerified
from hookline.providers.base import ParsedEvent, Received, Reply, SourceConfig, json_request
from hookline.providers.schemes.batches import each_item, items_at
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json, field_of
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601

_SECRET = re.compile(r"[!-~]{1,255}", re.ASCII)


class Asana(HmacProvider):
    title = "Asana"
    docs_url = "https://developers.asana.com/docs/webhooks-guide"
    secret_help = "the X-Hook-Secret in Asana's answer to the call that made the webhook"

    signature = Plain("x-hook-signature")

    type_at = Json("resource.resource_type")
    action_at = Json("action")
    retries = (
        "nothing: the items stay, and have the time at which they happened in milliseconds (Asana's page on "
        "webhooks). Asana may group them otherwise; each is recognised for itself"
    )

    samples = {
        "task.added": {"parent": {"gid": "12345", "resource_type": "project"}},
        "task.changed": {"change": {"field": "assignee", "action": "changed"}, "parent": None},
        "story.added": {"parent": {"gid": "1200", "resource_type": "task"}},
        "project.deleted": {"parent": None},
    }

    def receive(self, request: WebhookRequest, config: SourceConfig, now: float) -> Received:
        # Before anything else, since the source has no secret yet.
        secret = request.header("x-hook-secret") if request.method in self.methods else None
        if secret is None:
            return super().receive(request, config, now)
        if not config.awaiting_handshake:
            raise NotVerified("refused_handshake", "this source no longer waits for a handshake")
        if not _SECRET.fullmatch(secret):
            raise NotVerified("refused_handshake", "the X-Hook-Secret is empty, too long or not printable ASCII")
        return Received(reply=Reply(headers=(("x-hook-secret", secret),)))

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        if field_of(request.json(), "events") == []:
            return ()
        return each_item(
            request,
            items_at(request.body, "events"),
            lambda item: self.parsed_event(item, config),
            most=self.max_events,
        )

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        kind, action = self.type_at.read(request), self.action_at.read(request)
        return f"{kind}.{action}" if kind and action else ""

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        kind, _, action = event_type.partition(".")
        event = {
            "user": {"gid": "1111", "resource_type": "user"},
            "created_at": write_iso8601(now),
            "action": action,
            "resource": {"gid": event_id or "1337", "resource_type": kind},
            **(self.samples.get(event_type, {}) if data is None else data),
        }
        return json_request({"events": [event]})
