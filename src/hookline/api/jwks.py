"""The public keys of endpoints, for subscribers who verify by Ed25519."""

from __future__ import annotations

from typing import Any

from hookline.api.auth import Needs, Request
from hookline.api.errors import Missing
from hookline.api.names import application
from hookline.api.routes import Routes
from hookline.api.schema import Out
from hookline.api.visible import one
from hookline.operations import endpoint_rows, endpoints

routes = Routes("Endpoint")

READ = Needs("endpoints:read")


class KeySetOut(Out):
    """A JSON Web Key Set (RFC 7517 section 5)."""

    keys: list[dict[str, Any]]
    #: Where the same is without a key of the API.
    url: str


@routes.get("/app/{app}/endpoint/{endpoint}/jwks", "v1.endpoint.get-jwks", READ, KeySetOut)
def get_jwks(request: Request, app: str, endpoint: str) -> KeySetOut:
    """Get the public keys that are active, newest first; none where no scheme of the endpoint has a key pair."""
    tenant = application(request, app)
    found = one(request, lambda name: endpoints.find(name, tenant=tenant.key), endpoint, lambda one: one.tenant)
    if found.tenant_id != tenant.pk:  # an id is found whatever the tenant
        raise Missing
    return KeySetOut(**endpoint_rows.key_set(found))
