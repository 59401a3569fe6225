"""`hookline endpoint`, `event-types`, `dispatch` and `messages` on a server."""

from __future__ import annotations

import re
from typing import Any

import click

from hookline.cli.access_options import NONE, read_json
from hookline.cli.remote.route import Answered, Given, Route, deleted, seconds
from hookline.cli.retry_options import own_retry

ENDPOINTS = ("id", "url", "uid", "event_types", "channels", "disabled", "created_at")
EVENT_TYPES = ("name", "archived", "deprecated", "description")
MESSAGES = ("id", "event_type", "event_id", "channels", "timestamp")
ENDPOINT = "/app/{app}/endpoint/{id}"
MESSAGE = "/app/{app}/msg/{id}"
EVENT_TYPE = "/event-type/{name}"


def _new_endpoint(given: Given) -> dict[str, Any]:
    body = given.named(url="url", uid="uid", description="description", secret="secret", headers="headers")
    lists = {"eventTypes": given["event_types"], "channels": list(given["channels"])}
    body |= {name: value for name, value in lists.items() if value} | {"metadata": dict(given["metadata"])}
    return body | _sending(given)


def _sending(given: Given) -> dict[str, Any]:
    """The options that Svix does not have."""
    found = given.named(payload="payload", filter="filter", order_by="orderBy")
    if given["sequenced"] is not None:
        found["sequenced"] = given["sequenced"]
    if given["signatures"]:
        found["signatures"] = given["signatures"]
    if (retry := own_retry(None, given["retry_delays"], given["deadline"])) is not None:
        found["retry"] = retry or None
    proxy = given["proxy"] if given["proxy_file"] is None else given["proxy_file"]
    oauth2 = _camel(read_json(given["oauth2"]))
    access = {"clientCertificate": given["client_certificate"], "proxy": proxy, "oauth2": oauth2}
    found |= {name: None if value in ("", NONE) else value for name, value in access.items() if value is not None}
    found |= {name: None for name in ("filter", "orderBy", "payload") if name in found and not found[name]}
    return {"sending": found} if found else {}


def _camel(found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    return {re.sub(r"_([a-z])", lambda part: part[1].upper(), name): value for name, value in found.items()}


def _limits(given: Given) -> dict[str, Any]:
    rate = given["rate"]
    if rate is not None and (rate != int(rate) or rate < 1):
        raise click.UsageError("over the API, a rate is a whole number a second")
    return {
        "throttleRate": None if rate is None else int(rate),
        "sending": {"burst": given["burst"], "atOnce": given["at_once"]},
    }


def _told_limits(answered: Answered) -> dict[str, Any]:
    found, sending = answered.answer, answered.answer.get("sending") or {}
    limits = {"rate": found["throttleRate"], "burst": sending.get("burst"), "at_once": sending.get("atOnce")}
    return {"id": found["id"], **limits}


def _test(given: Given) -> dict[str, Any]:
    from hookline.cli.payload import parse

    data = given["data"]
    return {"eventType": given["event_type"], **({} if data is None else {"data": parse(data)})}


def _not_taken(told: Any) -> str:
    if told["delivered"]:
        return ""
    return f"{told['id']} did not take it: {told['status'] or told['detail'] or told['error']}"


def _with_history(given: Given) -> dict[str, Any]:
    """Over the API it always stays."""
    given.seen.add("keep_history")
    return {}


def _example(answered: Answered) -> dict[str, Any]:
    message = answered.answer
    return {"id": answered.given["id"], "message": message["id"], "type": message["eventType"]}


def _polled(given: Given) -> dict[str, Any]:
    return {"since": given["after"], "limit": min(given["limit"], 250), "wait": min(int(given["wait"]), 60)}


def _expunged(answered: Answered) -> dict[str, Any]:
    return {"id": answered.given["id"], "expunged": True}


def _with_secret(answered: Answered) -> dict[str, Any]:
    """A new endpoint's secret is shown, this once."""
    secret = answered.client.ask("GET", f"{answered.path}/{answered.answer['id']}/secret")
    return {**answered.answer, "secret": secret["key"]}


def _changed_endpoint(given: Given) -> dict[str, Any]:
    body = given.named(url="url", description="description")
    if given["uid"] is not None:
        body["uid"] = given["uid"] or None
    for option, name in (("event_types", "eventTypes"), ("channels", "channels")):
        if given[option] is not None:
            body[name] = given[option] or None
    return body | _sending(given)


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

    body = given.named(
        event_type="eventType", idempotency_key="eventId", deliver_at="deliverAt", expires_at="expiresAt"
    )
    return {**body, "payload": parse(given["data"])}


ROUTES: dict[str, Route] = {
    "endpoint create": Route("POST", "/app/{app}/endpoint", _new_endpoint, told=_with_secret, urls=("url",)),
    "endpoint list": Route("GET", "/app/{app}/endpoint", columns=ENDPOINTS, urls=("url",)),
    "endpoint show": Route("GET", ENDPOINT, urls=("url",)),
    "endpoint update": Route("PATCH", ENDPOINT, _changed_endpoint, urls=("url",)),
    "endpoint rotate": Route("POST", f"{ENDPOINT}/secret/rotate", _rotation, told=_new_secret),
    "endpoint disable": Route("PATCH", ENDPOINT, lambda _: {"disabled": True}, told=_state),
    "endpoint enable": Route("PATCH", ENDPOINT, lambda _: {"disabled": False}, told=_state),
    "endpoint delete": Route("DELETE", ENDPOINT, query=_with_history, told=deleted("id")),
    "endpoint limit": Route("PATCH", ENDPOINT, _limits, told=_told_limits),
    "endpoint test": Route("POST", f"{ENDPOINT}/test", _test, failed=_not_taken),
    "endpoint challenge": Route("POST", f"{ENDPOINT}/challenge"),
    "endpoint example": Route(
        "POST", f"{ENDPOINT}/send-example", lambda given: {"eventType": given["event_type"]}, told=_example
    ),
    "endpoint messages": Route("GET", f"{ENDPOINT}/poll", query=_polled),
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
    "event-types export": Route("POST", "/event-type/export/openapi", told=lambda answered: answered.answer["spec"]),
    "event-types import": Route(
        "POST",
        "/event-type/import/openapi",
        lambda given: {"spec": given["document"], "dryRun": given["dry_run"]},
        told=lambda answered: answered.answer["data"],
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
    "messages cancel": Route("POST", f"{MESSAGE}/cancel"),
    "messages expunge": Route(
        "DELETE", f"{MESSAGE}/content", told=_expunged, question="Remove the content of {id} for good?"
    ),
    "messages expunge-all": Route(
        "POST",
        "/app/{tenant}/msg/expunge-all-contents",
        question="Remove the contents of all messages of {tenant} for good?",
    ),
    "messages resend": Route(
        "POST",
        f"{MESSAGE}/endpoint/{{endpoint}}/resend",
        told=lambda answered: {"message": answered.given["id"], "endpoint": answered.given["endpoint"]},
    ),
}
