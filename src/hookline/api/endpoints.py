"""Endpoints of an application."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from ninja import Query, Status
from pydantic import AfterValidator, Field, StrictInt, model_validator

from hookline.api.auth import Needs, Request
from hookline.api.endpoint_options import SendingIn, SendingOut, fields_of, limits_of
from hookline.api.errors import VALUE, Refused
from hookline.api.names import application
from hookline.api.pages import ListResponse, id_keys, page
from hookline.api.query import Order, OrderedListing
from hookline.api.routes import Routes
from hookline.api.schema import Flag, In, Metadata, Name, Out, Rate, Text, is_name, optional, refused
from hookline.api.schema import uid_of as uid_format
from hookline.core.url import parse_url
from hookline.exceptions import AddressRefused
from hookline.models import Endpoint
from hookline.operations import endpoint_removal, endpoints, event_types, limits, rows
from hookline.tenants.models import Tenant

routes = Routes("Endpoint")

READ = Needs("endpoints:read")
WRITE = Needs("endpoints:write")
EP_IDS = id_keys("ep")


def _url(text: str) -> str:
    """As it is stored: in the one spelling that is sent to."""
    try:
        return str(parse_url(text.strip()))
    except AddressRefused as error:
        raise refused(str(error)) from None


def _pattern(text: str) -> str:
    if not is_name(text.replace("*", "_")):
        raise refused(
            f"use 1 to 256 letters, digits, hyphens, underscores and dots, or * for any text, not {text!r:.80}"
        )
    return text


def _distinct(names: list[str] | None) -> list[str] | None:
    return None if names is None else list(dict.fromkeys(names))


Url = Annotated[str, AfterValidator(_url)]
EndpointUid = Annotated[str, uid_format("ep_")]
Description = Annotated[Text, Field(max_length=1000)]
EventTypes = Annotated[list[Annotated[str, AfterValidator(_pattern)]], Field(min_length=1, max_length=1000)]
Channels = Annotated[list[Name], Field(min_length=1, max_length=10), AfterValidator(_distinct)]
Version = Annotated[StrictInt, Field(ge=1, le=65535)]


class EndpointOut(Out):
    description: str
    rate_limit: int | None
    throttle_rate: int | None
    uid: str | None
    url: str
    version: int
    disabled: bool
    event_types: list[str] | None
    filter_types: list[str] | None
    channels: list[str] | None
    created_at: datetime
    updated_at: datetime
    id: str
    metadata: dict[str, str]
    #: Left out where everything is as by default.
    sending: SendingOut | None = None

    @classmethod
    def of(cls, endpoint: Endpoint) -> EndpointOut:
        rate = None if endpoint.lane_rate is None else max(1, round(endpoint.lane_rate))
        shown = cls.model_construct(
            description=endpoint.description,
            rate_limit=rate,
            throttle_rate=rate,
            uid=endpoint.uid,
            url=endpoint.url,
            version=endpoint.version or 1,
            disabled=endpoint.disabled,
            event_types=endpoint.event_types or None,
            filter_types=endpoint.event_types or None,
            channels=endpoint.channels or None,
            created_at=endpoint.created_at,
            updated_at=endpoint.updated_at or endpoint.created_at,
            id=endpoint.public_id,
            metadata={name: str(value) for name, value in endpoint.metadata.items()},
        )
        if (sending := SendingOut.of(endpoint)) is not None:
            shown.sending = sending
        return shown


class _Endpoint(In):
    @model_validator(mode="before")
    @classmethod
    def _older_names(cls, value: Any) -> Any:
        """`rateLimit` and `filterTypes` are what two fields were called."""
        if not isinstance(value, dict):
            return value
        if "filterTypes" in value and "eventTypes" in value:
            raise refused("eventTypes and filterTypes are the same; give one of them")
        renamed = dict(value)
        for older, newer in (("rateLimit", "throttleRate"), ("filterTypes", "eventTypes")):
            if older in renamed and newer not in renamed:
                renamed[newer] = renamed[older]
        return renamed


class EndpointUpdate(_Endpoint):
    """What replaces an endpoint. The secret stays."""

    url: Url
    description: Description = ""
    uid: EndpointUid | None = None
    throttle_rate: Rate | None = None
    disabled: Flag = False
    event_types: EventTypes | None = None
    channels: Channels | None = None
    metadata: Metadata = optional()
    version: Version | None = None
    sending: SendingIn | None = optional()


class EndpointIn(EndpointUpdate):
    #: `whsec_` and base64 of 24 to 75 bytes, or a private key, `whsk_`.
    secret: str | None = None
    headers: dict[str, str] | None = None


class EndpointPatch(_Endpoint):
    url: Url = optional()
    description: Description = optional()
    uid: EndpointUid | None = optional()
    throttle_rate: Rate | None = optional()
    disabled: Flag = optional()
    event_types: EventTypes | None = optional()
    channels: Channels | None = optional()
    metadata: Metadata = optional()
    version: Version = optional()
    sending: SendingIn | None = optional()


#: What was not set of an answer is left out.
SPARE: dict[str, Any] = {"exclude_unset": True}


@routes.get("/app/{app}/endpoint", "v1.endpoint.list", READ, ListResponse[EndpointOut], **SPARE)
def list_endpoints(request: Request, app: str, query: Query[OrderedListing]) -> ListResponse[EndpointOut]:
    """List the endpoints of an application, the newest first."""
    rows_of = endpoints.living().filter(tenant=application(request, app))
    return page(rows_of, query, EP_IDS, EndpointOut.of, descending=query.order is not Order.ASCENDING)


@routes.post("/app/{app}/endpoint", "v1.endpoint.create", WRITE, {201: EndpointOut}, **SPARE)
def create_endpoint(request: Request, app: str, body: EndpointIn) -> Status[EndpointOut]:
    """Create an endpoint. Without a secret one is made up; see the operation that shows it."""
    return Status(201, EndpointOut.of(created(request, application(request, app), body)))


@routes.get("/app/{app}/endpoint/{ep}", "v1.endpoint.get", READ, EndpointOut, **SPARE)
def get_endpoint(request: Request, app: str, ep: str) -> EndpointOut:
    """Get an endpoint by its id or uid."""
    return EndpointOut.of(endpoint_in(application(request, app), ep))


@routes.put("/app/{app}/endpoint/{ep}", "v1.endpoint.update", WRITE, {200: EndpointOut, 201: EndpointOut}, **SPARE)
def put_endpoint(request: Request, app: str, ep: str, body: EndpointUpdate) -> Status[EndpointOut]:
    """Replace an endpoint; create it where there is none. What is left out returns to its default."""
    tenant = application(request, app)
    found = rows_with(tenant, ep)
    if not found:
        if body.uid is None and is_name(ep) and not ep.startswith("ep_") and ep not in (".", ".."):
            body.uid = ep  # so that the same request a second time finds it
        made = EndpointIn.model_construct(**dict(body), secret=None, headers=None)
        return Status(201, EndpointOut.of(created(request, tenant, made)))
    replaced = set(EndpointUpdate.model_fields)
    if "sending" not in body.model_fields_set:
        replaced.discard("sending")  # clients of Svix do not know of it
    if ep == found[0].uid and "uid" not in body.model_fields_set:
        replaced.discard("uid")
    change(request, found[0], {name: getattr(body, name) for name in replaced})
    return Status(200, EndpointOut.of(found[0]))


@routes.patch("/app/{app}/endpoint/{ep}", "v1.endpoint.patch", WRITE, EndpointOut, **SPARE)
def patch_endpoint(request: Request, app: str, ep: str, body: EndpointPatch) -> EndpointOut:
    """Change what is given of an endpoint; null clears."""
    found = endpoint_in(application(request, app), ep)
    change(request, found, body.given())
    return EndpointOut.of(found)


@routes.delete("/app/{app}/endpoint/{ep}", "v1.endpoint.delete", WRITE)
def delete_endpoint(request: Request, app: str, ep: str) -> Status[None]:
    """Delete an endpoint: nothing more is sent to it. Its uid is free at once; its history stays until it is pruned."""
    endpoint_removal.remove(request.auth.actor, endpoint_in(application(request, app), ep))
    return Status(204, None)


def endpoint_in(tenant: Tenant, name: str) -> Endpoint:
    """The endpoint of an application with this id or uid. Raises NotFound."""
    found = rows_with(tenant, name)
    if not found:
        raise rows.not_found(Endpoint, name)
    return found[0]


def rows_with(tenant: Tenant, name: str) -> list[Endpoint]:
    """The endpoint of the tenant with this id or uid, if there is one."""
    if not is_name(name):
        return []
    of_tenant = endpoints.living().filter(tenant=tenant)
    try:
        by_id = list(of_tenant.filter(pk=Endpoint.id_of(name)))
    except ValueError:
        by_id = []
    return by_id or list(of_tenant.filter(uid=name)[:1])


def created(request: Request, tenant: Tenant, body: EndpointIn) -> Endpoint:
    """Raises as the operations do."""
    check_known(request, body.event_types or [], ())
    check_headers(body.headers or {})
    actor = request.auth.actor
    endpoint = endpoints.create(
        actor,
        body.url,
        tenant=tenant,
        event_types=body.event_types or (),
        channels=body.channels or (),
        secret=body.secret,
        description=body.description,
        uid=body.uid,
        metadata=body.metadata,
        headers=body.headers,
        version=body.version,
        **fields_of(body.sending),
    )
    if body.throttle_rate is not None or limits_of(body.sending):
        limits.limit(actor, endpoint, rate=body.throttle_rate, **limits_of(body.sending))
    if body.disabled:
        endpoints.disable(actor, endpoint)
    return endpoint


def change(request: Request, endpoint: Endpoint, fields: Mapping[str, Any]) -> None:
    """Set these fields, by our names. Raises as the operations do."""
    actor = request.auth.actor
    rest = dict(fields)
    if "event_types" in rest:
        rest["event_types"] = rest["event_types"] or []
        check_known(request, rest["event_types"], endpoint.event_types)
    if "channels" in rest:
        rest["channels"] = rest["channels"] or []
    if "metadata" in rest:
        rest["metadata"] = rest["metadata"] or {}
    sending = rest.pop("sending", None)
    disabled, wanted = rest.pop("disabled", None), limits_of(sending)
    if "throttle_rate" in rest:
        wanted["rate"] = rest.pop("throttle_rate")
    if rest := {**rest, **fields_of(sending)}:
        endpoints.update(actor, endpoint, **rest)
    if (new := {**endpoint.limits, **wanted}) != endpoint.limits:
        if new["rate"] is None and "burst" not in wanted:
            new["burst"] = None  # it was part of the rate
        limits.limit(actor, endpoint, **new)
    if disabled is not None and disabled != endpoint.disabled:
        (endpoints.disable if disabled else endpoints.enable)(actor, endpoint)


def check_known(request: Request, names: list[str], known_before: Any) -> None:
    """Raises Refused for event types that are not in the catalogue, or that this key does not see.

    What the endpoint has already may stay, even if it was archived since; a pattern may fit types that come later.
    """
    wanted = [name for name in names if "*" not in name and name not in known_before]
    visible = {one.name for one in event_types.named(wanted) if is_visible(request, one)}
    if missing := [name for name in wanted if name not in visible]:
        raise Refused.at(
            "body", "eventTypes", msg=f"event types that do not exist: {', '.join(missing)[:500]}", kind=VALUE
        )


def is_visible(request: Request, event_type: Any) -> bool:
    """Whether an event type is there for subscribers, and for this key."""
    flags = request.auth.feature_flags
    of_type = event_type.feature_flags
    return not event_type.archived and (not of_type or flags is None or not flags.isdisjoint(of_type))


#: Of those that Svix refuses; Hookline refuses some more (core/sent_headers.py).
_FORBIDDEN = frozenset((
    "user-agent", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailers", "transfer-encoding",
    "upgrade", "age", "cache-control", "clear-site-data", "expires", "pragma", "warning", "content-length",
    "content-type", "content-encoding", "content-language", "content-location",
))  # fmt: skip
_FORBIDDEN_PREFIXES = (
    "x-amz-", "x-amzn-", "x-google", "x-goog-", "x-gfe", "x-azure-", "x-fd-", "x-svix-", "svix-",
)  # fmt: skip


def check_headers(headers: dict[str, str]) -> None:
    """Raises Refused for names that are not the subscriber's to set."""
    for name in headers:
        lowered = name.lower()
        if lowered in _FORBIDDEN or lowered.startswith(_FORBIDDEN_PREFIXES):
            raise Refused.at("body", "headers", msg=f"the header {name:.100} cannot be set")
