"""Amazon SNS over HTTP(S): the body is JSON with its own `Signature`, RSA (PKCS#1 v1.5).

Signed are the fields' names and values, each on a line of its own, in the order of the names: `Message`, `MessageId`,
`Subject` if there is one, `Timestamp`, `TopicArn`, `Type`; of confirmations `Message`, `MessageId`, `SubscribeURL`,
`Timestamp`, `Token`, `TopicArn`, `Type`. SignatureVersion 2 is SHA-256, version 1 SHA-1; the option `signature_version`
refuses version 1, which a topic can be set not to use.
https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html

Every AWS customer's messages are signed alike, so the secret is the ARN of the topic, which is not secret: only its
messages count. The certificate at `SigningCertURL` is fetched through the guarded transport from SNS in the topic's
own region and nowhere else; if that fails, the answer is 503 and SNS tries again. Since fields are signed one after the
other with line feeds between them, a line feed anywhere but in the `Message` is refused.

- A SubscriptionConfirmation for the topic is verified like a message and confirmed by calling SNS in the topic's own
  region with its token; the URL that it brings is not used. It is no event.
- The type is `Notification`, or what stands in the JSON of the `Message` where the option `type` says, such as
  `json:detail-type`; `UnsubscribeConfirmation` for that. The id is `MessageId`, signed, the same when SNS tries again.
- `event.json` is the JSON of the `Message`, or its text.

**Not signed:** `MessageAttributes` and the headers. Raw message delivery has no signature at all and is refused. SNS
does not try again after a 4xx. The timestamp is signed, but SNS documents no window; the option `tolerance` sets one.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from hookline.core.request import WebhookRequest, parse_json, read_headers
from hookline.core.signing import decode, encode
from hookline.exceptions import CannotVerify, ConfigurationError, NotVerified, Unreadable
from hookline.providers.base import Option, Provider, Reply, SourceConfig
from hookline.providers.schemes.documents import Document
from hookline.providers.schemes.keys import Algorithm, PublicKey, check_kind, make_signature, private_key, verifies
from hookline.providers.schemes.parts import Fixed, Json, field_of
from hookline.providers.schemes.signed import (
    as_sent,
    check_age,
    configured_tolerance,
    parse_iso8601,
    tolerance_option,
    write_iso8601,
)
from hookline.providers.schemes.x509 import certificate_document, check_chain, key_of, read_pem

_CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9a-f]{16,64}\.pem", re.ASCII)
_ARN = re.compile(r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]{3,30}):[0-9]{12}:[A-Za-z0-9_.-]{1,256}", re.ASCII)
_ALGORITHMS: dict[object, Algorithm] = {"1": "rsa-sha1", "2": "rsa-sha256"}

_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED_FIELDS = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}


def json_path(text: str) -> str:
    """Read the option `type`. Raises ValueError."""
    path = text.removeprefix("json:")
    if path == text or not all(path.split(".")):
        raise ValueError("write json:DOTTED.PATH, a place in the JSON of the message")
    return path


class AwsSns(Provider):
    title = "Amazon SNS"
    docs_url = "https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html"
    signs_values = True
    proof = "RSA of named fields, by a certificate of Amazon's"
    aliases = ("sns", "amazon_sns")
    secret_help = "the ARN of the topic, such as arn:aws:sns:eu-west-1:123456789012:orders"
    options = (
        Option("signature_version", "The least signature version that counts.", default="1", choices=("1", "2")),
        Option("type", "Where the event type is in the JSON of the message: json:PATH.", check=json_path),
    )

    type_at = Fixed("Notification")
    id_at = Json("MessageId")
    retries = (
        "the signature and the URL of its certificate at most: neither counts; `MessageId` stays (Amazon's page on "
        "the JSON format)"
    )

    samples = {"Notification": {"order": 1001, "status": "paid"}}

    @property
    def known_options(self) -> tuple[Option, ...]:
        return (*super().known_options, tolerance_option(None))

    # ---- verifying --------------------------------------------------------------------------------
    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        if "x-amz-sns-rawdelivery" in request.headers:
            raise NotVerified("raw_delivery", "raw message delivery has no signature; switch it off")
        message = self.message(request)
        topics = [secret for secret in config.secrets if secret]
        if not topics:
            raise CannotVerify("bad_secret", "the topic ARN of this source is empty")
        if message.get("TopicArn") not in topics:
            raise NotVerified("wrong_topic", "the message is of another topic than this source's")
        version = message.get("SignatureVersion")
        algorithm = _ALGORITHMS.get(version) if isinstance(version, str) else None
        if algorithm is None or (algorithm == "rsa-sha1" and config.options.get("signature_version", "1") != "1"):
            raise NotVerified("wrong_algorithm", "the SignatureVersion is unknown, or refused by this source's options")
        raw = decode(_text(message, "Signature"), "base64")
        if raw is None:
            raise NotVerified("malformed_signature", "the Signature is not base64")
        key = self.certificate_key(message, config, now)
        if not any(verifies(key, algorithm, raw, signed) for signed in signed_texts(message)):
            raise NotVerified("signature_mismatch", "the message was not signed with the certificate that it names")
        tolerance = configured_tolerance(config, None)
        if tolerance is None:
            return None
        sent_at = parse_iso8601(_text(message, "Timestamp"))
        if sent_at is None:
            raise NotVerified("malformed_timestamp", "the Timestamp cannot be read")
        return check_age(now - sent_at, tolerance)

    def message(self, request: WebhookRequest) -> Mapping[str, Any]:
        """The fields of the body. Raises Unreadable, also for a Type that SNS does not have."""
        message = request.json()
        if not isinstance(message, dict) or message.get("Type") not in list(_SIGNED_FIELDS):
            raise Unreadable("wrong_body", f"the body is not a JSON object with the Type {', '.join(_SIGNED_FIELDS)}")
        return message

    def certificate_key(self, message: Mapping[str, Any], config: SourceConfig, now: float) -> PublicKey:
        """The key that SNS signed with. Raises VerificationError, DocumentNeeded among them."""
        url, host = _text(message, "SigningCertURL"), host_of(_text(message, "TopicArn"))
        chain = read_pem(config.document(certificate_document(url, (host,), _CERTIFICATE)))
        check_chain(chain[:1], now)
        try:
            return check_kind(key_of(chain[0]), "rsa-sha256")
        except ValueError as error:
            raise NotVerified("untrusted_certificate", f"the certificate's key: {error}") from None

    def signed_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        message = self.message(request)
        if message["Type"] != "SubscriptionConfirmation":
            return None
        config.document(confirmation(_text(message, "TopicArn"), _text(message, "Token")))
        return Reply()

    # ---- naming -----------------------------------------------------------------------------------
    def payload(self, request: WebhookRequest) -> Any:
        """The JSON of the Message, or its text."""
        text = _text(self.message(request), "Message")
        try:
            return parse_json(as_sent(text, "utf-8"))
        except Unreadable:
            return text

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        kind: str = self.message(request)["Type"]
        place = config.options.get("type")
        if kind != "Notification" or place is None:
            return kind
        try:
            found = field_of(self.payload(request), json_path(place))
        except (ValueError, AttributeError) as error:
            raise CannotVerify("bad_option", f"the option 'type' of this source is wrong: {error}") from None
        return found if found and isinstance(found, str) else kind

    # ---- configuration and sending ----------------------------------------------------------------
    def check_secret(self, secret: str) -> None:
        super().check_secret(secret)
        if not _ARN.fullmatch(secret):
            raise ConfigurationError("a secret of Amazon SNS is a topic's ARN: arn:aws:sns:REGION:ACCOUNT:TOPIC")

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        message = {
            "Type": "Notification",
            "MessageId": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
            "TopicArn": "arn:aws:sns:us-west-2:123456789012:MyTopic",
            "Message": json.dumps(self.samples.get(event_type, {}) if data is None else data),
            "Timestamp": write_iso8601(now),
        }
        headers = [("content-type", "text/plain; charset=UTF-8"), ("x-amz-sns-message-type", "Notification")]
        return WebhookRequest("POST", "", read_headers(headers), json.dumps(message, indent=2).encode())

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        """The first secret is a private key in PEM, the second the topic's ARN."""
        if len(config.secrets) < 2 or "PRIVATE KEY-----" not in config.secrets[0]:
            raise ConfigurationError("only AWS can sign; publish to the topic instead: aws sns publish --topic-arn ARN")
        message = {
            **self.message(request),
            "TopicArn": config.secrets[1],
            "SignatureVersion": "2",
            "SigningCertURL": f"https://{host_of(config.secrets[1])}/SimpleNotificationService-0123456789abcdef.pem",
        }
        try:
            key = private_key(config.secrets[0], "rsa-sha256")
        except ValueError as error:
            raise ConfigurationError(f"the secret cannot sign: {error}") from None
        raw = make_signature(key, "rsa-sha256", signed_texts(message)[0])
        return replace(request, body=json.dumps({**message, "Signature": encode(raw, "base64")}, indent=2).encode())


def signed_texts(message: Mapping[str, Any]) -> list[bytes]:
    """The text that SNS may have signed; two of them for an empty Subject, which SNS's own validators treat unlike."""
    names = _SIGNED_FIELDS[message["Type"]]
    # Only a line feed tells where a field ends. With another one in them, the border of two fields could be moved.
    if any("\n" in _text(message, name) for name in names if name != "Message" and message.get(name) is not None):
        raise NotVerified("ambiguous_field", "a field besides the Message has a line feed")
    present = [name for name in names if name != "Subject" or message.get(name) is not None]
    texts = [present] if message.get("Subject") != "" else [present, [name for name in present if name != "Subject"]]
    return [as_sent("".join(f"{name}\n{_text(message, name)}\n" for name in text), "utf-8") for text in texts]


def confirmation(topic: str, token: str) -> Document:
    """The request that confirms a subscription: to SNS in the region of the topic, whatever the message says."""
    host = host_of(topic)
    query = urlencode({"Action": "ConfirmSubscription", "TopicArn": topic, "Token": token})
    return Document(f"https://{host}/?{query}", (host,))


def host_of(topic: str) -> str:
    """SNS in the region of the topic: the only host that its certificates come from and confirmations go to."""
    found = _ARN.fullmatch(topic)
    if found is None:
        raise NotVerified("wrong_topic", "the TopicArn is not an ARN of SNS")
    return f"sns.{found[2]}.amazonaws.com{'.cn' if found[1] == 'aws-cn' else ''}"


def _text(message: Mapping[str, Any], name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str):
        raise Unreadable("missing_field", f"{name} is missing or not text")
    return value
