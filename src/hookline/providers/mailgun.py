"""Mailgun: `timestamp`, `token` and `signature`, in `signature` of the JSON or as fields of a form.

The signature is the hex HMAC-SHA256 of timestamp and token joined; the key is the HTTP webhook signing key as text
(old accounts: the API key). https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks

**It covers nothing else.** Whoever captured one request can put any event into it. What limits that: the deduplication
key is a hash of the signed text, so each signature counts only once, and the option `tolerance` sets a window for the
timestamp. Mailgun documents none, and whether a retry, up to eight hours later, has a new timestamp is not known; its
Python SDK uses 900 seconds. A handler that acts on more than statistics should look the event up in the Events API.

- Webhooks (JSON): the type is `event-data.event`, with the severity behind a failure (`failed.permanent`). The id
  `event-data.id` is for people to read: it is unique within a day only, and not signed.
- Older webhooks (form): the type is the field `event`.
- Routes (form, maybe multipart with attachments): there is no event; the type is `inbound`.

200 is success, 406 would stop the retries, anything else is retried for eight hours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signing import encode, mac
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import FormOrJson, Json
from hookline.providers.schemes.signatures import Plain

_TIMESTAMP = FormOrJson("timestamp", "signature.timestamp")
_TOKEN = FormOrJson("token", "signature.token")
_MESSAGE = {"headers": {"message-id": "20130503182626.18666.16540@example.com", "subject": "Hello"}}


class Mailgun(HmacProvider):
    title = "Mailgun"
    docs_url = "https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks"
    media = frozenset({"JSON", "form"})
    signs_values = True

    signature = Plain(FormOrJson("signature", "signature.signature"))
    signed = (_TIMESTAMP, _TOKEN)
    timestamp_at = _TIMESTAMP
    type_at = Json("event-data.event")
    severity_at = Json("event-data.severity")
    id_at = Json("event-data.id")
    id_is_signed = False
    retries = (
        "not documented; `timestamp` and `token` are taken to stay: if not, a retry is a new event, since nothing "
        "else is signed (receivers by others)"
    )

    samples = {
        "accepted": {"recipient": "ada@example.com", "message": _MESSAGE},
        "delivered": {"recipient": "ada@example.com", "message": _MESSAGE, "delivery-status": {"code": 250}},
        "opened": {"recipient": "ada@example.com", "message": _MESSAGE, "ip": "203.0.113.7"},
        "failed.permanent": {"recipient": "ada@example.com", "message": _MESSAGE, "reason": "bounce"},
        "complained": {"recipient": "ada@example.com", "message": _MESSAGE},
    }

    def payload(self, request: WebhookRequest) -> Any:
        """The JSON of a webhook; the fields of a form."""
        return dict(request.form()) if request.is_form else super().payload(request)

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        if request.is_form:
            return request.form().get("event", "inbound")
        event, severity = self.type_at.read(request), self.severity_at.read(request)
        return f"{event}.{severity}" if event and severity else event

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        return "" if request.is_form else self.id_at.read(request)

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        return self.signed_text(request, "")

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        event, _, severity = event_type.partition(".")
        token = hashlib.sha256(f"{event_type} {event_id} {now!r}".encode()).hexdigest()[:50]
        sample = self.samples.get(event_type, {}) if data is None else data
        names = {"event": event, **({"severity": severity} if severity else {})}
        event_data = {**names, "id": event_id or token[:22], "timestamp": now, **sample}
        return json_request({"signature": {"timestamp": str(int(now)), "token": token}, "event-data": event_data})

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        """Adds the signature. Timestamp and token stay as composed, as they are what an event is known by."""
        raw = mac(self.digest, self.signing_key(config), self.signed_text(request, ""))
        return self.signature.write(request, encode(raw, self.encoding), "")
