"""DocuSign Connect: `X-DocuSign-Signature-1`, `-2` and so on, one for each HMAC key of the account.

Each is base64 of HMAC-SHA256 over the raw body; the key is the text that DocuSign shows, not decoded. Every numbered
header is tried against every secret of the source: looking at `-1` only breaks when keys are replaced. The HMAC must
be switched on in the Connect configuration, otherwise nothing is signed and everything is refused.
https://developers.docusign.com/platform/webhooks/connect/hmac/

The signature covers the whole body; there is no timestamp. There is no event id either: the deduplication key is a
hash of the body, in JSON without `retryCount`, which changes when DocuSign tries again.

- JSON (recommended): the type is `event` (`envelope-completed`), or in aggregate messages `envelope-` and the
  `status`.
- XML: the type is `envelope-` and the envelope's status in lower case; `event.json` cannot be read, `event.body` can.

Messages may include the documents: raise MAX_BODY_BYTES if yours do. Switch "Require acknowledgment" on, or DocuSign
does not look at the answer and never tries again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.xml import parse_xml
from hookline.exceptions import Unreadable
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Numbered
from hookline.providers.schemes.signed import write_iso8601

_XML_STATUS = "{http://www.docusign.net/API/3.0}EnvelopeStatus/{http://www.docusign.net/API/3.0}Status"
_ENVELOPE = {"accountId": "e7ce1b4a-4b3e-4c6e-9d4f-1a2b3c4d5e6f", "envelopeId": "ac10e7b1-cb5c-46e7-aac5-0c3bfa3b1a3f"}


class DocuSign(HmacProvider):
    title = "DocuSign Connect"
    docs_url = "https://developers.docusign.com/platform/webhooks/connect/hmac/"
    aliases = ("docusign_connect",)

    signature = Numbered("x-docusign-signature-", limit=100)
    encoding = "base64"
    type_at = Json("event")
    status_at = Json("status")

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
        if _is_xml(request):
            return request.body
        document = request.json()
        if not isinstance(document, dict):
            raise Unreadable("wrong_body", "the body is not a JSON object")
        if "retryCount" not in document:
            return request.body
        kept = {name: value for name, value in document.items() if name != "retryCount"}
        return json.dumps(kept, separators=(",", ":")).encode()

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
