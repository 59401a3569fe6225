"""Whether the API can do its work."""

from __future__ import annotations

from django.db import DatabaseError, connections, router
from django.http import HttpRequest
from ninja import Status

from hookline.api.routes import Routes
from hookline.api.schema import Out
from hookline.tenants.models import Tenant

routes = Routes("Health")


class Health(Out):
    status: str


class HealthOut(Out):
    """The queue and the cache are in the database."""

    database: Health
    queue: Health
    cache: Health


@routes.get("/health", "v1.health.get", None, {200: HealthOut, 500: HealthOut})
def health(request: HttpRequest) -> Status[HealthOut]:
    """Whether the database answers, which holds queue and cache, too."""
    try:
        with connections[router.db_for_write(Tenant)].cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError:
        return Status(500, _all("error"))
    return Status(200, _all("ok"))


@routes.get("/health/ping", "v1.health.ping", None, {204: None})
def ping(request: HttpRequest) -> Status[None]:
    """204 while the process answers at all."""
    return Status(204, None)


def _all(status: str) -> HealthOut:
    return HealthOut(database=Health(status=status), queue=Health(status=status), cache=Health(status=status))
