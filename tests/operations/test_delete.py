"""Deleting what was set up: only what has no history, and never what is in use."""

from __future__ import annotations

from uuid import UUID

import pytest

from hookline import conf
from hookline.audit.actor import user
from hookline.exceptions import Conflict, NotFound
from hookline.models import AuditEntry, Endpoint, Source
from hookline.operations import endpoint_removal, endpoints, sources
from hookline.operations.prune import prune
from tests.engine.rows import ago, make_delivery, make_endpoint, make_event, make_source
from tests.operations.cases import World

pytestmark = pytest.mark.django_db

ADA = user("ada")


def test_a_source_that_is_enabled_or_has_history_is_not_deleted() -> None:
    source = make_source()
    with pytest.raises(Conflict, match=f"is enabled; disable it first: `hookline source disable {source.public_id}`"):
        sources.delete(ADA, source)
    Source.objects.update(disabled=True)
    make_event(source)
    with pytest.raises(Conflict, match="has events, which would be lost"):
        sources.delete(ADA, source)
    assert Source.objects.exists()
    assert not AuditEntry.objects.exists()


def test_a_source_with_rejections_is_not_deleted() -> None:
    world = World()
    Source.objects.filter(pk=world.source.pk).update(disabled=True)
    world.event.delete()
    world.other.delete()
    with pytest.raises(Conflict, match="has rejections, which would be lost"):
        sources.delete(ADA, world.source)


def test_an_endpoint_that_is_enabled_or_has_history_is_not_deleted() -> None:
    endpoint = make_endpoint()
    with pytest.raises(Conflict, match="is enabled; disable it first"):
        endpoints.delete(ADA, endpoint)
    Endpoint.objects.update(disabled=True)
    make_delivery(endpoint)
    with pytest.raises(Conflict, match="has deliveries, which would be lost"):
        endpoints.delete(ADA, endpoint)
    assert Endpoint.objects.exists()


def test_the_row_of_a_deleted_endpoint_goes_when_its_history_is_gone() -> None:
    with_history, without, late, living = (make_endpoint() for _ in range(4))
    delivery = make_delivery(with_history)
    for endpoint in (with_history, without, late):
        endpoint_removal.remove(ADA, endpoint)
    Endpoint.objects.filter(pk__in=[with_history.pk, without.pk]).update(deleted_at=ago(2 * 86400))

    def left() -> set[UUID]:
        prune(ADA, conf.get())
        return set(Endpoint.objects.values_list("pk", flat=True))

    assert left() == {with_history.pk, late.pk, living.pk}
    delivery.refresh_from_db()
    assert delivery.state == "cancelled"
    delivery.delete()
    assert left() == {late.pk, living.pk}
    assert AuditEntry.objects.filter(action="history.prune").latest("id").details["endpoints"] == 1


def test_what_is_deleted_is_gone_for_every_operation() -> None:
    source = make_source(disabled=True)
    sources.delete(ADA, Source.objects.get())
    for operation in (sources.delete, sources.enable, sources.disable):
        with pytest.raises(NotFound, match=f"source {source.public_id} not found"):
            operation(ADA, source)
    assert AuditEntry.objects.get().action == "source.delete"
