"""Dropbox Sign (formerly HelloSign): `event.event_hash` in the JSON, which stands in the form field `json`.

The hash is the lower-case hex HMAC-SHA256 of `event_time` and `event_type` joined, keyed by the account's API key
(also for app callbacks). https://developers.hellosign.com/docs/events/walkthrough/

**It covers nothing else.** Whoever captured one callback can put any signature request into it. So the header
`Content-Sha256`, an HMAC of the whole JSON text with the same key, is checked whenever it is there, and the option
`require_content_sha256` refuses requests without it. Where it does not come, a handler should fetch the signature
request from the API before it acts. The one example of that header that we know is base64 of the *hex* text; base64
of the raw digest is accepted too, since no official vector settles it.

`event_hash` is the same for two events of one type within a second, so the deduplication key is a hash of the JSON
text. `event_time` has no documented window; the option `tolerance` sets one. Anything but a 200 with the text
`Hello API Event Received` makes Dropbox Sign try again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hookline.core.forms import MULTIPART, multipart_body
from hookline.core.request import WebhookRequest, read_headers
from hookline.core.signing import decode, encode, equal, mac
from hookline.exceptions import NotVerified, Unreadable
from hookline.providers.base import Option, Reply, SourceConfig
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json, field_of
from hookline.providers.schemes.signatures import Plain, required_header

_BOUNDARY = "------------------------8a7c5e1f0b3d2946"
_REQUEST_ID = "fa5c8a0b0f492d768749333ad6fcc214c111e967"
_EVENT_TIME, _EVENT_TYPE = Json("event.event_time", "json"), Json("event.event_type", "json")


class DropboxSign(HmacProvider):
    title = "Dropbox Sign"
    docs_url = "https://developers.hellosign.com/docs/events/walkthrough/"
    media = frozenset({"JSON", "form"})
    signs_values = True
    aliases = ("hellosign",)
    options = (
        Option(
            "require_content_sha256",
            "true: refuse a request without the header Content-Sha256, the only signature over the event's data.",
            default="false",
            choices=("true", "false"),
        ),
    )
    reply = Reply(b"Hello API Event Received")

    signature = Plain(Json("event.event_hash", "json"))
    signed = (_EVENT_TIME, _EVENT_TYPE)
    timestamp_at = _EVENT_TIME

    json_field = "json"
    type_at = _EVENT_TYPE
    retries = "not documented: the event is signed with `event_time`, the time at which it happened"

    samples = {
        "callback_test": {},
        "signature_request_sent": {"signature_request": {"signature_request_id": _REQUEST_ID}},
        "signature_request_signed": {"signature_request": {"signature_request_id": _REQUEST_ID}},
        "signature_request_all_signed": {
            "signature_request": {"signature_request_id": _REQUEST_ID, "title": "NDA", "is_complete": True}
        },
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        used = super().verify(request, config, now)
        if "content-sha256" in request.headers or config.options.get("require_content_sha256") == "true":
            self.check_content(request, config)
        return used

    def check_content(self, request: WebhookRequest, config: SourceConfig) -> None:
        """Refuse a request whose Content-Sha256 was not made from this JSON text with an active secret."""
        sent = decode(required_header(request, "content-sha256"), "base64") or b""
        text = request.json_text(self.json_field)
        for key in self.keys(config):
            raw = mac("sha256", key, text)
            if equal(sent, raw.hex().encode()) or equal(sent, raw):
                return
        raise NotVerified("content_mismatch", "Content-Sha256 was not made from this JSON with an active secret")

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        return request.json_text(self.json_field)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        account = "6421d70b9bd45059fa207d03ab8d1b96515b472c"
        metadata = {"related_signature_id": event_id or None, "reported_for_account_id": account}
        event = {"event_time": str(int(now)), "event_type": event_type, "event_hash": "", "event_metadata": metadata}
        return _form_request({"event": event, **(self.samples.get(event_type, {}) if data is None else data)})

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        """Fills in `event_hash` and adds Content-Sha256. `event_time` stays as composed: it is when it happened."""
        key = self.signing_key(config)
        document = request.json(self.json_field)
        event = field_of(document, "event")
        if not isinstance(event, dict):
            raise Unreadable("missing_field", "there is no event in the JSON to sign; begin with compose()")
        event_hash = mac(self.digest, key, self.signed_text(request, "")).hex()
        signed = _form_request({**document, "event": {**event, "event_hash": event_hash}})
        content = mac("sha256", key, signed.json_text(self.json_field)).hex().encode()
        return signed.with_headers({"content-sha256": encode(content, "base64")})


def _form_request(document: dict[str, Any]) -> WebhookRequest:
    headers = [("content-type", f"{MULTIPART}; boundary={_BOUNDARY}"), ("user-agent", "Dropbox Sign API")]
    body = multipart_body({"json": json.dumps(document, separators=(",", ":"))}, _BOUNDARY)
    return WebhookRequest("POST", "", read_headers(headers), body)
