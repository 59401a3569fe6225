"""The secret that a subscriber verifies with: shown to whoever may read it, and rotated."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Status
from pydantic import Field, StrictInt

from hookline.api.auth import Needs, Request
from hookline.api.endpoints import endpoint_in
from hookline.api.errors import ApiError
from hookline.api.names import application
from hookline.api.renderer import compact
from hookline.api.routes import Routes
from hookline.api.schema import In, Out, optional
from hookline.operations import endpoint_secrets, endpoints

routes = Routes("Endpoint")

READ = Needs("secrets:read")
WRITE = Needs("secrets:write")
#: Previous secrets that may sign beside the newest.
MOST = 10
DAY = 86_400


class EndpointSecretOut(Out):
    key: str


class EndpointSecretRotateIn(In):
    key: str | None = None
    grace_period_seconds: Annotated[StrictInt, Field(ge=0, le=7 * DAY)] | None = optional(DAY)


@routes.get("/app/{app}/endpoint/{ep}/secret", "v1.endpoint.get-secret", READ, EndpointSecretOut)
def get_secret(request: Request, app: str, ep: str) -> EndpointSecretOut:
    """Get the secret of an endpoint; of a key pair the public half."""
    return EndpointSecretOut(key=endpoint_secrets.current(endpoint_in(application(request, app), ep)))


@routes.post(
    "/app/{app}/endpoint/{ep}/secret/rotate",
    "v1.endpoint.rotate-secret",
    WRITE,
    {200: EndpointSecretOut, 204: None},
)
def rotate_secret(request: Request, app: str, ep: str, body: EndpointSecretRotateIn) -> HttpResponse | Status[None]:
    """Give an endpoint a new secret. Messages are signed with the previous ones, too, until the grace period ends.

    The new secret is answered to Svix's clients, the newer of which read it. Others get 204 and no body.
    """
    found = endpoint_in(application(request, app), ep)
    grace = DAY if body.grace_period_seconds is None else body.grace_period_seconds
    if grace and endpoint_secrets.still_active(found) >= MOST:
        raise ApiError(
            f"{MOST} previous secrets still sign; wait until one ends, or use a grace period of 0",
            code="limit_reached",
        )
    rotated = endpoints.rotate(request.auth.actor, found, body.key, overlap=float(grace))
    if reads_the_key(request):
        return HttpResponse(compact({"key": rotated.secret}), content_type="application/json")
    return Status(204, None)


def reads_the_key(request: HttpRequest) -> bool:
    """Whether it is a client that may die of an answer without a body: Svix's for Python does from 2.7 on."""
    return request.headers.get("User-Agent", "").startswith("svix-libs/")
