"""Braintree: a form with `bt_payload`, base64 of XML, and `bt_signature`, pairs `<public key>|<hex>` joined by `&`.

The hex is HMAC-SHA1 over the text of `bt_payload`, or over that text and a line feed; its key is the raw SHA-1 of the
private key. The pair of the source's own public key counts. A secret of a source is `PUBLIC_KEY:PRIVATE_KEY`.
https://developer.paypal.com/braintree/docs/guides/webhooks/parse

The type is `kind` in the XML (`subscription_charged_successfully`). There is no event id, so the deduplication key is a
hash of the payload, which names the moment. All of it is signed; the `timestamp` in the XML has no documented window.
`event.json` is the XML as nested objects of texts, where a name that occurs several times is a list.

When the URL is saved, Braintree asks `GET ?bt_challenge=<20 to 32 hex digits>` and wants `<public key>|<hex>` back,
made with the same key. That is answered while the source waits for its first contact. A challenge cannot be the
payload of a forged event: XML begins with `<` or white space, whose base64 begins with a capital letter, and only
lower-case hex digits are answered.
"""

from __future__ import annotations

import binascii
import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from xml.etree.ElementTree import Element

from hookline.core.forms import URLENCODED
from hookline.core.request import WebhookRequest, read_headers
from hookline.core.signing import decode, equal, mac
from hookline.core.xml import parse_xml
from hookline.exceptions import CannotVerify, NotVerified, Unreadable
from hookline.providers.base import Reply, SourceConfig
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Form
from hookline.providers.schemes.signatures import MAX_ITEMS, Plain

_CHALLENGE = re.compile(r"[a-f0-9]{20,32}", re.ASCII)
_ALPHABET = re.compile(r"[A-Za-z0-9+=/\n]+", re.ASCII)
_SIGNATURE, _PAYLOAD = Form("bt_signature"), Form("bt_payload")


class Braintree(HmacProvider):
    title = "Braintree"
    docs_url = "https://developer.paypal.com/braintree/docs/guides/webhooks/parse"
    media = frozenset({"form"})
    secret_help = "PUBLIC_KEY:PRIVATE_KEY, of the API key that the webhook belongs to"
    methods = frozenset({"POST", "GET"})

    digest = "sha1"
    signature = Plain(_SIGNATURE)
    signed = (_PAYLOAD,)
    retries = "not documented; the payload has its `timestamp` in it"

    samples = {
        "check": {"check": "true"},
        "subscription_charged_successfully": {
            "subscription": {"id": "gold-1042", "status": "Active", "price": "10.00"}
        },
        "subscription_canceled": {"subscription": {"id": "gold-1042", "status": "Canceled"}},
        "transaction_settled": {"transaction": {"id": "8fqk2m", "status": "settled", "amount": "100.00"}},
        "dispute_opened": {"dispute": {"id": "hd7xkz", "status": "open", "amount": "250.00"}},
    }

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if request.method != "GET":
            return None
        challenge = request.query().get("bt_challenge", "")
        if not config.awaiting_handshake:
            raise NotVerified("refused_handshake", "this source no longer waits for a handshake")
        if not _CHALLENGE.fullmatch(challenge):
            raise NotVerified("refused_challenge", "the bt_challenge is missing, or is not 20 to 32 hex digits")
        for secret in config.secrets:
            try:
                answer = mac(self.digest, self.key(secret), challenge.encode()).hex()
                return Reply(f"{public_key(secret)}|{answer}".encode())
            except ValueError:
                continue  # an older secret may be usable
        raise CannotVerify("bad_secret", f"no secret of this source can be a {self.title} secret")

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        text, payload = _SIGNATURE.read(request), _PAYLOAD.read(request)
        if not text or not payload:
            raise NotVerified("missing_part", "the form has no bt_signature or no bt_payload")
        if not _ALPHABET.fullmatch(payload):
            raise Unreadable("bad_payload", "the bt_payload is not base64")
        pairs = dict(pair.split("|", 1) for pair in text.split("&", MAX_ITEMS) if "|" in pair)
        problem = None
        for secret in config.secrets:
            try:
                key, name = self.key(secret), public_key(secret)
            except ValueError as error:
                problem = str(error)
                continue
            sent = decode(pairs.get(name, ""), "hex") or b""
            for signed in (payload.encode(), f"{payload}\n".encode()):
                if equal(mac(self.digest, key, signed), sent):
                    return None
        if problem is not None:
            raise CannotVerify("bad_secret", f"a secret of this source cannot be a {self.title} secret: {problem}")
        raise NotVerified("signature_mismatch", f"none of {len(config.secrets)} active secrets made this signature")

    def key(self, secret: str) -> bytes:
        public, _, private = secret.partition(":")
        if not public or not private:
            raise ValueError("it must be PUBLIC_KEY:PRIVATE_KEY")
        # SHA-1 is Braintree's choice; it only shortens the key here.
        return hashlib.sha1(private.encode(), usedforsecurity=False).digest()

    def payload(self, request: WebhookRequest) -> Any:
        try:
            xml = binascii.a2b_base64(_PAYLOAD.read(request))
        except ValueError as error:
            raise Unreadable("bad_payload", f"the bt_payload is not base64: {error}") from None
        root = parse_xml(xml)
        notification = content_of(root)
        if root.tag != "notification" or not isinstance(notification, dict):
            raise Unreadable("bad_payload", "the payload is not the XML of a notification")
        return notification

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        kind = self.payload(request).get("kind")
        return kind if isinstance(kind, str) else ""

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        """Without the line feed at the end, since the payload is genuine with it and without."""
        return _PAYLOAD.read(request).rstrip("\n").encode()

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        subject = self.samples.get(event_type, {}) if data is None else data
        content = write_xml("kind", event_type) + write_xml("subject", subject)
        xml = f'<notification><timestamp type="datetime">{moment}</timestamp>{content}</notification>'
        payload = binascii.b2a_base64(xml.encode()).decode()
        return WebhookRequest(
            "POST",
            "",
            read_headers([("content-type", URLENCODED)]),
            urlencode({_SIGNATURE.name: "", _PAYLOAD.name: payload}).encode(),
        )

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        key = self.signing_key(config)
        payload = _PAYLOAD.read(request)
        if not _ALPHABET.fullmatch(payload):
            raise Unreadable("bad_payload", "there is no bt_payload to sign; begin with compose()")
        pair = f"{public_key(config.secrets[0])}|{mac(self.digest, key, payload.encode()).hex()}"
        return replace(request, body=urlencode({**request.form(), _SIGNATURE.name: pair}).encode())


def public_key(secret: str) -> str:
    """The public half of a secret."""
    return secret.partition(":")[0]


def content_of(element: Element) -> Any:
    """An element's text or, where there are elements in it, an object of what they hold."""
    if not len(element):
        return (element.text or "").strip()
    content: dict[str, Any] = {}
    for child in element:
        value = content_of(child)
        if child.tag not in content:
            content[child.tag] = value
        elif isinstance(content[child.tag], list):
            content[child.tag].append(value)
        else:
            content[child.tag] = [content[child.tag], value]
    return content


def write_xml(name: str, value: Any) -> str:
    """An element as `content_of` reads it."""
    if isinstance(value, Mapping):
        content = "".join(write_xml(key, item) for key, item in value.items())
    elif isinstance(value, list):
        return "".join(write_xml(name, item) for item in value)
    else:
        content = html.escape(str(value))
    return f"<{name}>{content}</{name}>"
