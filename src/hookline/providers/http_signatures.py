"""Any sender that signs with HTTP Message Signatures (RFC 9421), described by the options of its source.

The signature must cover the method, the target URI and the Content-Digest (RFC 9530), which must be the digest of the
body, and say when it was `created`; for a sender that covers something else, the option `components` says what it must
cover at least. The body's digest is always among it. The algorithm belongs to the key: a signature that names another
is refused. Labels mean nothing; of several signatures one that satisfies all this is enough.

What the signature does not cover is whatever else stands in the headers. So type and id are read from the JSON body.
Without an id, the deduplication key is a hash of the body, and whether your sender's distinct events can look alike is
not known: a known body is a duplicate where its signature was `created` in the same second, and else a new event with
`repeat_of`. **A sender that gives no id and signs each retry again therefore has each retry processed again.**
If it puts something into each body that tells two events apart, set `repeated_bodies=refuse`: then a known body is a
duplicate.

The URL is the one that the source is configured with (PUBLIC_URL), not what a proxy made of it.
https://www.rfc-editor.org/rfc/rfc9421  https://www.rfc-editor.org/rfc/rfc9530
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

from hookline.core.request import WebhookRequest
from hookline.core.signing import decode
from hookline.exceptions import CannotVerify, ConfigurationError
from hookline.providers.base import Option, SourceConfig, json_request
from hookline.providers.schemes.http_signature import HttpAlgorithm, HttpSignatureProvider, check_components
from hookline.providers.schemes.parts import Json, Part, part_of

_ALGORITHMS: tuple[str, ...] = get_args(HttpAlgorithm)


def body_part(text: str) -> Part:
    """Read the option `type`. Raises ValueError for a header: the signature may not cover it."""
    if text.startswith("header:"):
        raise ValueError("a header that the signature may not cover proves nothing; write json:DOTTED.PATH")
    return part_of(text)


def id_part(text: str) -> Part | None:
    """Read the option `id`. Raises ValueError."""
    if text.startswith("fixed:"):
        raise ValueError("a fixed id would make every event a duplicate of the first; write none")
    return None if text == "none" else body_part(text)


class HttpSignatures(HttpSignatureProvider):
    title = "HTTP Message Signatures"
    docs_url = "https://www.rfc-editor.org/rfc/rfc9421"
    media = frozenset({"anything"})
    signs_url = True
    aliases = ("rfc9421", "http_message_signatures")
    secret_help = "the sender's public key in PEM; for hmac-sha256 the shared secret"

    algorithm = "hmac-sha256"
    type_at = Json("type")
    id_at = Json("id")
    options = (
        Option("algorithm", "The algorithm of the sender's key.", "hmac-sha256", choices=_ALGORITHMS),
        Option(
            "key",
            "How the secret stands for the key of hmac-sha256.",
            default="text",
            choices=("text", "base64", "hex"),
        ),
        Option("key_id", "The keyid that a signature must name, if it must name one."),
        Option(
            "components",
            "What a signature must cover at least, with spaces between.",
            default="@method @target-uri content-digest",
            check=check_components,
        ),
        Option("type", "Where the event type is: json:DOTTED.PATH or fixed:TEXT.", "json:type", check=body_part),
        Option("id", "Where the event id is: json:DOTTED.PATH, or none.", "json:id", check=id_part),
    )
    repeats_bodies = "Whether distinct events of your sender can have identical bodies is not known."
    retries = (
        "your sender decides. With an id in the body nothing else counts. Without one a retry is processed again, with "
        "`repeat_of`, unless the signature's `created` stays; `repeated_bodies=refuse` needs only the body to stay"
    )

    samples = {
        "order.created": {"order": 1001, "total": "42.00", "currency": "EUR"},
        "order.paid": {"order": 1001, "paid": True},
        "test": {"hello": "world"},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        self.check_configured(config)
        return super().verify(request, config, now)

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        self.check_options(config.options)
        return super().sign(request, config, now)

    def check_configured(self, config: SourceConfig) -> None:
        """Raises CannotVerify for options that were spoilt after they were checked."""
        try:
            self.check_options(config.options)
        except ConfigurationError as error:
            raise CannotVerify("bad_option", str(error)) from None

    def needs_public_url(self, options: Mapping[str, Any]) -> bool:
        # Of what derives from the URL, only the path is known without PUBLIC_URL.
        covered = str(options.get("components", "@target-uri")).split()
        return not {"@target-uri", "@authority", "@scheme"}.isdisjoint(covered)

    def algorithm_of(self, config: SourceConfig) -> HttpAlgorithm:
        return cast("HttpAlgorithm", config.options.get("algorithm", self.algorithm))

    def components_of(self, config: SourceConfig) -> tuple[str, ...]:
        text = config.options.get("components")
        return self.components if text is None else check_components(text)

    def key_id_of(self, config: SourceConfig) -> str:
        return config.options.get("key_id", "")

    def key(self, secret: str, config: SourceConfig) -> bytes:
        encoding = config.options.get("key", "text")
        key = secret.encode() if encoding == "text" else decode(secret, "hex" if encoding == "hex" else "base64")
        if key is None:
            raise ValueError(f"it is not {encoding}")
        return key

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        return body_part(config.options.get("type", "json:type")).read(request)

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        part = id_part(config.options.get("id", "json:id"))
        return part.read(request) if part else ""

    def delivery_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        return self.created(request, config)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request(
            {
                "id": event_id or f"evt_{now * 1000:.0f}",
                "type": event_type,
                "data": self.samples.get(event_type, {}) if data is None else data,
            }
        )
