"""Plivo: `X-Plivo-Signature-V3: <base64>[,<base64>...]`, over the URL and the parameters.

HMAC-SHA256; the key is the auth token of the account or subaccount as text. What is signed is the exact URL as
configured in Plivo, without its query; then `?`; then the fields of the query, sorted, as `name=value` with `&` between
them; then, for a POST, the fields of the form, sorted, as name and value with nothing between them (behind a full stop
where there is a query); then a full stop and `X-Plivo-Signature-V3-Nonce`. Any matching signature passes.
https://www.plivo.com/docs/voice/concepts/signature-validation

Since names and values stand next to each other, an attacker who captured a request can shift the border between them.
Bodies that are no urlencoded form are refused, since nothing would cover them. There is no timestamp. The deduplication
key is a hash of URL and parameters. A message comes to each state once, and a call begins and ends once, so that again
is a duplicate. What else happens in a call has neither id nor time and may happen again (the same digits are pressed
twice): under another nonce, which is signed, it is a new event with `repeat_of`.

The older `X-Plivo-Signature-V2` covers **only the URL**: whoever captured one request can put anything into its body.
It is refused unless the source has the option `allow_v2`; then the deduplication key is a hash of URL and nonce, so
that each signature counts once, and handlers should fetch what they act on from Plivo's API.

The type is `Event` (`StartApp`, `Hangup`), or else `Status` (`delivered`), `Type` (`sms`) or `CallStatus`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from hookline.core.forms import URLENCODED, urlencoded_fields
from hookline.core.request import WebhookRequest, read_headers
from hookline.core.signing import decode, equal, mac
from hookline.exceptions import NotVerified, Unreadable
from hookline.providers.base import Option, SourceConfig
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Header
from hookline.providers.schemes.signatures import MAX_ITEMS, Plain, required_header
from hookline.providers.schemes.signed import as_sent

_V2, _V2_NONCE = "x-plivo-signature-v2", Header("x-plivo-signature-v2-nonce")
_V3, _V3_NONCE = "x-plivo-signature-v3", Header("x-plivo-signature-v3-nonce")
_TYPES = ("Event", "Status", "Type", "CallStatus")
#: What happens to a call once.
_ONCE = ("StartApp", "Hangup")


@dataclass(frozen=True, slots=True)
class _List(Plain):
    """`abc,def`: several signatures in one header."""

    def read(self, request: WebhookRequest) -> tuple[list[str], str]:
        texts, _ = Plain.read(self, request)
        return texts[0].split(",", MAX_ITEMS)[:MAX_ITEMS], ""


class Plivo(HmacProvider):
    title = "Plivo"
    docs_url = "https://www.plivo.com/docs/voice/concepts/signature-validation"
    media = frozenset({"JSON", "form"})
    signs_url = True
    methods = frozenset({"GET", "POST"})
    secret_help = "the auth token of the account or subaccount"
    options = (
        Option(
            "allow_v2",
            "true: also accept the older signature V2, which does not cover the parameters.",
            default="false",
            choices=("true", "false"),
        ),
    )

    signature = _List(_V3)
    encoding = "base64"
    repeats_bodies = (
        "What a caller does has neither id nor time: the same digits pressed twice in one call have the same "
        "parameters (Plivo's page on GetInput). The signed nonce tells them apart."
    )
    retries = (
        "not documented: the nonce and signature are taken to be new; what a caller did is then a new event with "
        "`repeat_of`"
    )

    samples = {
        "delivered": {
            "MessageUUID": "342f6f0c-8f1b-11e4-8b54-22000ac7849b",
            "From": "14152223333",
            "To": "14153334444",
        },
        "sms": {"MessageUUID": "342f6f0c-8f1b-11e4-8b54-22000ac7849b", "Text": "Hello", "From": "14152223333"},
        "StartApp": {"CallUUID": "97ceeb52-58b6-11e1-86da-77300b68f8bb", "Direction": "inbound", "From": "14152223333"},
        "Hangup": {"CallUUID": "97ceeb52-58b6-11e1-86da-77300b68f8bb", "HangupCause": "NORMAL_CLEARING"},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        if _V3 in request.headers or config.options.get("allow_v2") != "true":
            return super().verify(request, config, now)
        sent = decode(required_header(request, _V2), "base64")
        signed = _signed_by_v2(request)
        if sent is None or not any(equal(mac("sha256", key, signed), sent) for key in self.keys(config)):
            raise NotVerified("signature_mismatch", f"none of {len(config.secrets)} active secrets made this signature")
        return None

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        if not _V3_NONCE.read(request):
            request = _V3_NONCE.write(request, f"{now * 1000:.0f}")
        return super().sign(request, config, now)

    def signed_text(self, request: WebhookRequest, timestamp: str) -> bytes:
        nonce = _V3_NONCE.read(request)
        if not nonce:
            raise _V3_NONCE.missing()
        return b".".join((_covered_by_v3(request), as_sent(nonce, "latin-1")))

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        """Without the nonce; but of V2 with it, since there it is all that tells two requests apart."""
        return _covered_by_v3(request) if _V3 in request.headers else _signed_by_v2(request)

    def payload(self, request: WebhookRequest) -> dict[str, str]:
        """The fields of the form or, without a body, of the query; of a repeated one the last value.

        Both are signed and the method is not.
        """
        return dict(request.form()) if request.body else request.query()

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        fields = self.payload(request)
        return next((fields[name] for name in _TYPES if fields.get(name)), "")

    def repeats(self, request: WebhookRequest, config: SourceConfig) -> bool:
        fields = self.payload(request)
        return not fields.get("MessageUUID") and fields.get("Event") not in _ONCE

    def delivery_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        """The nonce of the signature that was verified."""
        return (_V3_NONCE if _V3 in request.headers else _V2_NONCE).read(request)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        name = "Type" if event_type == "sms" else "Event" if event_type in ("StartApp", "Hangup") else "Status"
        sample = self.samples.get(event_type, {}) if data is None else data
        body = urlencode({**sample, name: event_type, "RequestUUID": event_id or f"{now * 1000:.0f}"}).encode()
        return WebhookRequest("POST", "", read_headers([("content-type", URLENCODED)]), body)


def _covered_by_v3(request: WebhookRequest) -> bytes:
    """What V3 covers before the nonce. Raises Unreadable, or NotVerified for text that cannot have been signed."""
    address, _, query_string = request.url.partition("?")
    query = "&".join([f"{name}={value}" for name, value in _sorted_fields(query_string)])
    form = "".join([f"{name}{value}" for name, value in _sorted_fields(_form(request))])
    text = f"{address}?{query}" if query or form else address
    return as_sent(f"{text}.{form}" if query and form else f"{text}{form}", "utf-8")


def _signed_by_v2(request: WebhookRequest) -> bytes:
    address, _, _ = request.url.partition("?")
    return as_sent(address, "utf-8") + as_sent(required_header(request, _V2_NONCE.name), "latin-1")


def _form(request: WebhookRequest) -> str:
    """The urlencoded body, empty for a GET. Raises Unreadable for another kind of body."""
    if request.method == "GET" and not request.body:
        return ""
    if request.body and (request.header("content-type") or "").partition(";")[0].strip().lower() != URLENCODED:
        raise Unreadable("wrong_content_type", "the body is no urlencoded form, so the signature would not cover it")
    try:
        return request.body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable("unreadable_form", str(error)[:200]) from None


def _sorted_fields(text: str) -> list[tuple[str, str]]:
    """Every field and value of a query or urlencoded form, sorted by both. Raises Unreadable."""
    if not text:
        return []
    try:
        return sorted(urlencoded_fields(text))
    except ValueError as error:
        raise Unreadable("unreadable_form", str(error)[:200]) from None
