"""Zoho Desk: `X-ZDesk-JWT`, a JSON Web Token (RS256) with a key of Zoho's published set.

The token says of which organisation (`iss`, `orgId:...`) and webhook (`aud`, `webhookId:...`) it is, so the secret of
the source is `ORG_ID:WEBHOOK_ID`, neither of which is secret. The keys are fetched from the data centre that the option
`host` names, through the guarded transport; if that fails the answer is 503. `exp` counts, in seconds or milliseconds.
https://desk.zoho.com/support/WebhookDocument.do

**The body is not signed**: whoever captured a request can put any event under its token until that expires. A
handler should fetch the ticket before it acts. When the webhook is made, Zoho checks the URL with a GET, which is not
signed: it is answered with an empty 200, and creates no Event.

The body is a list; each item becomes an Event of its own, its type being `eventType` (`Ticket_Add`). There is no event
id: the deduplication key is a hash of the item, which has `eventTime`. Zoho wants a 200 within 5 seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import CannotVerify, ConfigurationError, NotVerified
from hookline.providers.base import Option, ParsedEvent, Reply, SourceConfig, json_request
from hookline.providers.schemes.batches import each_item, items_at
from hookline.providers.schemes.documents import Document
from hookline.providers.schemes.jwks import KeySet
from hookline.providers.schemes.jws import Jws, JwtKey
from hookline.providers.schemes.jwt import Claims, JwtProvider
from hookline.providers.schemes.parts import Header, Json

_HOSTS = (
    "desk.zoho.com",
    "desk.zoho.eu",
    "desk.zoho.in",
    "desk.zoho.com.au",
    "desk.zoho.com.cn",
    "desk.zoho.jp",
    "desk.zoho.sa",
    "desk.zohocloud.ca",
)
#: More than this is no number of seconds in our time.
_MILLISECONDS = 10**11


@dataclass(frozen=True, slots=True)
class DeskKeys:
    """The keys of the data centre."""

    def find(self, jws: Jws, config: SourceConfig, now: float) -> Iterable[JwtKey]:
        host = str(config.options.get("host", _HOSTS[0]))
        if host not in _HOSTS:
            raise CannotVerify("bad_option", "the option 'host' of this source is none of Zoho Desk's")
        return KeySet(Document(f"https://{host}/.well-known/jwks.json", (host,))).find(jws, config, now)


@dataclass(frozen=True, slots=True)
class EitherUnit(Claims):
    """Claims whose times are in seconds or milliseconds: Zoho's page says the one, and its example the other."""

    def check(self, claims: Mapping[str, Any], now: float, audience: tuple[str, ...] = ()) -> float | None:
        times = {name: claims[name] for name in ("iat", "nbf", "exp") if isinstance(claims.get(name), int)}
        in_seconds = {name: value / 1000 for name, value in times.items() if value > _MILLISECONDS}
        return Claims.check(self, {**claims, **in_seconds}, now, audience)


class ZohoDesk(JwtProvider):
    title = "Zoho Desk"
    docs_url = "https://desk.zoho.com/support/WebhookDocument.do"
    secret_help = "ORG_ID:WEBHOOK_ID, the ids of your organisation and of the webhook"
    methods = frozenset({"GET", "POST"})
    options = (Option("host", "The data centre of your organisation.", _HOSTS[0], choices=_HOSTS),)

    token_at = Header("x-zdesk-jwt")
    prefix = ""
    algorithms = ("RS256",)
    keys = DeskKeys()
    claims = EitherUnit()

    type_at = Json("eventType")
    retries = "not documented; an event has its time"

    samples = {
        "Ticket_Add": {"id": "1892000000042034", "subject": "Order 7", "status": "Open"},
        "Ticket_Update": {"id": "1892000000042034", "subject": "Order 7", "status": "Closed"},
        "Contact_Add": {"id": "1892000000042032", "lastName": "Lovelace"},
    }

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if request.method != "GET":
            return None
        if not any(map(ids_of, config.secrets)):
            raise CannotVerify("bad_secret", "a secret of Zoho Desk is ORG_ID:WEBHOOK_ID")
        return Reply()

    def check_claims(
        self, claims: Mapping[str, Any], request: WebhookRequest, config: SourceConfig, now: float
    ) -> None:
        found = (claims.get("iss"), claims.get("aud"))
        if not any(ids and found == (f"orgId:{ids[0]}", f"webhookId:{ids[1]}") for ids in map(ids_of, config.secrets)):
            raise NotVerified("wrong_audience", "the token is of another organisation or webhook than this source's")

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        items = items_at(request.body)
        return each_item(request, items, lambda item: self.parsed_event(item, config), most=self.max_events)

    def check_secret(self, secret: str) -> None:
        super().check_secret(secret)
        if not ids_of(secret):
            raise ConfigurationError("a secret of Zoho Desk is ORG_ID:WEBHOOK_ID, with a colon between the two")

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        event = {"payload": sample, "eventTime": str(int(now * 1000)), "eventType": event_type, "orgId": "3981311"}
        return json_request([event])

    def compose_claims(self, request: WebhookRequest, config: SourceConfig, now: float) -> dict[str, Any]:
        claims = super().compose_claims(request, config, now)
        org, _, webhook = config.secrets[1].partition(":")
        return {**claims, "iss": f"orgId:{org}", "aud": f"webhookId:{webhook}"}

    def compose_header(self, config: SourceConfig) -> dict[str, Any]:
        return {"kid": "made-up"}

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        """The first secret is a private key in PEM, the second the ids."""
        if len(config.secrets) < 2 or "PRIVATE KEY-----" not in config.secrets[0]:
            raise ConfigurationError("only Zoho can sign its tokens; change a ticket of yours to try the source out")
        return super().sign(request, config, now)


def ids_of(secret: str) -> tuple[str, str] | None:
    """The organisation and the webhook that a secret names; None where it names none."""
    org, _, webhook = secret.partition(":")
    return (org, webhook) if org and webhook and ":" not in webhook else None
