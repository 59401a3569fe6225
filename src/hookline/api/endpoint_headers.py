"""The headers that an endpoint is sent besides Hookline's own. Values that may be credentials are never shown."""

from __future__ import annotations

import re

from ninja import Status

from hookline.api.auth import Request
from hookline.api.endpoints import READ, WRITE, check_headers, endpoint_in
from hookline.api.names import application
from hookline.api.routes import Routes
from hookline.api.schema import In, Out
from hookline.operations import endpoints

routes = Routes("Endpoint")

#: Names whose values are hidden.
_SENSITIVE = re.compile(
    r"authorization|www-authenticate|cookie|api-?key|token|secret|password|credential|signature",
    re.ASCII | re.IGNORECASE,
)


class EndpointHeadersOut(Out):
    headers: dict[str, str]
    sensitive: list[str]


class EndpointHeadersIn(In):
    headers: dict[str, str]


class EndpointHeadersPatchIn(In):
    headers: dict[str, str | None]
    delete_headers: list[str] | None = None


@routes.get("/app/{app}/endpoint/{ep}/headers", "v1.endpoint.get-headers", READ, EndpointHeadersOut)
def get_headers(request: Request, app: str, ep: str) -> EndpointHeadersOut:
    """Get the headers of an endpoint; of those that may be credentials only the names."""
    own = endpoint_in(application(request, app), ep).own_headers
    hidden = [name for name in own if _SENSITIVE.search(name)]
    return EndpointHeadersOut(
        headers={name: value for name, value in own.items() if name not in hidden}, sensitive=hidden
    )


@routes.put("/app/{app}/endpoint/{ep}/headers", "v1.endpoint.update-headers", WRITE, {204: None})
def put_headers(request: Request, app: str, ep: str, body: EndpointHeadersIn) -> Status[None]:
    """Replace all headers of an endpoint."""
    check_headers(body.headers)
    endpoints.update(request.auth.actor, endpoint_in(application(request, app), ep), headers=body.headers)
    return Status(204, None)


@routes.patch("/app/{app}/endpoint/{ep}/headers", "v1.endpoint.patch-headers", WRITE, {204: None})
def patch_headers(request: Request, app: str, ep: str, body: EndpointHeadersPatchIn) -> Status[None]:
    """Set headers of an endpoint. A null, or a name in `deleteHeaders`, removes one, however it is written."""
    given = {name: value for name, value in body.headers.items() if value is not None}
    check_headers(given)
    found = endpoint_in(application(request, app), ep)
    changed = {name.lower() for name in (*body.headers, *(body.delete_headers or ()))}
    kept = {name: value for name, value in found.own_headers.items() if name.lower() not in changed}
    endpoints.update(request.auth.actor, found, headers={**kept, **given})
    return Status(204, None)
