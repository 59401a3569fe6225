"""What `manage.py check` says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.handlers.base import BaseHandler
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection, connections
from django.test.utils import override_settings
from django.urls import include, path

from hookline import checks
from hookline.core.secrets import SecretRing
from hookline.incoming.receive import django_view
from hookline.incoming.receive.django_view import ingest
from tests.engine.rows import make_source


def ids(**settings: Any) -> list[str | None]:
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, **settings}):
        return [message.id for message in checks.check_settings()]


def test_the_settings_of_the_tests_are_fine() -> None:
    assert ids() == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"MAX_BODY": 5}, ["hookline.E001"]),
        ({"LEASE": "long"}, ["hookline.E001"]),
        ({"RETRY_JITTER": 7}, ["hookline.E001"]),
        ({"ALLOWED_SUBNETS": ["10.0.0.0/33"]}, ["hookline.E001"]),
        ({"ENCRYPTION_KEYS": []}, ["hookline.E002"]),
        ({"ENCRYPTION_KEYS": ["one:short"]}, ["hookline.E002"]),
        ({"LEASE": 20, "DELIVERY_TIMEOUT": 20}, ["hookline.E003"]),
        ({"LEASE": 21, "DELIVERY_TIMEOUT": 20}, []),
        ({"PUBLIC_URL": ""}, ["hookline.W001"]),
        ({"PUBLIC_URL": "", "ENCRYPTION_KEYS": []}, ["hookline.E002", "hookline.W001"]),
    ],
)
def test_each_mistake_in_the_settings_has_its_id(settings: dict[str, Any], expected: list[str]) -> None:
    assert ids(**settings) == expected


def test_local_times_are_refused() -> None:
    with override_settings(USE_TZ=False):
        assert ids() == ["hookline.E004"]


@pytest.mark.django_db  # Django 6 looks at every database
def test_manage_py_check_stops_at_an_error_and_says_what_to_do() -> None:
    settings = {"PUBLIC_URL": "https://a.example"}
    with override_settings(HOOKLINE=settings), pytest.raises(SystemCheckError, match=r"E002.*make one with"):
        call_command("check")


@pytest.mark.django_db
def test_the_database_of_the_tests_is_fine() -> None:
    assert checks.check_database() == []


@pytest.mark.django_db
def test_another_database_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "vendor", "mysql")
    assert [message.id for message in checks.check_database()] == ["hookline.E005"]


@pytest.mark.django_db
def test_sqlite_without_immediate_transactions_is_warned_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "vendor", "sqlite")
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {})
    assert [message.id for message in checks.check_database()] == ["hookline.W002"]


@pytest.mark.django_db
def test_an_enabled_source_without_a_secret_is_warned_about_and_one_that_cannot_be_decrypted_is_an_error() -> None:
    make_source("stripe")
    empty, disabled, lost = make_source("stripe"), make_source("stripe", disabled=True), make_source("stripe")
    for source in (empty, disabled):
        source.secrets = SecretRing()
        source.save()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE hookline_source SET encrypted_secrets = 'lost.AAAA' WHERE token = %s",
            [lost.token],
        )
    messages = {message.id: message for message in checks.check_sources(databases=["default"])}
    assert set(messages) == {"hookline.W003", "hookline.E002"}
    assert empty.public_id in messages["hookline.W003"].msg
    assert lost.public_id in messages["hookline.E002"].msg


def test_sources_are_looked_at_only_when_the_database_may_be() -> None:
    assert checks.check_sources() == []


def wrapped_view(request: Any, token: str) -> Any:
    return ingest(request, token)


class UrlsThatWrap:
    urlpatterns = [path("", include(([path("in/<str:token>", wrapped_view, name="ingest")], "hookline")))]


class UrlsAsTheyAre:
    urlpatterns = [path("", include("hookline.urls"))]


@pytest.mark.parametrize(("urls", "found"), [(UrlsThatWrap, ["hookline.W005"]), (UrlsAsTheyAre, []), ((), [])])
def test_a_view_to_which_atomic_requests_applies_because_it_is_wrapped_is_warned_about(
    urls: Any, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with override_settings(ROOT_URLCONF=urls):
        assert checks.check_view() == []
        monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
        assert [message.id for message in checks.check_view()] == found


def test_the_view_is_never_atomic_whatever_database_a_router_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    databases: dict[str, Any] = {"default": {}, "webhooks": {}}
    monkeypatch.setattr(django_view, "django_settings", SimpleNamespace(DATABASES=databases))
    atomic = {**connections.settings["default"], "ATOMIC_REQUESTS": True}
    monkeypatch.setitem(connections.settings, "webhooks", atomic)
    view = django_view.never_atomic(wrapped_view)
    assert BaseHandler().make_view_atomic(view) is view
