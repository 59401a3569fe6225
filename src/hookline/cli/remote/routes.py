"""Which commands work with `--server`, and what each of them asks for. The others say that they do not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hookline.cli.remote import history, receiving, sending
from hookline.cli.remote.route import Given, Route, deleted, seconds

TENANTS = ("id", "uid", "name")
KEYS = ("id", "app_id", "name", "scopes", "status", "expires_at", "last_used_at")


def _new_tenant(given: Given) -> dict[str, Any]:
    return {"uid": given["key"], "name": given["name"] or given["key"], "throttleRate": given["throttle_rate"] or None}


def _changed_tenant(given: Given) -> dict[str, Any]:
    body = given.named(new_key="uid", name="name")
    return body if (rate := given["throttle_rate"]) is None else {**body, "throttleRate": rate or None}


def _counted(given: Given) -> dict[str, Any]:
    return {"since": given["since"], "until": given["until"] or datetime.now(UTC), "appIds": list(given["keys"])}


def _new_key(given: Given) -> dict[str, Any]:
    return given.named(
        scopes="scopes",
        name="name",
        tenant="appId",
        organisation="organisation",
        expires="expiresAt",
        rate_limit="rateLimit",
        rate_burst="rateBurst",
    )


def _changed_key(given: Given) -> dict[str, Any]:
    return given.named(scopes="scopes", name="name", rate_limit="rateLimit", rate_burst="rateBurst")


ROUTES: dict[str, Route] = {
    **receiving.ROUTES,
    **sending.ROUTES,
    **history.ROUTES,
    "tenant create": Route("POST", "/app", _new_tenant),
    "tenant list": Route("GET", "/app", query=lambda _: {"order": "descending"}, columns=TENANTS),
    "tenant show": Route("GET", "/app/{key}"),
    "tenant update": Route("PATCH", "/app/{key}", _changed_tenant),
    "tenant delete": Route("DELETE", "/app/{key}", told=deleted("key")),
    "tenant token": Route(
        "POST", "/auth/app-portal-access/{key}", lambda given: {"expiry": seconds(given["lifetime"])}
    ),
    "tenant expire-tokens": Route(
        "POST", "/auth/app/{key}/expire-all", lambda given: {"expiry": seconds(given["after"])}
    ),
    "tenant usage": Route("POST", "/stats/usage/app", _counted),
    "event-types usage": Route(
        "PUT", "/stats/usage/event-types", query=lambda given: {"since": given["since"], "until": given["until"]}
    ),
    "key create": Route("POST", "/key", _new_key),
    "key list": Route(
        "GET", "/key", query=lambda given: {"app_id": given["tenant"], "tokens": given["tokens"]}, columns=KEYS
    ),
    "key show": Route("GET", "/key/{id}"),
    "key update": Route("PATCH", "/key/{id}", _changed_key),
    "key rotate": Route("POST", "/key/{id}/rotate", lambda given: {"gracePeriodSeconds": seconds(given["overlap"])}),
    "key revoke": Route("DELETE", "/key/{id}", told=lambda answered: {"id": answered.given["id"], "status": "revoked"}),
}


_STARTS = "because it starts something on this machine"
_LOOKS = "because it looks at the machine itself"
_HERE = "because it works on a database, not on a server"

#: Commands without a route, and why.
REASONS: dict[str, str] = {
    **dict.fromkeys(("serve", "worker"), _STARTS),
    **dict.fromkeys(("doctor", "stats"), _LOOKS),
    **dict.fromkeys(("migrate", "prune", "adopt", "init"), _HERE),
    "handlers": "because handlers are code, which is there and not here",
    "providers list": "because providers are code, which is here as well",
    "providers show": "because providers are code, which is here as well",
    "event-types check": "because it compares files; export the catalogue of the server first",
    "simulate": "because it sends by itself: give the server's URL with --url",
    "trigger": "because it sends by itself: give the source's URL with --url",
    "listen": "because it asks the server by itself",
}
