"""Tailscale: `Tailscale-Webhook-Signature: t=<unix seconds>,v1=<hex>[,v1=<hex>]`.

HMAC-SHA256 over `<t>.<raw body>`; the key is the webhook's secret (`tskey-webhook-...`) as text. Tailscale's sample
refuses what is older than five minutes. https://tailscale.com/kb/1213/webhooks

One request carries a list of events; each becomes an Event of its own. Its type is `type` (`nodeCreated`). They have
no ids: the deduplication key is a hash of the item, in which `timestamp` tells two apart. Webhooks for Slack, Discord
and so on are not signed this way. Where a webhook is not answered with 2xx, the events after it wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.batches import Batched
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Json
from hookline.providers.schemes.signatures import KeyValues
from hookline.providers.schemes.signed import write_iso8601


class Tailscale(Batched, HmacProvider):
    title = "Tailscale"
    docs_url = "https://tailscale.com/kb/1213/webhooks"
    secret_help = "the secret of the webhook (tskey-webhook-...)"

    signature = KeyValues("tailscale-webhook-signature", signature="v1", timestamp="t")
    signed = (TIMESTAMP, ".", BODY)
    tolerance = 300

    type_at = Json("type")
    retries = (
        "the timestamp and signature, which do not count: Tailscale's sample refuses what is older than five minutes, "
        "and retries take longer. The items have their own `timestamp`"
    )

    samples = {
        "nodeCreated": {"message": "Node laptop created", "data": {"nodeID": "nEsFwKqv1CNTRL", "deviceName": "laptop"}},
        "userApproved": {"message": "User ada@example.com approved", "data": {"user": "ada@example.com"}},
        "test": {"message": "This is a test event", "data": None},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        fixed = {"timestamp": write_iso8601(now), "version": 1, "type": event_type, "tailnet": "example.com"}
        return json_request([{**fixed, **sample}])
