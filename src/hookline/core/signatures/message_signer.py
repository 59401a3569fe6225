"""MessageSigner: all that an endpoint's requests carry besides their body. Made once, used often."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from hookline.core.signatures import http_message, scheme
from hookline.core.signatures.ed25519 import SigningKey
from hookline.core.signatures.http_message import HmacKey, HttpKey, PrivateKey
from hookline.core.signatures.standard_webhooks import Signer, check_id, decode_secret
from hookline.core.signatures.x_webhook import XWebhookSigner
from hookline.core.url import parse_url
from hookline.exceptions import AddressRefused

CONTENT_TYPE = "application/json"
#: The number of a message among all that its endpoint is sent. HTTP Message Signatures cover it; the other schemes sign
#: no headers.
SEQUENCE = "webhook-sequence"


class Signed(Protocol):
    """What is signed of a request."""

    @property
    def url(self) -> str: ...
    @property
    def message_id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def headers(self) -> Mapping[str, str] | None:
        """What comes with the body, such as another content type; the names in lower case."""

    @property
    def sequence(self) -> int | None: ...


class MessageSigner:
    """Signs by every scheme of an endpoint, and with every secret and key pair that is active."""

    __slots__ = ("_http", "_own", "_standard", "_svix", "_x_webhook")

    def __init__(
        self,
        secrets: Sequence[str],
        schemes: Sequence[str] = scheme.DEFAULT,
        keys: Sequence[SigningKey] = (),
        own_headers: Mapping[str, str] | None = None,
    ) -> None:
        """`own_headers` are those that a person gave the endpoint.

        Raises ValueError, quoting no secret, for one that cannot sign, and where a scheme has nothing to sign with.
        """
        if not secrets and not scheme.WITH_KEY_PAIR.issuperset(schemes):
            raise ValueError("there is no secret to sign with")
        if not keys and not scheme.WITH_KEY_PAIR.isdisjoint(schemes):
            raise ValueError("there is no key pair to sign with")
        self._own = dict(own_headers or {})
        standard = secrets if scheme.STANDARD in schemes else ()
        pairs = keys if scheme.STANDARD_ED25519 in schemes else ()
        self._standard = Signer(standard, pairs) if standard or pairs else None
        self._svix = scheme.SVIX in schemes
        self._x_webhook = XWebhookSigner(secrets) if scheme.X_WEBHOOK in schemes else None
        http: list[HttpKey] = []
        if scheme.HTTP_HMAC in schemes:
            http += [HmacKey(decode_secret(secret)) for secret in secrets]
        if scheme.HTTP_ED25519 in schemes:
            http += [PrivateKey(key) for key in keys]
        self._http = tuple(http)

    @property
    def own_names(self) -> Collection[str]:
        """Of the headers that a person gave the endpoint."""
        return self._own.keys()

    def headers(self, request: Signed, timestamp: int) -> dict[str, str]:
        """The headers of one attempt. `timestamp` is Unix time in whole seconds.

        Raises ValueError for a message id that cannot be one, and for a URL that cannot be sent to.
        """
        headers = {"content-type": CONTENT_TYPE, **(request.headers or {}), **self._own}
        if self._standard is not None:
            headers |= self._standard.headers(request.message_id, timestamp, request.body)
        else:  # a receiver knows a repetition by its id, however it is signed
            check_id(request.message_id)
            headers |= {"webhook-id": request.message_id, "webhook-timestamp": str(timestamp)}
        if self._svix:
            headers |= {f"svix-{name}": headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature")}
        if self._x_webhook is not None:
            headers |= self._x_webhook.headers(request.message_id, timestamp, request.type, request.body)
        if request.sequence:
            headers[SEQUENCE] = str(request.sequence)
        if self._http:
            headers["content-digest"] = http_message.content_digest(request.body)
            derived = {"@method": "POST", "@target-uri": _target_uri(request.url)}
            covered = (*http_message.COVERED, SEQUENCE) if request.sequence else http_message.COVERED
            components = {name: derived.get(name) or headers[name] for name in covered}
            headers |= http_message.signed_headers(components, timestamp, self._http)
        return headers


def _target_uri(url: str) -> str:
    """The URL as the receiver sees it: with a path, and percent-encoded (RFC 9421 section 2.2.2)."""
    try:
        return str(parse_url(url))
    except AddressRefused as error:
        raise ValueError(str(error)) from None
