"""One URL of a source, wherever the project includes Hookline's urls."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.asgi import get_asgi_application
from django.test import Client, override_settings
from django.urls import reverse

from hookline.incoming.models import Event
from hookline.incoming.receive.asgi import IngestEdge
from hookline.testing import post_webhook
from tests.cli.conftest import Cli
from tests.cli.test_trigger import Receiver, receiver  # noqa: F401  # a fixture
from tests.edges.senders import SECRET
from tests.engine.rows import make_source

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.prefixed_urls")]


def test_the_url_has_the_prefix_and_the_public_host() -> None:
    source = make_source("stripe", SECRET)
    assert source.url == f"https://hooks.example.com/company/hooks/in/{source.token}"
    assert IngestEdge(get_asgi_application()).prefix == "/company/hooks/in/"


@pytest.mark.urls("tests.edges.senders")  # which has no urls at all
def test_without_hookline_urls_it_is_where_the_asgi_edge_answers() -> None:
    with override_settings(ROOT_URLCONF=()):
        source = make_source("stripe", SECRET)
        assert source.url == f"https://hooks.example.com/in/{source.token}"
        assert IngestEdge(get_asgi_application()).prefix == "/in/"


def test_source_create_prints_it() -> None:
    created = Cli().json("source", "create", "--provider", "stripe", "--secret", "whsec_x")
    assert created["url"].startswith("https://hooks.example.com/company/hooks/in/")
    assert created["url"].endswith(created["path"])


def test_the_admin_shows_it(admin_client: Client) -> None:
    source = make_source("stripe", SECRET)
    page = admin_client.get(reverse("admin:hookline_source_change", args=[source.pk]))
    assert f"https://hooks.example.com/company/hooks/in/{source.token}" in page.content.decode()


def test_trigger_posts_to_it(receiver: Receiver) -> None:  # noqa: F811  # the fixture
    source = make_source("stripe", SECRET)
    Cli().json("trigger", "stripe", "invoice.paid", "--source", source.public_id, "--server", receiver.url)
    [(path, _, _)] = receiver.posted
    assert path == f"/company/hooks/in/{source.token}"


def test_a_sender_that_signs_the_url_is_verified_there(client: Client) -> None:
    source = make_source("twilio", SECRET)
    answer: Any = post_webhook(client, source, "message.received")
    assert answer.status_code == 200, answer.content
    assert Event.objects.count() == 1
