"""SurveyMonkey: `Sm-Signature: <base64>`, HMAC-**SHA1** over the raw body.

The key is the app's client id and client secret with `&` between them, as text: `CLIENT_ID&CLIENT_SECRET`.
https://developer.surveymonkey.com/api/v3/#api-endpoints-webhooks

When the webhook is made, SurveyMonkey checks the URL with a HEAD, which is not signed: it is answered with an empty
200 and creates no Event. `Sm-Apikey`, the client id, is not stored with the event.

The type is the body's `event_type` (`response_completed`), the id its `event_id`. The body has only ids: fetch the
response.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import Reply, SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601


class SurveyMonkey(HmacProvider):
    title = "SurveyMonkey"
    docs_url = "https://developer.surveymonkey.com/api/v3/#api-endpoints-webhooks"
    secret_help = "CLIENT_ID&CLIENT_SECRET of the app"
    methods = frozenset({"HEAD", "POST"})
    credential_headers = frozenset({"sm-apikey"})

    signature = Plain("sm-signature")
    digest = "sha1"
    encoding = "base64"

    type_at = Json("event_type")
    id_at = Json("event_id")
    retries = "not documented; `event_id` is that of the event and not of the attempt"

    samples = {
        "response_completed": {"object_type": "response", "object_id": "123456"},
        "survey_created": {"object_type": "survey", "object_id": "2345"},
        "collector_updated": {"object_type": "collector", "object_id": "345"},
    }

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if request.method != "HEAD":
            return None
        next(self.keys(config))  # a source that could verify nothing is not ready
        return Reply()

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "name": "Shop",
                "filter_type": "survey",
                "filter_id": "2345",
                "event_type": event_type,
                "event_id": event_id or f"{now * 1000:.0f}",
                **sample,
                "event_datetime": write_iso8601(now),
            }
        )
