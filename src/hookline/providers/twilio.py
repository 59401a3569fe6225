"""Twilio: `X-Twilio-Signature: <base64>`, HMAC over the full URL and, for a form, over its fields.

https://www.twilio.com/docs/usage/webhooks/webhooks-security . The key is the account's auth token, or the secret of a
shared key, as text.

- Form: the URL, then each name and value, sorted by name, with nothing between them. The names and values are signed,
  not the bytes of the form, and where a name ends and its value begins is not: the deduplication key is therefore a
  hash of the signed text, so that the same text in another form is a duplicate.
- GET: the URL with its query, which `event.json` then is.
- Anything else (JSON): the URL alone, in which `bodySHA256`, the last field of the query, is the lower-case hex SHA-256
  of the raw body. Without it such a body is refused, since nothing would cover it.
- Neither method nor content type are signed. So the URL and the body decide which of these a request is.

The digest is SHA-1, as Twilio signs with the auth token; for a source whose secret is a shared key's, set the option
`algorithm`. The header X-Twilio-Webhooks-Signature-Settings names it too, but a caller's word must not choose how a
key is used, so the header is ignored. There is no timestamp. The URL is the configured public one with the query of
this request; it is tried with and without the default port, since Twilio is not consistent about that.

The type is made of what the request has: `message.` and MessageStatus or SmsStatus (`message.received`,
`message.delivered`), `call.` and CallStatus, `recording.` and RecordingStatus, or else EventType or
StatusCallbackEvent as it is; a request with none of them is `message` or `call`, by its Sid, or just `request`. Event
Streams (a JSON array of CloudEvents) make one event each, with its `type`. The id, for people to read, is the
CloudEvent's or the unsigned header I-Twilio-Idempotency-Token, which stays the same when Twilio tries again.

Forms and GETs are answered with empty TwiML: Twilio would send any text to the person who wrote or called, and a
handler cannot answer a live call, because it runs later.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any
from urllib.parse import urlencode, urlsplit

from hookline.core.forms import MULTIPART, URLENCODED, urlencoded_fields
from hookline.core.request import WebhookRequest, read_headers
from hookline.core.signing import equal
from hookline.exceptions import CannotVerify, NotVerified, Unreadable
from hookline.providers.base import Option, ParsedEvent, Reply, SourceConfig, json_request
from hookline.providers.schemes.batches import each_item, items_at
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import as_sent, write_iso8601

_DIGESTS = {"HMAC_SHA1": "sha1", "HMAC_SHA256": "sha256"}
_STATUSES = {
    "MessageStatus": "message",
    "SmsStatus": "message",
    "CallStatus": "call",
    "RecordingStatus": "recording",
}
_WITHOUT_STATUS = {"MessageSid": "message", "CallSid": "call"}
_PORTS = {"https": 443, "http": 80}
_BODY_DIGEST = re.compile(r"\?(?:[^#]*&)?bodySHA256=([0-9a-f]{64})\Z", re.ASCII)


class Twilio(HmacProvider):
    title = "Twilio"
    docs_url = "https://www.twilio.com/docs/usage/webhooks/webhooks-security"
    media = frozenset({"JSON", "form"})
    signs_url = True
    methods = frozenset({"POST", "GET"})
    options = (
        Option(
            "algorithm",
            "HMAC_SHA256 where the secret is a shared key's, as X-Twilio-Webhooks-Signature-Settings says.",
            default="HMAC_SHA1",
            choices=("HMAC_SHA1", "HMAC_SHA256"),
        ),
    )

    signature = Plain("x-twilio-signature")
    digest = "sha1"
    encoding = "base64"

    type_at = Json("type")
    id_at = Header("i-twilio-idempotency-token")
    item_id_at = Json("id")
    id_is_signed = False
    retries = "nothing: `I-Twilio-Idempotency-Token`, the URL and the fields stay (Twilio's page on webhooks)"

    samples = {
        "com.twilio.messaging.message.delivered": {"messageSid": "SM00000000000000000000000000000001"},
        "message.received": {"From": "+441632960001", "To": "+441632960000", "Body": "Hello", "NumMedia": "0"},
        "message.delivered": {"From": "+441632960000", "To": "+441632960001"},
        "call.completed": {"From": "+441632960001", "To": "+441632960000", "CallDuration": "42"},
    }

    # ---- verifying --------------------------------------------------------------------------------
    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        self.check_body(request)
        algorithm = self._algorithm(config)
        try:
            return super(Twilio, algorithm).verify(request, config, now)
        except (NotVerified, CannotVerify):
            other = _other_spelling(request.url)
            if other is None:
                raise
        return super(Twilio, algorithm).verify(replace(request, url=other), config, now)

    def check_body(self, request: WebhookRequest) -> None:
        """Refuse a body that neither its fields nor the URL's bodySHA256 bring under the signature."""
        if request.body and request.method == "GET":
            raise NotVerified("unsigned_body", "Twilio's GET requests have no body")
        digest = body_digest(request.url)
        if digest is None:
            if request.body and not request.is_form:
                raise NotVerified("unsigned_body", "the body is no form, and the URL has no bodySHA256 to cover it")
        elif not equal(hashlib.sha256(request.body).hexdigest().encode(), digest.encode()):
            raise NotVerified("body_mismatch", "the URL's bodySHA256 is not the SHA-256 of the body")

    def signed_text(self, request: WebhookRequest, timestamp: str) -> bytes:
        fields = {} if _is_json(request) else _fields(request)
        pieces = (name + value for name in sorted(fields) for value in sorted(fields[name]))
        return as_sent(request.url + "".join(pieces), "utf-8")

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        """Adds the signature; for a body that is no form also `bodySHA256` to the URL."""
        if request.body and not request.is_form:
            address, _, query = request.url.partition("?")
            pairs = [pair for pair in query.split("&") if pair and not pair.startswith("bodySHA256=")]
            digest = hashlib.sha256(request.body).hexdigest()
            request = replace(request, url=f"{address}?{'&'.join([*pairs, f'bodySHA256={digest}'])}")
        return super(Twilio, self._algorithm(config)).sign(request, config, now)

    # ---- reading ----------------------------------------------------------------------------------
    def reply_to(self, request: WebhookRequest) -> Reply | None:
        return None if _is_json(request) else Reply(b"<Response></Response>", "text/xml")

    def payload(self, request: WebhookRequest) -> Any:
        """The fields of a form or a query; else the JSON. A stored event has no URL."""
        is_json = _is_json(request) or (request.body and not request.is_form)
        return super().payload(request) if is_json else dict(_parameters(request))

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        if _is_json(request) and isinstance(request.json(), list):
            return each_item(
                request, items_at(request.body), lambda item: self.parsed_event(item, config), most=self.max_events
            )
        return (self.parsed_event(request, config),)

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        if _is_json(request):
            return self.type_at.read(request) or ("request" if isinstance(request.json(), dict) else "")
        found = _parameters(request)
        for name, kind in _STATUSES.items():
            if status := found.get(name):
                return f"{kind}.{status}"
        without = (kind for name, kind in _WITHOUT_STATUS.items() if name in found)
        return found.get("EventType") or found.get("StatusCallbackEvent") or next(without, "request")

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        return (_is_json(request) and self.item_id_at.read(request)) or self.id_at.read(request)

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        return request.body if _is_json(request) else self.signed_text(request, "")

    # ---- sending ----------------------------------------------------------------------------------
    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = dict(self.samples.get(event_type, {}) if data is None else data)
        made_up = event_id or f"{now * 1000:032.0f}"
        kind, _, status = event_type.partition(".")
        if kind == "com":
            event = {"specversion": "1.0", "type": event_type, "source": "/v1/Accounts/AC0/Messages", "id": made_up}
            return json_request([{**event, "time": write_iso8601(now), "data": sample}])
        if kind == "message":
            sample = {"MessageSid": f"SM{made_up}", "SmsStatus": status, "MessageStatus": status, **sample}
        elif kind == "call":
            sample = {"CallSid": f"CA{made_up}", "CallStatus": status, **sample}
        else:
            sample = {"EventType": event_type, "EventSid": f"EV{made_up}", **sample}
        headers = [("content-type", URLENCODED), ("i-twilio-idempotency-token", made_up)]
        fields = {"AccountSid": "AC00000000000000000000000000000000", **sample}
        return WebhookRequest("POST", "", read_headers(headers), urlencode(fields).encode())

    # ---- configuration ----------------------------------------------------------------------------
    def configured(self, options: Mapping[str, str]) -> Twilio:
        """This provider with the algorithm of the options. Raises ConfigurationError."""
        self.check_options(options)
        return _with_algorithm(options.get("algorithm", "HMAC_SHA1"))

    def _algorithm(self, config: SourceConfig) -> Twilio:
        algorithm = config.options.get("algorithm", "HMAC_SHA1")
        if algorithm not in ("HMAC_SHA1", "HMAC_SHA256"):
            raise CannotVerify("bad_option", "the option 'algorithm' of this source is not HMAC_SHA1 or HMAC_SHA256")
        return _with_algorithm(algorithm)


@cache
def _with_algorithm(algorithm: str) -> Twilio:
    configured: type[Twilio] = type("Twilio", (Twilio,), {"digest": _DIGESTS[algorithm]})
    return configured()


def body_digest(url: str) -> str | None:
    """The `bodySHA256` of a URL; None where it has none.

    Only the last field of the query counts, as Twilio writes it. Names and values of a form are signed right behind the
    URL, so whoever captured one could move them into the query, and its text may have `&bodySHA256=` in it.
    """
    found = _BODY_DIGEST.search(url)
    return found[1] if found and url.count("bodySHA256=") == 1 else None


def _is_json(request: WebhookRequest) -> bool:
    # Neither method nor content type are signed: what the URL's bodySHA256 covers is JSON, whatever they say.
    return body_digest(request.url) is not None


def _parameters(request: WebhookRequest) -> Mapping[str, str]:
    return request.form() if request.body else request.query()


def _fields(request: WebhookRequest) -> dict[str, set[str]]:
    """Every value of every field of a form, without repetitions; no fields for any other body. Raises Unreadable."""
    fields: dict[str, set[str]] = {}
    if request.body and request.is_form:
        if (request.header("content-type") or "").strip().lower().startswith(MULTIPART):
            raise Unreadable("wrong_content_type", "Twilio sends urlencoded forms, not multipart ones")
        request.form()  # checks that it is a readable form of a bounded number of fields
        for name, value in urlencoded_fields(request.body.decode()):
            fields.setdefault(name, set()).add(value)
    return fields


def _other_spelling(url: str) -> str | None:
    """The URL with the default port added or taken away."""
    try:
        parts = urlsplit(url)
        default = _PORTS.get(parts.scheme)
        port = parts.port
    except ValueError:
        return None  # not a URL in which a port could be added
    if not default or not parts.hostname or port not in (None, default):
        return None
    host = parts.netloc.removesuffix(f":{default}") if port else f"{parts.netloc}:{default}"
    return url.replace(f"//{parts.netloc}", f"//{host}", 1)
