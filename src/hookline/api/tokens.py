"""Tokens for the page of an application's users, as Svix issues them."""

from __future__ import annotations

import base64
import json
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from ninja import Status
from pydantic import Field, StrictInt

from hookline import conf
from hookline.access.principal import Principal
from hookline.api.auth import Needs, Request
from hookline.api.names import app_id, application, application_for
from hookline.api.routes import Routes
from hookline.api.schema import In, Name, Out, Text, optional
from hookline.exceptions import NotAllowed
from hookline.operations import app_tokens, keys
from hookline.tenants.models import Tenant

routes = Routes("Authentication")

ISSUE = Needs("tokens:write")

SessionId = Annotated[Text, Field(min_length=1, max_length=256)]
Seconds = Annotated[StrictInt, Field(ge=1, le=app_tokens.LONGEST)]


class Capability(StrEnum):
    VIEW_BASE = "ViewBase"
    VIEW_ENDPOINT_SECRET = "ViewEndpointSecret"
    MANAGE_ENDPOINT_SECRET = "ManageEndpointSecret"
    MANAGE_TRANSFORMATIONS = "ManageTransformations"
    CREATE_ATTEMPTS = "CreateAttempts"
    MANAGE_ENDPOINT = "ManageEndpoint"


#: Scopes that a capability stands for, by what Svix's client says of each; without any, a token has all of them.
_SCOPES: dict[Capability, tuple[str, ...]] = {
    Capability.VIEW_BASE: app_tokens.READ,
    Capability.VIEW_ENDPOINT_SECRET: ("secrets:read",),
    Capability.MANAGE_ENDPOINT_SECRET: ("secrets:read", "secrets:write"),
    Capability.MANAGE_TRANSFORMATIONS: (),
    Capability.CREATE_ATTEMPTS: ("deliveries:write", "replays:write"),
    Capability.MANAGE_ENDPOINT: ("endpoints:write", "secrets:read", "secrets:write"),
}


class AppPortalAccessIn(In):
    feature_flags: list[Name] = optional(None)
    application: dict[str, object] | None = None
    #: Seconds that the token lives: 28 days at most, which is the default.
    expiry: Seconds | None = None
    read_only: bool | None = None
    capabilities: list[Capability] | None = None
    session_id: SessionId | None = None

    def scopes(self) -> list[str] | None:
        if self.capabilities is not None:
            return sorted({scope for one in self.capabilities for scope in _SCOPES[one]} | set(app_tokens.READ))
        return list(app_tokens.READ) if self.read_only else None


class AppPortalAccessOut(Out):
    #: The page of the setting PORTAL_URL with the token in its fragment; empty without one.
    url: str
    token: str


class ExpireAllIn(In):
    #: Seconds that the tokens still count.
    expiry: Annotated[StrictInt, Field(ge=0, le=app_tokens.LONGEST)] | None = None
    session_ids: list[SessionId] | None = None


@routes.post("/auth/app-portal-access/{app}", "v1.authentication.app-portal-access", ISSUE, AppPortalAccessOut)
def app_portal_access(request: Request, app: str, body: AppPortalAccessIn) -> AppPortalAccessOut:
    """Issue a token with which somebody looks after the endpoints of this application, and nothing else.

    An `application` in the body is created where there is none.
    """
    return _issued(request.auth, application_for(app, request.auth, body.application), body)


@routes.post("/auth/dashboard-access/{app}", "v1.authentication.dashboard-access", ISSUE, AppPortalAccessOut)
def dashboard_access(request: Request, app: str) -> AppPortalAccessOut:
    """Issue a token as `app-portal-access` does; what older clients call. A body is not looked at."""
    return _issued(request.auth, application(request, app), AppPortalAccessIn())


@routes.post("/auth/app/{app}/expire-all", "v1.authentication.expire-all", ISSUE, {204: None})
def expire_all(request: Request, app: str, body: ExpireAllIn) -> Status[None]:
    """End all tokens of this application, or those of some sessions."""
    found = application(request, app)
    app_tokens.expire(request.auth.actor, found, after=body.expiry or 0, sessions=body.session_ids)
    return Status(204, None)


@routes.post("/auth/logout", "v1.authentication.logout", Needs(), {204: None})
def logout(request: Request) -> Status[None]:
    """End the token that this request is sent with."""
    principal = request.auth
    if not principal.is_app or principal.key_id is None:
        raise NotAllowed("only tokens of a subscriber's page log out; `hookline key revoke` ends a key")
    keys.revoke(principal.actor, keys.by_id(principal.key_id))
    return Status(204, None)


def _issued(principal: Principal, tenant: Tenant, body: AppPortalAccessIn) -> AppPortalAccessOut:
    token = app_tokens.issue(
        principal.actor,
        tenant,
        feature_flags=body.feature_flags or [],
        lifetime=body.expiry or app_tokens.LIFETIME,
        scopes=body.scopes(),
        session=body.session_id or "",
    ).text
    return AppPortalAccessOut(url=_page(tenant, token), token=token)


def _page(tenant: Tenant, token: str) -> str:
    """The page of the settings. The token is in the fragment, as with Svix, so that no server's log has it."""
    url = conf.get().PORTAL_URL
    if not url:
        return ""
    login = json.dumps({"appId": app_id(tenant), "token": token}, separators=(",", ":"))
    return f"{urlsplit(url)._replace(fragment='').geturl()}#key={base64.urlsafe_b64encode(login.encode()).decode()}"
