"""MongoDB Atlas alerts: `X-MMS-Signature: <base64>`, HMAC-**SHA1** over the raw body; the key is the webhook's secret.

A page of MongoDB says hex; the receivers of others that were found all read base64.
https://www.mongodb.com/docs/atlas/configure-alerts/

The type is the body's `eventTypeName` with its `status` behind it (`HOST_DOWN.OPEN`). `id` is that of the alert, the
same when it is closed, so the deduplication key is a hash of the body, in which `updated` tells two notifications
apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601


class MongodbAtlas(HmacProvider):
    title = "MongoDB Atlas"
    docs_url = "https://www.mongodb.com/docs/atlas/configure-alerts/"
    aliases = ("atlas",)
    secret_is_yours = True

    signature = Plain("x-mms-signature")
    digest = "sha1"
    encoding = "base64"

    type_at = Json("eventTypeName")
    status_at = Json("status")
    retries = "not documented; the body is taken to stay"

    samples = {
        "HOST_DOWN.OPEN": {"id": "57b76ddc96e8215c017ceafb", "hostnameAndPort": "127.0.0.1:27017"},
        "HOST_DOWN.CLOSED": {"id": "57b76ddc96e8215c017ceafb", "hostnameAndPort": "127.0.0.1:27017"},
        "OUTSIDE_METRIC_THRESHOLD.OPEN": {"id": "57b76ddc96e8215c017ceafc", "metricName": "ASSERT_REGULAR"},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        name, status = self.type_at.read(request), self.status_at.read(request)
        return f"{name}.{status}" if name and status else name

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        name, _, status = event_type.partition(".")
        body = {
            "groupId": "535683b3794d371327b",
            **(self.samples.get(event_type, {}) if data is None else data),
            "eventTypeName": name,
            "status": status,
            "updated": write_iso8601(now),
        }
        return json_request(body)
