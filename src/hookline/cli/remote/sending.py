"""`hookline endpoint`, `event-types`, `dispatch` and `messages` on a server."""

from __future__ import annotations

from typing import Any

from hookline.cli.endpoint import patterns
from hookline.cli.remote.route import Answered, Given, Route, deleted, seconds

ENDPOINTS = ("id", "url", "uid", "event_types", "channels", "disabled", "created_at")
EVENT_TYPES = ("name", "archived", "deprecated", "description")
MESSAGES = ("id", "event_type", "event_id", "channels", "timestamp")
ENDPOINT = "/app/{app}/endpoint/{id}"
MESSAGE = "/app/{app}/msg/{id}"
EVENT_TYPE = "/event-type/{name}"


def _new_endpoint(given: Given) -> dict[str, Any]:
    body = given.named(url="url", uid="uid", description="description", secret="secret", headers="headers")
    lists = {"eventTypes": patterns(given["events"]), "channels": list(given["channels"])}
    return body | {name: value for name, value in lists.items() if value} | {"metadata": dict(given["metadata"])}


def _with_secret(answered: Answered) -> dict[str, Any]:
    """A new endpoint's secret is shown, this once."""
    secret = answered.client.ask("GET", f"{answered.path}/{answered.answer['id']}/secret")
    return {**answered.answer, "secret": secret["key"]}


def _changed_endpoint(given: Given) -> dict[str, Any]:
    body = given.named(url="url", description="description")
    if given["uid"] is not None:
        body["uid"] = given["uid"] or None
    for option, name in (("events", "eventTypes"), ("channels", "channels")):
        if given[option] is not None:
            body[name] = patterns(given[option]) or None
    return body


def _rotation(given: Given) -> dict[str, Any]:
    return {"key": given["secret"], "gracePeriodSeconds": seconds(given["overlap"])}


def _new_secret(answered: Answered) -> dict[str, Any]:
    secret = answered.client.ask("GET", answered.path.removesuffix("/rotate"))
    return {"id": answered.given["id"], "secret": secret["key"]}


def _state(answered: Answered) -> dict[str, Any]:
    return {"id": answered.answer["id"], "disabled": answered.answer["disabled"]}


def _schemas(given: Given) -> dict[str, Any]:
    return {} if given["schema"] is None else {"schemas": {given["schema_version"] or "1": given["schema"]}}


def _message(given: Given) -> dict[str, Any]:
    from hookline.cli.payload import parse

    body = given.named(event_type="eventType", idempotency_key="eventId", deliver_at="deliverAt")
    return {**body, "payload": parse(given["data"])}


ROUTES: dict[str, Route] = {
    "endpoint create": Route("POST", "/app/{app}/endpoint", _new_endpoint, told=_with_secret),
    "endpoint list": Route("GET", "/app/{app}/endpoint", columns=ENDPOINTS),
    "endpoint show": Route("GET", ENDPOINT),
    "endpoint update": Route("PATCH", ENDPOINT, _changed_endpoint),
    "endpoint rotate": Route("POST", f"{ENDPOINT}/secret/rotate", _rotation, told=_new_secret),
    "endpoint disable": Route("PATCH", ENDPOINT, lambda _: {"disabled": True}, told=_state),
    "endpoint enable": Route("PATCH", ENDPOINT, lambda _: {"disabled": False}, told=_state),
    "endpoint delete": Route("DELETE", ENDPOINT, told=deleted("id")),
    "endpoint recover": Route("POST", f"{ENDPOINT}/recover", lambda given: given.named(since="since", until="until")),
    "event-types create": Route(
        "POST",
        "/event-type",
        lambda given: {"name": given["name"], "description": given["description"], **_schemas(given)},
    ),
    "event-types list": Route("GET", "/event-type", columns=EVENT_TYPES),
    "event-types show": Route("GET", EVENT_TYPE),
    "event-types update": Route(
        "PATCH",
        EVENT_TYPE,
        lambda given: given.named(description="description", deprecated="deprecated") | _schemas(given),
    ),
    "event-types delete": Route("DELETE", EVENT_TYPE, query=lambda _: {"expunge": True}, told=deleted("name", "name")),
    "dispatch": Route("POST", "/app/{app}/msg", _message),
    "messages list": Route(
        "GET",
        "/app/{app}/msg",
        query=lambda given: {"event_types": given["type"], "after": given["since"], "before": given["until"]},
        columns=MESSAGES,
    ),
    "messages show": Route("GET", MESSAGE),
}
