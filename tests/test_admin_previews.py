"""What the admin shows before it is done: replays, and event types of a document."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from hookline import dispatch
from hookline.models import Endpoint, EventType, Replay
from tests.admin_pages import add_url, list_url, page_url
from tests.engine.rows import make_endpoint

pytestmark = pytest.mark.django_db(transaction=True)

SCHEMA = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    return client


@pytest.fixture
def viewer() -> Client:
    user = User.objects.create_user("eve", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def late() -> Endpoint:
    """An endpoint that missed three messages."""
    for number in range(3):
        dispatch("invoice.paid", {"n": number})
    return make_endpoint()


def chosen(endpoint: Endpoint, **more: str) -> dict[str, str]:
    return {"what": "missed", "endpoint": endpoint.public_id, "since": "2026-01-01T00:00", "rate": "2", **more}


def document(schema: dict[str, Any]) -> str:
    body = {"requestBody": {"content": {"application/json": {"schema": schema}}}}
    return json.dumps(
        {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "webhooks": {"order.shipped": {"post": body}}}
    )


def test_a_replay_says_what_it_would_do_before_it_is_started(admin: Client, late: Endpoint) -> None:
    assert "send what it missed" in admin.get(page_url(late)).text
    shown = admin.post(add_url(Replay), chosen(late))
    assert "It would make 3 due" in shown.text
    assert "2 seconds" in shown.text
    assert not Replay.objects.exists()
    # Whoever would rather change it finds the form filled in.
    again = admin.get(f"{add_url(Replay)}?{shown.context['query']}")
    assert again.context["adminform"].form["endpoint"].value() == late.public_id
    hidden = dict(shown.context["values"])
    assert admin.post(add_url(Replay), {**hidden, "confirmed": "yes"}).status_code == 302
    replay = Replay.objects.get()
    assert (replay.what, replay.rate, replay.total, replay.tenant) == ("missed", 2.0, 3, late.tenant)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"since": ""}, "needs an endpoint and a start time"),
        ({"endpoint": "ep_no"}, "ep_no"),
        ({"rate": "0"}, "more than 0"),
    ],
)
def test_a_replay_that_cannot_be_is_refused_in_its_form(
    admin: Client, late: Endpoint, changed: dict[str, str], problem: str
) -> None:
    for confirmed in ({}, {"confirmed": "yes"}):
        answer = admin.post(add_url(Replay), {**chosen(late), **changed, **confirmed})
        assert problem in str(answer.context["adminform"].form.errors)
    assert not Replay.objects.exists()


def test_who_may_only_look_starts_no_replay_and_imports_nothing(viewer: Client, late: Endpoint) -> None:
    page = reverse("admin:hookline_eventtype_document")
    assert viewer.post(add_url(Replay), chosen(late, confirmed="yes")).status_code == 403
    assert viewer.post(page, {"document": document(SCHEMA), "import": "yes"}).status_code == 403
    assert "order.shipped" in viewer.post(page, {"document": document(SCHEMA), "check": "yes"}).text
    assert viewer.get(reverse("admin:hookline_eventtype_export")).json()["openapi"].startswith("3.1")
    assert Client().get(page).status_code == 302
    assert not Replay.objects.exists()
    assert not EventType.objects.exists()


def test_a_document_is_checked_imported_and_exported(admin: Client) -> None:
    page = reverse("admin:hookline_eventtype_document")
    assert "document/" in admin.get(list_url(EventType)).text

    def would(schema: dict[str, Any]) -> list[list[str]]:
        answer = admin.post(page, {"document": document(schema), "check": "yes"})
        return [list(names) for _, names in answer.context["would"]]

    assert would(SCHEMA) == [["order.shipped"], [], [], []]
    assert not EventType.objects.exists()
    assert admin.post(page, {"document": document(SCHEMA), "import": "yes"}).status_code == 302
    assert would(SCHEMA) == [[], [], ["order.shipped"], []]
    exported = admin.get(reverse("admin:hookline_eventtype_export"))
    assert exported.json()["webhooks"].keys() == {"order.shipped"}
    # What was required and is no longer breaks whoever relies on it.
    created, updated, _, breaking = would({"type": "object"})
    assert (created, updated) == ([], ["order.shipped"])
    assert breaking
    refused = admin.post(page, {"document": document({"type": "object"}), "import": "yes"})
    assert "breaks subscribers" in refused.text
    assert EventType.objects.get().schema == SCHEMA
    allowed = {"document": document({"type": "object"}), "import": "yes", "allow_breaking": "on"}
    assert admin.post(page, allowed).status_code == 302
    assert EventType.objects.get().schema == {"type": "object"}


def test_what_is_no_document_is_refused_in_its_form(admin: Client) -> None:
    page = reverse("admin:hookline_eventtype_document")
    for text in ("{", '{"openapi": "2.0"}', ""):
        answer = admin.post(page, {"document": text, "import": "yes"})
        assert answer.context["form"].errors
