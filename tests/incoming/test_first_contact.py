"""A handshake that nobody signed is answered only until the sender has proved itself."""

from __future__ import annotations

import pytest
from django.test import Client

from hookline.audit.actor import SYSTEM
from hookline.incoming.models import Event, Rejection
from hookline.operations import sources
from hookline.testing import post_webhook

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_unsigned_handshake_is_over_once_a_genuine_event_came(client: Client) -> None:
    source = sources.create(SYSTEM, "dropbox", secrets=["made-up app secret"])

    before = client.get(source.path, {"challenge": "abc123"})
    assert (before.status_code, before.content) == (200, b"abc123")
    assert not Event.objects.exists()

    assert post_webhook(client, source, "list_folder").status_code == 200
    source.refresh_from_db()
    assert not source.awaiting_handshake

    assert client.get(source.path, {"challenge": "abc123"}).status_code in {401, 405}
    assert Rejection.objects.filter(source=source).exists()


def test_enabling_a_source_lets_the_sender_introduce_itself_again(client: Client) -> None:
    source = sources.create(SYSTEM, "dropbox", secrets=["made-up app secret"])
    post_webhook(client, source, "list_folder")
    source.refresh_from_db()

    sources.disable(SYSTEM, source)
    assert client.get(source.path, {"challenge": "abc123"}).status_code == 404
    sources.enable(SYSTEM, source)

    again = client.get(source.path, {"challenge": "abc123"})
    assert (again.status_code, again.content) == (200, b"abc123")


def test_a_forged_request_does_not_end_the_wait(client: Client) -> None:
    source = sources.create(SYSTEM, "dropbox", secrets=["made-up app secret"])
    forged = client.post(
        source.path, b"{}", content_type="application/json", headers={"x-dropbox-signature": "00" * 32}
    )
    assert forged.status_code == 401
    source.refresh_from_db()
    assert source.awaiting_handshake
