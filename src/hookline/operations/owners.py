"""Whose an object is, by its public id alone."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from hookline.access.models import ApiKey
from hookline.db.row import Row
from hookline.exceptions import NotFound
from hookline.incoming.models import Event, FollowUp, Rejection, Source
from hookline.outgoing.models import Attempt, Delivery, Endpoint, Message
from hookline.replays.models import Replay
from hookline.tenants.models import Tenant

#: Model -> how its tenant is found.
_OWNED: dict[type[Row], str] = {
    Tenant: "pk",
    ApiKey: "tenant_id",
    Endpoint: "tenant_id",
    Message: "tenant_id",
    Delivery: "endpoint__tenant_id",
    Attempt: "delivery__endpoint__tenant_id",
    Source: "tenant_id",
    Event: "source__tenant_id",
    FollowUp: "source__tenant_id",
    Rejection: "source__tenant_id",
    Replay: "tenant_id",
}
_BY_PREFIX = {model.prefix: model for model in _OWNED}


def owner(name: str, within: QuerySet[Tenant] | None = None) -> tuple[type[Row], UUID, UUID | None]:
    """The model, key and tenant of the object with this public id, or of the endpoint with this uid.

    Only those of the tenants `within` are found; without it, all are. Raises NotFound.
    """
    model = _BY_PREFIX.get(name.partition("_")[0])
    if model is not None:
        try:
            found = _one(model, _OWNED[model], pk=model.id_of(name))
        except ValueError:
            found = None
        if found is not None and (within is None or within.filter(pk__in=[found[2]]).exists()):
            return found
    narrowed = {} if within is None else {"tenant__in": within}
    uid = _one(Endpoint, "tenant_id", uid=name, **narrowed)
    if uid is None:
        raise NotFound(f"object {name} not found")
    return uid


def _one(model: type[Row], column: str, **lookups: object) -> tuple[type[Row], UUID, UUID | None] | None:
    """The only one of these; several are none."""
    found = list(model._default_manager.filter(**lookups).values_list("pk", column)[:2])
    return (model, *found[0]) if len(found) == 1 else None
