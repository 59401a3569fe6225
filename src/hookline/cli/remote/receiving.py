"""`hookline source`, `events`, `rejections`, `replay` and `audit` on a server."""

from __future__ import annotations

from typing import Any

import click

from hookline.cli.remote.history import listed, retried
from hookline.cli.remote.route import Answered, Given, Make, Route, deleted, seconds

SOURCES = ("id", "provider", "app_id", "name", "path", "secrets", "disabled", "created_at")
EVENTS = ("id", "event_type", "source_id", "status", "attempts", "provider_id", "created_at", "note")
REJECTIONS = ("id", "source_id", "status", "reason", "detail", "created_at")
REPLAYS = ("id", "what", "status", "total", "seen", "renewed", "created_at")
AUDIT = ("created_at", "actor", "action", "object", "changes")
SOURCE = "/source/{id}"
REPLAY = "/replay/{id}"


def _new_source(given: Given) -> dict[str, Any]:
    body = given.named(
        provider="provider",
        tenant="appId",
        name="name",
        secrets="secrets",
        network="networks",
        order_by="orderBy",
        object_at="objectAt",
        version_at="versionAt",
        rate_limit="rateLimit",
        rate_burst="rateBurst",
    )
    return body | {"options": dict(given["options"])}


def _changed_source(given: Given) -> dict[str, Any]:
    return given.named(
        name="name",
        network="networks",
        order_by="orderBy",
        object_at="objectAt",
        version_at="versionAt",
        rate_limit="rateLimit",
        rate_burst="rateBurst",
    )


def _new_secret(answered: Answered) -> dict[str, Any]:
    overlap = answered.answer["gracePeriodSeconds"]
    return {"id": answered.given["id"], "secret": answered.answer["key"], "overlap_seconds": overlap}


def _state(answered: Answered) -> dict[str, Any]:
    return {"id": answered.answer["id"], "disabled": answered.answer["disabled"]}


def _reconciled(given: Given) -> dict[str, Any]:
    body = given.named(secret="credential", since="since", hook="hook", types="eventTypes", admit="admit")
    if not body.get("credential"):
        raise click.UsageError("give the credential with --secret-file (or - for standard input)")
    return body


def _replayed(what: str, *names: str) -> Make:
    spelled = {"type": "eventType", "tenant": "appId", "source": "sourceId", "endpoint": "endpointId"}
    wanted = {name: spelled.get(name, name) for name in (*names, "since", "until", "rate", "again")}

    def body(given: Given) -> dict[str, Any]:
        given.seen |= {"dry_run"}
        return {"what": what, **given.named(**{name: to for name, to in wanted.items() if name in given})}

    return body


def _replay(what: str, *names: str) -> Route:
    return Route("POST", "/replay", _replayed(what, *names), preview="/replay/preview")


def _changed_replay(verb: str) -> Route:
    return Route("POST", f"{REPLAY}/{verb}")


ROUTES: dict[str, Route] = {
    "source create": Route("POST", "/source", _new_source),
    "source list": Route("GET", "/source", query=lambda given: given.named(tenant="app_id"), columns=SOURCES),
    "source show": Route("GET", SOURCE),
    "source update": Route("PATCH", SOURCE, _changed_source),
    "source rotate": Route(
        "POST",
        f"{SOURCE}/secret/rotate",
        lambda given: {"key": given["secret"], "gracePeriodSeconds": seconds(given["overlap"])},
        told=_new_secret,
    ),
    "source disable": Route("PATCH", SOURCE, lambda _: {"disabled": True}, told=_state),
    "source enable": Route("PATCH", SOURCE, lambda _: {"disabled": False}, told=_state),
    "source delete": Route("DELETE", SOURCE, told=deleted("id")),
    "source limit": Route(
        "POST", f"{SOURCE}/limit", lambda given: given.named(rate="rate", burst="burst", at_once="atOnce")
    ),
    "reconcile": Route("POST", "/source/{source}/reconcile", _reconciled),
    "source forward": Route(
        "POST",
        f"{SOURCE}/forward",
        lambda given: given.named(to="endpointId", event_types="eventTypes", filter="filter", headers="headers"),
    ),
    "events list": Route(
        "GET",
        "/event",
        query=listed(source="source_id", type="event_type", status="status", unhandled="unhandled", parked="parked"),
        columns=EVENTS,
    ),
    "events show": Route("GET", "/event/{id}"),
    "events retry": Route("POST", "/event/retry", retried),
    "rejections list": Route(
        "GET", "/rejection", query=listed(source="source_id", reason="reason", status="status"), columns=REJECTIONS
    ),
    "rejections show": Route("GET", "/rejection/{id}"),
    "replay events": _replay("events", "status", "unhandled", "type", "tenant", "source"),
    "replay deliveries": _replay("deliveries", "status", "type", "tenant", "endpoint"),
    "replay messages": _replay("messages", "type", "endpoint"),
    "replay list": Route("GET", "/replay", columns=REPLAYS),
    "replay show": Route("GET", REPLAY),
    "replay pause": _changed_replay("pause"),
    "replay resume": _changed_replay("resume"),
    "replay cancel": _changed_replay("cancel"),
    "audit list": Route("GET", "/audit", query=listed(actor="actor", action="action", object="object"), columns=AUDIT),
}
