"""Jira webhooks of Atlassian Connect apps: `Authorization: JWT <JSON Web Token>` (HS256).

The key is the `sharedSecret` from the app's `installed` callback, as text; each site that installs the app has its
own, so make a source for each. The option `client_key` holds the site's `clientKey`, which `iss` must then be. The
claim `qsh` is a hash of method, path and query: the path is the one of the source's URL, below the option
`base_path` where the app's `baseUrl` has a path.
https://developer.atlassian.com/cloud/jira/platform/understanding-jwt-for-connect-apps/

**The token does not cover the body**: whoever captured a request can put any event under its token until `exp`,
which must be there. A handler should fetch the issue from the API before it acts.

The type is the body's `webhookEvent` (`jira:issue_updated`). There is no event id, so the deduplication key is a
hash of the body, in which `timestamp` tells two changes apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from hookline.core.request import MAX_QUERY_FIELDS, WebhookRequest
from hookline.core.signing import equal
from hookline.exceptions import NotVerified
from hookline.providers.base import Option, SourceConfig, json_request
from hookline.providers.schemes.jwt import Claims, JwtProvider
from hookline.providers.schemes.parts import Json

_ISSUE = {"id": "10002", "key": "ED-1", "fields": {"summary": "The title", "status": {"name": "To Do"}}}


class JiraConnect(JwtProvider):
    title = "Jira (Connect app)"
    docs_url = "https://developer.atlassian.com/cloud/jira/platform/understanding-jwt-for-connect-apps/"
    secret_help = "the sharedSecret that the site sent when it installed the app"
    options = (
        Option("client_key", "The site's clientKey; tokens of other sites are refused."),
        Option("base_path", "The path of the app's baseUrl, such as /connect; empty where it has none."),
    )

    prefix = "JWT "
    algorithms = ("HS256",)
    claims = Claims(expires=True)

    type_at = Json("webhookEvent")
    retries = "the token; the body stays, with `timestamp` in milliseconds (Atlassian's page on webhooks)"

    samples = {
        "jira:issue_created": {"issue_event_type_name": "issue_created", "issue": _ISSUE},
        "jira:issue_updated": {"issue_event_type_name": "issue_generic", "issue": _ISSUE},
        "comment_created": {"comment": {"id": "10000", "body": "Just in time."}, "issue": _ISSUE},
    }

    def check_claims(
        self, claims: Mapping[str, Any], request: WebhookRequest, config: SourceConfig, now: float
    ) -> None:
        client_key, found = config.options.get("client_key"), claims.get("qsh")
        if client_key and claims.get("iss") != client_key:
            raise NotVerified("wrong_issuer", "the token's iss is not the client_key of this source")
        expected = query_hash(request, config.options.get("base_path", ""))
        if not isinstance(found, str) or not equal(found.encode("utf-8", "replace"), expected.encode()):
            raise NotVerified("wrong_query_hash", "the token's qsh is not the hash of this method, path and query")

    def compose_claims(self, request: WebhookRequest, config: SourceConfig, now: float) -> dict[str, Any]:
        return {
            **super().compose_claims(request, config, now),
            "iss": config.options.get("client_key", "") or "a436116f-02ce-4520-8fbb-7301462a1674",
            "qsh": query_hash(request, config.options.get("base_path", "")),
        }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request(
            {
                "timestamp": int(now * 1000),
                "webhookEvent": event_type,
                **(self.samples.get(event_type, {}) if data is None else data),
            }
        )


def query_hash(request: WebhookRequest, base_path: str) -> str:
    """The claim `qsh`: SHA-256 in hex of method, path and query in their canonical form. Raises NotVerified.

    https://developer.atlassian.com/cloud/jira/platform/understanding-jwt-for-connect-apps/#qsh
    """
    try:
        parts = urlsplit(request.url)
        fields = parse_qs(parts.query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS, errors="strict")
        path = "/" + parts.path.removeprefix(base_path.rstrip("/")).strip("/").replace("&", "%26")
        # Values are sorted before they are encoded, as Atlassian's own implementation does.
        pairs = sorted(
            (quote(name, safe=""), ",".join(quote(value, safe="") for value in sorted(values)))
            for name, values in fields.items()
            if name != "jwt"
        )
        query = "&".join(f"{name}={value}" for name, value in pairs)
        return hashlib.sha256(f"{request.method}&{path}&{query}".encode()).hexdigest()
    except (ValueError, AttributeError):  # a malformed URL, text that is no UTF-8, or an option that is no text
        raise NotVerified("unencodable_text", "the URL of this request has no canonical form") from None
