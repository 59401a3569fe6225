"""Objects by their id alone: to which application one belongs, for those who have nothing else."""

from __future__ import annotations

from hookline.api.auth import Needs, Request
from hookline.api.names import app_id_of
from hookline.api.routes import Routes
from hookline.api.schema import Out
from hookline.operations import owners

routes = Routes("Object")


class ObjectOut(Out):
    id: str
    kind: str
    #: None for what belongs to no application.
    app_id: str | None


@routes.get("/object/{name}", "v1.object.get", Needs(), ObjectOut)
def get_object(request: Request, name: str) -> ObjectOut:
    """Say to which application an object belongs, by its id, or an endpoint by its uid."""
    model, key, tenant_id = owners.owner(name, request.auth.tenants())
    return ObjectOut(id=model.public(key), kind=model.noun, app_id=app_id_of(tenant_id))
