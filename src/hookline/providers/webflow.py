"""Webflow: `x-webflow-signature: <hex>`.

HMAC-SHA256 over `<x-webflow-timestamp>:<raw body>`, the timestamp being Unix milliseconds; the key is the secret key
that creating the webhook returned, or the client secret of an OAuth app, as text. Webflow asks to refuse what is older
than five minutes. Webhooks made in the site's settings are not signed, and are refused.
https://developers.webflow.com/data/docs/working-with-webhooks#validating-request-signatures

The type is the body's `triggerType` (`form_submission`). There is no event id: the deduplication key is a hash of the
body.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601


class Webflow(HmacProvider):
    title = "Webflow"
    docs_url = "https://developers.webflow.com/data/docs/working-with-webhooks"

    secret_help = "the webhook's secretKey, or the client secret of the OAuth app that created it"

    signature = Plain("x-webflow-signature")
    signed = (TIMESTAMP, ":", BODY)
    timestamp_at = Header("x-webflow-timestamp")
    timestamp_unit = "ms"
    tolerance = 300

    type_at = Json("triggerType")
    repeats_bodies = (
        "`ecomm_inventory_changed` has no time, so an inventory that goes back to an earlier quantity has the same "
        "body again; the signed timestamp tells them apart (payloads recorded by others)."
    )
    retries = (
        "not documented: whether the timestamp is that of the attempt. It counts for `ecomm_inventory_changed` only, "
        "of which a retry may then be a new event with `repeat_of`"
    )

    samples = {
        "form_submission": {
            "name": "Contact Us",
            "siteId": "65427cf400e02b306eaa049c",
            "data": {"Email": "ada@example.com"},
        },
        "site_publish": {"domains": ["example.webflow.io"], "siteId": "65427cf400e02b306eaa049c"},
        "collection_item_created": {"id": "642373cbebafc95ca4c42dfa", "siteId": "65427cf400e02b306eaa049c"},
    }

    def repeats(self, request: WebhookRequest, config: SourceConfig) -> bool:
        return self.type_at.read(request) == "ecomm_inventory_changed"

    def delivery_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        return self.timestamp_at.read(request)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request({"triggerType": event_type, "payload": {**sample, "lastUpdated": write_iso8601(now)}})
