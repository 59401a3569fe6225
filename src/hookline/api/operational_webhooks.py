"""Operational webhooks: the endpoints that are told of all others, which are those of the tenant OPERATIONAL_TENANT."""

from __future__ import annotations

from django.http import HttpResponse
from ninja import Query, Status

from hookline import conf
from hookline.api import endpoint_headers, endpoint_secret, endpoints
from hookline.api.auth import Needs, Request
from hookline.api.endpoint_headers import EndpointHeadersIn, EndpointHeadersOut
from hookline.api.endpoint_secret import EndpointSecretOut, EndpointSecretRotateIn
from hookline.api.endpoints import SPARE, EndpointIn, EndpointOut, EndpointUpdate
from hookline.api.errors import ApiError
from hookline.api.pages import ListResponse
from hookline.api.query import OrderedListing
from hookline.api.routes import Routes

routes = Routes("Operational webhook endpoint")

READ = Needs("endpoints:read", operator=True)
WRITE = Needs("endpoints:write", operator=True)
SECRET = Needs("secrets:read", operator=True)
ROTATE = Needs("secrets:write", operator=True)
ALL = "/operational-webhook/endpoint"
ONE = f"{ALL}/{{ep}}"
NAME = "v1.operational-webhook.endpoint"


@routes.get(ALL, f"{NAME}.list", READ, ListResponse[EndpointOut], **SPARE)
def list_endpoints(request: Request, query: Query[OrderedListing]) -> ListResponse[EndpointOut]:
    """List the endpoints that are told when any other fails, is suspended or recovers."""
    return endpoints.list_endpoints(request, _app(), query)


@routes.post(ALL, f"{NAME}.create", WRITE, {201: EndpointOut}, **SPARE)
def create_endpoint(request: Request, body: EndpointIn) -> Status[EndpointOut]:
    """Create one. Its types are `endpoint.failing`, `endpoint.suspended` and `endpoint.recovered`; none means all."""
    return endpoints.create_endpoint(request, _app(), body)


@routes.get(ONE, f"{NAME}.get", READ, EndpointOut, **SPARE)
def get_endpoint(request: Request, ep: str) -> EndpointOut:
    """Get one, by its id or uid."""
    return endpoints.get_endpoint(request, _app(), ep)


@routes.put(ONE, f"{NAME}.update", WRITE, {200: EndpointOut, 201: EndpointOut}, **SPARE)
def put_endpoint(request: Request, ep: str, body: EndpointUpdate) -> Status[EndpointOut]:
    """Replace one; create it where there is none."""
    return endpoints.put_endpoint(request, _app(), ep, body)


@routes.delete(ONE, f"{NAME}.delete", WRITE)
def delete_endpoint(request: Request, ep: str) -> Status[None]:
    """Delete one: it is told nothing more."""
    return endpoints.delete_endpoint(request, _app(), ep)


@routes.get(f"{ONE}/secret", f"{NAME}.get-secret", SECRET, EndpointSecretOut)
def get_secret(request: Request, ep: str) -> EndpointSecretOut:
    """Get the secret that it verifies with."""
    return endpoint_secret.get_secret(request, _app(), ep)


@routes.post(f"{ONE}/secret/rotate", f"{NAME}.rotate-secret", ROTATE, {200: EndpointSecretOut, 204: None})
def rotate_secret(request: Request, ep: str, body: EndpointSecretRotateIn) -> HttpResponse | Status[None]:
    """Give it a new secret."""
    return endpoint_secret.rotate_secret(request, _app(), ep, body)


@routes.get(f"{ONE}/headers", f"{NAME}.get-headers", READ, EndpointHeadersOut)
def get_headers(request: Request, ep: str) -> EndpointHeadersOut:
    """Get the headers that are sent with each request."""
    return endpoint_headers.get_headers(request, _app(), ep)


@routes.put(f"{ONE}/headers", f"{NAME}.update-headers", WRITE, {204: None})
def put_headers(request: Request, ep: str, body: EndpointHeadersIn) -> Status[None]:
    """Replace them."""
    return endpoint_headers.put_headers(request, _app(), ep, body)


def _app() -> str:
    """The application that has them. Raises ApiError where there is none."""
    key = conf.get().OPERATIONAL_TENANT
    if not key:
        raise ApiError(
            "no tenant is told of endpoints; set OPERATIONAL_TENANT to the key of one",
            code="not_configured",
            status=409,
        )
    return key
