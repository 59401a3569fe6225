"""DocuSign Connect: `X-DocuSign-Signature-1`, `-2` and so on, one for each HMAC key of the account.

Each is base64 of HMAC-SHA256 over the raw body; the key is the text that DocuSign shows, not decoded. Every numbered
header is tried against every secret of the source: looking at `-1` only breaks when keys are replaced. The HMAC must
be switched on in the Connect configuration, otherwise nothing is signed and everything is refused.
https://developers.docusign.com/platform/webhooks/connect/hmac/

The signature covers the whole body; there is no timestamp. There is no event id either: the deduplication key is a
hash of the body, in JSON without `retryCount`, which changes when DocuSign tries again, and `generatedDateTime`.
Whether that changes, too, is not known: a known body of another such time is a new event with `repeat_of`.

- JSON (recommended): the type is `event` (`envelope-completed`), or in aggregate messages `envelope-` and the
  `status`.
- XML: the type is `envelope-` and the envelope's status in lower case; `event.json` cannot be read, `event.body` can.

Messages may include the documents: raise MAX_BODY_BYTES if yours do. Switch "Require acknowledgment" on, or DocuSign
does not look at the answer and never tries again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.xml import parse_xml
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.batches import exact_without
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Numbered
from hookline.providers.schemes.signed import write_iso8601

#: Members of the body that change, or may change, when DocuSign tries again.
_GENERATED = "generatedDateTime"
_CHANGING = frozenset({"retryCount", _GENERATED})

_XML_STATUS = "{http://www.docusign.net/API/3.0}EnvelopeStatus/{http://www.docusign.net/API/3.0}Status"
_ENVELOPE = {"accountId": "e7ce1b4a-4b3e-4c6e-9d4f-1a2b3c4d5e6f", "envelopeId": "ac10e7b1-cb5c-46e7-aac5-0c3bfa3b1a3f"}


class DocuSign(HmacProvider):
    title = "DocuSign Connect"
    docs_url = "https://developers.docusign.com/platform/webhooks/connect/hmac/"
    media = frozenset({"JSON", "XML"})
    aliases = ("docusign_connect",)

    signature = Numbered("x-docusign-signature-", limit=100)
    encoding = "base64"
    type_at = Json("event")
    status_at = Json("status")
    repeats_bodies = (
        "Without `generatedDateTime`, of which it is not known whether a retry has a new one, two messages about one "
        "recipient may be alike. The signed `generatedDateTime` tells them apart."
    )
    retries = "`retryCount`; whether `generatedDateTime` changes is not documented"

    samples = {
        "envelope-sent": _ENVELOPE,
        "envelope-completed": {**_ENVELOPE, "envelopeSummary": {"status": "completed", "emailSubject": "Please sign"}},
        "envelope-declined": {**_ENVELOPE, "envelopeSummary": {"status": "declined"}},
        "recipient-completed": {**_ENVELOPE, "recipientId": "1"},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        if _is_xml(request):
            status = parse_xml(request.body).findtext(_XML_STATUS) or ""
            return f"envelope-{status.lower()}" if status else ""
        status = self.status_at.read(request)
        return self.type_at.read(request) or (f"envelope-{status}" if status else "")

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        return request.body if _is_xml(request) else exact_without(request, _CHANGING)

    def repeats(self, request: WebhookRequest, config: SourceConfig) -> bool:
        return not _is_xml(request) and _GENERATED in request.json()

    def delivery_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        return Json(_GENERATED).read(request)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request(
            {
                "event": event_type,
                "apiVersion": "v2.1",
                "uri": f"/restapi/v2.1/accounts/{_ENVELOPE['accountId']}/envelopes/{_ENVELOPE['envelopeId']}",
                "retryCount": 0,
                "configurationId": event_id or "10467278",
                "generatedDateTime": write_iso8601(now),
                "data": self.samples.get(event_type, _ENVELOPE) if data is None else data,
            },
            {"x-authorization-digest": "HMACSHA256"},
        )


def _is_xml(request: WebhookRequest) -> bool:
    return request.body.lstrip().startswith((b"<", b"\xef\xbb\xbf<"))
