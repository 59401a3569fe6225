"""Microsoft Graph change notifications (Outlook, Teams, OneDrive, Entra): `clientState`. **The body is not signed.**

https://learn.microsoft.com/graph/change-notifications-delivery-webhooks

The secret of the source is the `clientState` of your subscriptions. Every item of `value` must carry it: one request
may mix subscriptions and tenants, and checking the first item only would let the others through. Whoever has seen one
notification can make any other, so fetch the resource before acting on it. The clientState is not stored.

Rich notifications (with `encryptedContent`) are verified besides: each token in `validationTokens` must be signed by
Microsoft Entra, issued for your application (option `app_id`) by Graph's own application, and every encrypted item
must belong to a tenant of one of them (and be the option `tenant_id`, where set). Their content is decrypted with the
private key of your certificate, which is another secret of the source, in PEM, and stored as `content` in place of
`encryptedContent`. Without `app_id` they are refused with 503.

Creating a subscription makes Graph post `?validationToken=...`, which is echoed as plain text, with no proof needed:
only while the source waits for first contact, unless the option `validation` is `always`. Set that where subscriptions
are created again and again; the echo tells nothing and signs nothing.

Each item is an event. Its type is the kind of the resource and `changeType` (`message.updated`), or `lifecycle.` and
`lifecycleEvent`. The id is the item's `id`, which many have not: then the deduplication key is a hash of the item.
Items of some resources (a drive's root) have neither an id nor an etag, so that every later notification looks like the
first: each is a new event, with `repeat_of`.

Graph wants an answer within 3 seconds, and drops notifications for receivers that are often slower.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from hookline.core.json_slices import JsonSlice
from hookline.core.request import WebhookRequest
from hookline.exceptions import CannotVerify, ConfigurationError, NotVerified, Unreadable
from hookline.providers.base import Option, ParsedEvent, Provider, Reply, SourceConfig, json_request
from hookline.providers.schemes.batches import each_item, json_list
from hookline.providers.schemes.documents import Document
from hookline.providers.schemes.graph_content import decrypt, rsa_key
from hookline.providers.schemes.jwks import KeySet
from hookline.providers.schemes.jws import check_signature, read_jws, read_object
from hookline.providers.schemes.jwt import Claims
from hookline.providers.schemes.parts import Json, field_of
from hookline.providers.schemes.signed import as_sent
from hookline.providers.schemes.token import check_token

_ENTRA = KeySet(
    Document("https://login.microsoftonline.com/common/discovery/keys", ("login.microsoftonline.com",), 256 * 1024)
)
#: The application that Graph sends rich notifications as.
_GRAPH: Final = "0bf30f3b-4a52-48df-9a82-234910c4a086"
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
MAX_TOKENS = 100
MAX_VALIDATION_TOKEN = 2048
_PEM = "-----BEGIN "


def guid(text: str) -> str:
    """An id as Microsoft writes them, in lower case. Raises ValueError."""
    if not _GUID.fullmatch(text):
        raise ValueError("write an id such as 0bf30f3b-4a52-48df-9a82-234910c4a086")
    return text.lower()


class MicrosoftGraph(Provider):
    title = "Microsoft Graph"
    docs_url = "https://learn.microsoft.com/graph/change-notifications-delivery-webhooks"
    secret_is_yours = True
    proof = "secret `clientState` in each item; JWT and encryption for rich notifications"
    aliases = ("msgraph", "outlook")
    secret_help = "the clientState of your subscriptions; for rich notifications also the private key in PEM"
    options = (
        Option("app_id", "The id of your application, for which rich notifications must be issued.", check=guid),
        Option("tenant_id", "The id of the one tenant whose rich notifications are accepted.", check=guid),
        Option(
            "validation",
            "When to answer the check of the URL: while the source waits for first contact, or always.",
            default="while_waiting",
            choices=("while_waiting", "always"),
        ),
    )

    id_at = Json("id")
    repeats_bodies = (
        "Changes of a drive's root, and lifecycle notifications, have neither an id nor an etag: same subscription, "
        "resource and clientState each time (issues of Microsoft's documentation)."
    )
    retries = "not documented: an item without an id is processed again"

    samples = {
        "message.created": {"resource": "Users('4bd1a2ab')/messages('AAMkADRiYz')"},
        "message.updated": {"resource": "Users('4bd1a2ab')/messages('AAMkADRiYz')"},
        "event.deleted": {"resource": "Users('4bd1a2ab')/events('AAMkADRiYz')"},
        "lifecycle.reauthorizationRequired": {"resource": "Users('4bd1a2ab')/messages"},
    }

    # ---- verifying --------------------------------------------------------------------------------
    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        token = request.query().get("validationToken")
        if token is None:
            return None
        if not any(_client_states(config)):
            raise CannotVerify("bad_secret", "this source has no clientState among its secrets")
        if not config.awaiting_handshake and config.options.get("validation") != "always":
            raise NotVerified("refused_handshake", "this source no longer waits for a check of its URL")
        if not token or len(token) > MAX_VALIDATION_TOKEN or not token.isprintable():
            raise NotVerified("refused_handshake", "the validationToken is empty, too long or not printable")
        return Reply(token.encode(), headers=(("x-content-type-options", "nosniff"),))

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> None:
        states = replace(config, secrets=_client_states(config))
        if not any(states.secrets):
            raise CannotVerify("bad_secret", "this source has no clientState among its secrets")
        items = _items(request)
        for number, item in enumerate(items, 1):
            state = item.get("clientState")
            if not isinstance(state, str) or not state:
                raise NotVerified("missing_part", f"item {number} of {len(items)} has no clientState")
            check_token(self, states, as_sent(state, "utf-8"))
        encrypted = [item for item in items if "encryptedContent" in item]
        if encrypted:
            tenants = self.check_tokens(request, config, now)
            if any(not isinstance(item.get("tenantId"), str) or item["tenantId"] not in tenants for item in encrypted):
                raise NotVerified("wrong_tenant", "an item is of a tenant that no validation token stands for")

    def check_tokens(self, request: WebhookRequest, config: SourceConfig, now: float) -> set[str]:
        """The tenants that the validation tokens stand for. Raises VerificationError if one is not genuine."""
        app_id, only = config.options.get("app_id"), config.options.get("tenant_id")
        if not isinstance(app_id, str):
            raise CannotVerify("bad_option", "set the option app_id of this source to receive rich notifications")
        tokens = field_of(request.json(), "validationTokens")
        if not isinstance(tokens, list) or not 0 < len(tokens) <= MAX_TOKENS:
            raise NotVerified("missing_part", "there are no validationTokens, or too many")
        tenants = set()
        for token in tokens:
            if not isinstance(token, str):
                raise NotVerified("malformed_token", "a validation token is not text")
            jws = read_jws(token, ("RS256",))
            check_signature(jws, _ENTRA.find(jws, config, now))
            claims = read_object(jws.payload, "the token's payload")
            tenant = claims.get("tid")
            if not isinstance(tenant, str) or (only is not None and tenant != only):
                raise NotVerified("wrong_tenant", "a validation token is of another tenant")
            Claims(issuers=(f"https://sts.windows.net/{tenant}/",)).check(claims, now, (app_id,))
            if claims.get("appid") != _GRAPH:
                raise NotVerified("wrong_sender", "a validation token was not issued to Microsoft Graph")
            tenants.add(tenant)
        return tenants

    # ---- reading ----------------------------------------------------------------------------------
    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        _items(request)  # checks that it is a list of them
        items = [_without_state(item) for item in json_list(JsonSlice.whole(request.body), "value") or ()]
        return each_item(
            request, items, lambda item: self.parsed_event(_opened(item, config), config), most=self.max_events
        )

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        item = request.json()
        if lifecycle := field_of(item, "lifecycleEvent"):
            return f"lifecycle.{lifecycle}"
        change, data = field_of(item, "changeType"), field_of(item, "resourceData")
        kind = data.get("@odata.type") if isinstance(data, dict) else None
        if not isinstance(change, str) or not change:
            return ""
        return f"{kind.rpartition('.')[2].lstrip('#')}.{change}" if isinstance(kind, str) and kind else change

    def repeats(self, request: WebhookRequest, config: SourceConfig) -> bool:
        """The items that have neither an id nor an etag."""
        data = field_of(request.json(), "resourceData")
        return not (isinstance(data, dict) and data.get("@odata.etag"))

    # ---- sending ----------------------------------------------------------------------------------
    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        kind, _, change = event_type.partition(".")
        item = {
            "id": event_id or f"lsgTZMr9{now * 1000:.0f}",
            "subscriptionId": "33e9ec73-e56c-4807-8cda-d0f9a1a5c3e5",
            "tenantId": "bddfc9c9-fda8-45c9-a9f6-b0bbf8eb99d2",
            **(self.samples.get(event_type, {}) if data is None else data),
        }
        if kind == "lifecycle":
            item["lifecycleEvent"] = change
        else:
            item |= {"changeType": change, "resourceData": {"@odata.type": f"#microsoft.graph.{kind}"}}
        return json_request({"value": [item]})

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        """Puts the clientState into every item."""
        state = next((secret for secret in _client_states(config) if secret), None)
        if state is None:
            raise ConfigurationError(f"{self.title} cannot send without a clientState among the secrets")
        items = [{**item, "clientState": state} for item in _items(request)]
        return replace(request, body=json.dumps({**request.json(), "value": items}, separators=(",", ":")).encode())

    def check_secret(self, secret: str) -> None:
        super().check_secret(secret)
        if secret.lstrip().startswith(_PEM):
            try:
                rsa_key(secret)
            except ValueError as error:
                raise ConfigurationError(f"a secret of {self.title} cannot be used: {error}") from None


def _client_states(config: SourceConfig) -> tuple[str, ...]:
    return tuple(secret for secret in config.secrets if not secret.lstrip().startswith(_PEM))


def _items(request: WebhookRequest) -> list[dict[str, Any]]:
    items = field_of(request.json(), "value")
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise Unreadable("wrong_body", "`value` is not a list of notifications, or an empty one")
    return items


def _without_state(item: JsonSlice) -> bytes:
    """One item without its clientState, which is the secret, and all else as it was sent."""
    return item.with_members({"clientState": None}).encode()


def _opened(request: WebhookRequest, config: SourceConfig) -> WebhookRequest:
    """One item with its content decrypted, where it is encrypted."""
    encrypted = request.json().get("encryptedContent")
    if "encryptedContent" not in request.json():
        return request
    if not isinstance(encrypted, dict):
        raise Unreadable("wrong_field", "encryptedContent is not a JSON object")
    keys = (secret for secret in config.secrets if secret.lstrip().startswith(_PEM))
    content = json.dumps(decrypt(encrypted, keys), separators=(",", ":"))
    opened = JsonSlice.whole(request.body).with_members({"encryptedContent": None, "content": content})
    return replace(request, body=opened.encode())
