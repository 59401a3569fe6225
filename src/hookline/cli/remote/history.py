"""`hookline deliveries`, `follow-ups` and `forward` on a server, and what else looks after the history."""

from __future__ import annotations

from typing import Any

import click

from hookline.cli.remote.route import Given, Make, Route, deleted

DELIVERIES = ("id", "event_type", "status", "attempts", "message_id", "url", "created_at", "note")
FOLLOW_UPS = ("id", "function", "event_id", "event_type", "status", "attempts", "created_at", "note")
FORWARDS = ("id", "source_id", "endpoint_id", "url", "event_types", "filter")
ROUTED = ("event_id", "event_type", "endpoint_id", "forwarded", "reason")
FORWARD = "/forward/{id}"


def listed(**names: str) -> Make:
    """What narrows a list of the history."""
    return lambda given: given.named(tenant="app_id", since="after", until="before", **names)


def ids(given: Given) -> dict[str, Any]:
    """Raises a usage error where rows are chosen by options, and not named."""
    if not given["ids"]:
        raise click.UsageError("over the API, give ids; filters work only where the server runs")
    return {"ids": list(given["ids"])}


def retried(given: Given) -> dict[str, Any]:
    return {**ids(given), "now": given["now"]}


def _changed_forward(given: Given) -> dict[str, Any]:
    body = given.named(event_types="eventTypes", headers="headers")
    if given["filter"] is not None:
        body["filter"] = given["filter"] or None
    cleared = {"eventTypes": given["any_type"], "headers": given["all_headers"]}
    if any(clear and name in body for name, clear in cleared.items()):
        raise click.UsageError("give --type or --any-type, and --header or --all-headers, not both")
    return body | {name: None for name, clear in cleared.items() if clear}


ROUTES: dict[str, Route] = {
    "deliveries list": Route(
        "GET",
        "/delivery",
        query=listed(endpoint="endpoint_id", type="event_type", status="status", parked="parked"),
        columns=DELIVERIES,
    ),
    "deliveries show": Route("GET", "/delivery/{id}"),
    "deliveries retry": Route("POST", "/delivery/retry", retried),
    "deliveries discard": Route("POST", "/delivery/discard", ids),
    "deliveries release": Route("POST", "/delivery/release", ids),
    "deliveries expunge-attempt": Route(
        "DELETE", "/attempt/{id}/content", told=lambda answered: {"id": answered.given["id"], "expunged": True}
    ),
    "events discard": Route("POST", "/event/discard", ids),
    "events release": Route("POST", "/event/release", ids),
    "follow-ups list": Route(
        "GET", "/follow-up", query=listed(source="source_id", status="status"), columns=FOLLOW_UPS
    ),
    "follow-ups show": Route("GET", "/follow-up/{id}"),
    "follow-ups retry": Route("POST", "/follow-up/retry", retried),
    "follow-ups discard": Route("POST", "/follow-up/discard", ids),
    "forward list": Route(
        "GET",
        "/forward",
        query=lambda given: given.named(tenant="app_id", source="source_id", endpoint="endpoint_id"),
        columns=FORWARDS,
    ),
    "forward show": Route("GET", FORWARD),
    "forward update": Route("PATCH", FORWARD, _changed_forward),
    "forward delete": Route("DELETE", FORWARD, told=deleted("id")),
    "forward preview": Route("GET", "/source/{source}/forward/preview", columns=ROUTED),
    "rejections reverify": Route("POST", "/rejection/{ids}/reverify", each="ids"),
}
