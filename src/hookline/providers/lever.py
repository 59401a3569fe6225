"""Lever: `signature` in the JSON body, the hex HMAC-SHA256 of `token` and `triggeredAt` joined.

The key is the webhook's signature token as text; `triggeredAt` is Unix time in milliseconds, taken as it stands in
the JSON. https://hire.lever.co/developer/documentation#webhooks (read through ten independent receivers that agree;
guides that speak of a header `Lever-Signature` or of `timestamp.body` are wrong).

**It covers nothing else.** Whoever captured one request can put any `event` and any `data` into it. Two things limit
that: the deduplication key is a hash of the signed text, so each signature counts only once, and the option
`tolerance` sets a window for `triggeredAt`, for which Lever documents none. A handler should fetch the opportunity
from the API before it acts on what `data` says.

There is no event id. The type is `event`. Lever's connection test has no opportunity in its data.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signing import encode, mac
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain

_TOKEN, _TRIGGERED_AT = Json("token"), Json("triggeredAt")
_OPPORTUNITY = "12d3a8a3-60a6-4a2e-9fbb-5c9c8f4d1e2a"


class Lever(HmacProvider):
    title = "Lever"
    docs_url = "https://hire.lever.co/developer/documentation#webhooks"
    signs_values = True
    confirmed = False

    signature = Plain(Json("signature"))
    signed = (_TOKEN, _TRIGGERED_AT)
    timestamp_at = _TRIGGERED_AT
    timestamp_unit = "ms"
    type_at = Json("event")
    retries = (
        "not documented: whether `token` and `triggeredAt` are new. If so, a retry is a new event: nothing else is "
        "signed by which it could be recognised"
    )

    samples = {
        "applicationCreated": {"applicationId": "c9a5ff2c-2e5a-4b8b-9d34-9b4f1d7f1a2e", "opportunityId": _OPPORTUNITY},
        "candidateStageChange": {
            "opportunityId": _OPPORTUNITY,
            "fromStageId": "51adb9fd-63bf-4c6f-8e20-5fb8b8e9d4c6",
            "toStageId": "00922a60-7c15-422b-b086-f62000824fd7",
        },
        "candidateHired": {"opportunityId": _OPPORTUNITY},
        "candidateArchiveChange": {"opportunityId": _OPPORTUNITY, "toArchived": {"reason": "withdrew"}},
    }

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        return self.signed_text(request, "")

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        token = event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}"))
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request({"event": event_type, "triggeredAt": int(now * 1000), "token": token, "data": dict(sample)})

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        """Adds `signature`. `triggeredAt` stays as composed: it is when it happened."""
        raw = mac(self.digest, self.signing_key(config), self.signed_text(request, ""))
        return self.signature.write(request, encode(raw, self.encoding), "")
