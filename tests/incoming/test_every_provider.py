"""Every provider, from a posted webhook to what a handler reads."""

from __future__ import annotations

import pytest
from django.test import Client

from hookline import providers
from hookline.core.secrets import SecretRing
from hookline.incoming.models import Event, Source
from hookline.tenants.models import resolve
from hookline.testing import post_webhook
from tests.providers.kits import kit_of

pytestmark = pytest.mark.django_db

#: Those whose secret both signs and verifies, with nothing to fetch.
NAMES = [
    name for name in providers.names() if kit_of(name).signing == kit_of(name).secret and not kit_of(name).documents
]


@pytest.mark.parametrize("name", NAMES)
def test_a_posted_webhook_becomes_an_event_whose_json_a_handler_can_read(client: Client, name: str) -> None:
    kit = kit_of(name)
    source = Source(tenant=resolve(None), provider=name, options=dict(kit.options))
    source.secrets = SecretRing.of(kit.secret)
    source.save()
    for number, event_type in enumerate(providers.get(name).samples):
        answer = post_webhook(client, source, event_type, event_id=str(1000 + number))
        assert 200 <= answer.status_code < 300, answer.content
        event = Event.objects.order_by("pk").last()
        assert event is not None
        assert event.type == event_type
        assert isinstance(event.json, dict | list)
